"""The edges of a generated graph: a degree-corrected block model with communities inside the classes.

Each pair is drawn as in Karrer and Newman, "Stochastic blockmodels and community structure in networks" (2011): a
group first, then a node in it by its expected degree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMMUNITY_SHARE = 0.7
"""Share of the edges inside a class that stay inside one community, so that samples of near nodes overlap."""
COMMUNITY_NODES = (500, 2000)
LEAST_DEGREE = 2.0
"""Least expected degree: few isolated nodes, as in collected graphs."""
TABLE_ROWS_PER_NODE = 8
DRAW_CHUNK = 1 << 22
MOST_ROUNDS = 30

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Blocks:
    """Nodes in block order: class after class, community after community; all arrays over nodes but ``table``."""

    label: Ids
    table: NDArray[np.int32]
    """Node ids, each repeated in proportion to its expected degree: a uniform row is a weighted node."""
    class_rows: tuple[Ids, Ids]
    community_rows: tuple[Ids, Ids]


def lay_blocks(nodes: int, entries: int, classes: int, sigma: float, rng: np.random.Generator) -> Blocks:
    """Divide nodes into classes and communities and give them expected degrees of log spread ``sigma``."""
    class_starts = _class_starts(nodes, max(1, classes))
    community_starts = _community_starts(class_starts, entries / nodes)
    weights = _expected_degrees(nodes, entries, sigma, rng)
    repeats = np.maximum(1, np.rint(weights * max(TABLE_ROWS_PER_NODE, entries // (2 * nodes)))).astype(np.int64)
    rows = np.concatenate([[0], np.cumsum(repeats)])
    return Blocks(
        label=_spread(class_starts, np.arange(len(class_starts) - 1)),
        table=np.repeat(np.arange(nodes, dtype=np.int32), repeats),
        class_rows=_row_ranges(class_starts, rows),
        community_rows=_row_ranges(community_starts, rows),
    )


def _class_starts(nodes: int, classes: int) -> Ids:
    """First node of each class, and the end; sizes fall mildly, and no class is empty while there are nodes enough."""
    shares = np.cumsum(1.0 / np.sqrt(np.arange(1, classes + 1) + 1.0))
    return np.concatenate([[0], np.rint(nodes * shares / shares[-1])]).astype(np.int64)


def _community_starts(class_starts: Ids, mean_degree: float) -> Ids:
    # Communities much larger than a neighbourhood, or drawing distinct neighbours in them would not end.
    size = int(np.clip(20 * mean_degree, *COMMUNITY_NODES))
    pieces = []
    for low, high in zip(class_starts[:-1].tolist(), class_starts[1:].tolist(), strict=True):
        count = max(1, round((high - low) / size))
        pieces.append(low + (high - low) * np.arange(count, dtype=np.int64) // count)
    return np.concatenate([*pieces, class_starts[-1:]])


def _spread(starts: Ids, values: Ids) -> Ids:
    return np.repeat(values, np.diff(starts))


def _row_ranges(starts: Ids, rows: Ids) -> tuple[Ids, Ids]:
    """First and end row in the table of each node's group."""
    return _spread(starts, rows[starts[:-1]]), _spread(starts, rows[starts[1:]])


def _expected_degrees(nodes: int, entries: int, sigma: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Expected degrees over their mean; hubs reach some sqrt(entries), but no node knows everyone."""
    weights = rng.lognormal(0.0, sigma, nodes)
    mean_degree = entries / nodes
    least = min(0.8, max(0.15, LEAST_DEGREE / mean_degree))
    cap = max(2.0, min(10 * np.sqrt(entries), nodes / 4) / mean_degree)
    # Capping lowers the mean, so the rest is raised to it and capped again.
    for _ in range(3):
        weights = np.clip(weights / weights.mean(), least, cap)
    return weights


def draw_edges(
    blocks: Blocks, ids: Ids, entries: int, undirected: bool, homophily: float, rng: np.random.Generator
) -> NDArray[np.int32] | Ids:
    """Draw [2, E] distinct edges without self-loops, sorted by source; ``ids`` renames the nodes from block order."""
    nodes = len(ids)
    wanted = max(1, entries // 2) if undirected else entries
    keys = _distinct_pairs(blocks, wanted, undirected, homophily, rng)
    source, target = ids[keys // nodes], ids[keys % nodes]
    del keys
    if undirected:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
    order = source * nodes + target
    del source, target
    order.sort()
    small = np.int32 if nodes <= np.iinfo(np.int32).max else np.int64
    edge_index = np.empty((2, len(order)), dtype=small)
    np.floor_divide(order, nodes, out=edge_index[0], casting="unsafe")
    np.remainder(order, nodes, out=edge_index[1], casting="unsafe")
    return edge_index


def _distinct_pairs(blocks: Blocks, wanted: int, undirected: bool, homophily: float, rng: np.random.Generator) -> Ids:
    """``wanted`` distinct pairs as sorted keys ``source * N + target``; source is the lower id if undirected."""
    keys: Ids = np.empty(0, dtype=np.int64)
    drawn, share = int(wanted * 1.03) + 8, homophily
    for round_number in range(MOST_ROUNDS):
        fresh = _pair_keys(undirected, blocks, drawn, share, rng)
        before, keys = len(keys), _distinct(np.concatenate([keys, fresh]))
        missing = wanted - len(keys)
        if missing <= 0:
            break
        yield_share = max(0.1, (len(keys) - before) / drawn)
        drawn = int(missing / yield_share) + 8
        # Repeats are commonest inside communities, so the rest is drawn to make up for them; but small dense classes
        # run out of new pairs, and then it is spread over all nodes.
        short = wanted * homophily - _inside_count(blocks, keys)
        share = min(1.0, max(0.0, short / missing)) if round_number < MOST_ROUNDS // 3 else 0.0
    surplus = len(keys) - wanted
    return np.delete(keys, rng.choice(len(keys), surplus, replace=False)) if surplus > 0 else keys


def _inside_count(blocks: Blocks, keys: Ids) -> int:
    nodes = len(blocks.label)
    pieces = (keys[low : low + DRAW_CHUNK] for low in range(0, len(keys), DRAW_CHUNK))
    return sum(int(np.count_nonzero(blocks.label[part // nodes] == blocks.label[part % nodes])) for part in pieces)


def _distinct(keys: Ids) -> Ids:
    keys.sort()
    first = np.empty(len(keys), dtype=bool)
    first[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def _pair_keys(undirected: bool, blocks: Blocks, count: int, homophily: float, rng: np.random.Generator) -> Ids:
    pieces = []
    for low in range(0, count, DRAW_CHUNK):
        size = min(DRAW_CHUNK, count - low)
        # Evenly spread rows give every node its share of sources with little noise, and in order.
        rows = ((low + np.arange(size) + rng.random(size)) * (len(blocks.table) / count)).astype(np.int64)
        source = blocks.table[np.minimum(rows, len(blocks.table) - 1)].astype(np.int64)
        target = blocks.table[_partner_rows(blocks, source, homophily, rng)].astype(np.int64)
        if undirected:
            source, target = np.minimum(source, target), np.maximum(source, target)
        pieces.append((source * len(blocks.label) + target)[source != target])
    return np.concatenate(pieces)


def _partner_rows(blocks: Blocks, source: Ids, homophily: float, rng: np.random.Generator) -> Ids:
    """A table row for each source: in its community, elsewhere in its class, or in another class."""
    total = len(blocks.table)
    class_low, class_high = (ends[source] for ends in blocks.class_rows)
    kind = rng.random(len(source), dtype=np.float32)
    near = kind < homophily * COMMUNITY_SHARE
    low = np.where(near, blocks.community_rows[0][source], class_low)
    high = np.where(near, blocks.community_rows[1][source], class_high)
    # Rows are counted on a ring, so that "outside the class" is one range from its end round to its start.
    outside = (kind >= homophily) & (class_high - class_low < total)
    low, high = np.where(outside, class_high, low), np.where(outside, class_low + total, high)
    rows: Ids = low + (rng.random(len(source)) * (high - low)).astype(np.int64)
    rows[rows >= total] -= total
    return rows
