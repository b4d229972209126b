"""What the edges tell beyond the degrees: which degrees meet, and how often two neighbours of a node are neighbours.

Sampled batches grow by these: where hubs meet leaves (shops and their customers) a hop finds few nodes, and where
neighbours know each other (citations, roads round a block) it finds many of them twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.structure import CHUNK, chunks
from techniques.graph_figures import DegreeFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

MIXING_EDGES = 1 << 20
"""Entries looked at to count edges between blocks."""
BLOCKS, BLOCKS_EACH_WAY = 16, 6
HINTS = 1_000_003
WEDGES = 1024
"""Paths tested for an edge that closes them: a share of 0.2 is known to 0.0125."""
CENTRE_EDGES = 64
"""Edges of a node that the next edge of a path is drawn from, about."""


def with_mixing(
    degrees: DegreeFacts, edge_index: Ints, in_degrees: Ints, undirected: bool, train: Ints | None = None
) -> DegreeFacts:
    """Degree facts with what a million edges tell: ``block_nodes``, ``block_train``, ``block_edges`` and closures.

    Args:
        edge_index: [2, E], source row first, ids in [0, N).
        in_degrees: [N] stored entries per target node.
        train: ids of the nodes that batches start from, where they are known.
    """
    import numpy as np

    if edge_index.shape[1] == 0:
        return degrees
    block = _blocks(edge_index, in_degrees, undirected)
    count = int(block.max()) + 1
    stride = -(-edge_index.shape[1] // MIXING_EDGES)
    sources, targets = edge_index[0, ::stride], edge_index[1, ::stride]
    between = sources != targets
    pairs = block[targets[between]] * count + block[sources[between]]
    edges = stride * np.bincount(pairs, minlength=count * count).reshape(count, count)
    triangles, squares = closed_shares(edge_index, in_degrees)
    return degrees.model_copy(
        update={
            "block_nodes": tuple(np.bincount(block).tolist()),
            "block_train": None if train is None else tuple(np.bincount(block[train], minlength=count).tolist()),
            "block_edges": tuple(map(tuple, edges.tolist())),
            "closure": triangles,
            "square_closure": squares,
        }
    )


def _blocks(edge_index: Ints, in_degrees: Ints, undirected: bool) -> NDArray[np.int64]:
    """[N] block of each node: by degree, or by in- and out-degree where they differ."""
    import numpy as np

    if undirected:
        return _degree_classes(in_degrees, BLOCKS)
    nodes = len(in_degrees)
    out_degrees = np.zeros(nodes, np.int64)
    for part in chunks(edge_index.shape[1], max(CHUNK, nodes)):
        out_degrees += np.bincount(edge_index[0, part], minlength=nodes)
    pair = _degree_classes(in_degrees, BLOCKS_EACH_WAY) * (BLOCKS_EACH_WAY + 1)
    pair += _degree_classes(out_degrees, BLOCKS_EACH_WAY)
    used = np.bincount(pair) > 0
    return (np.cumsum(used) - 1)[pair]


def _degree_classes(degrees: Ints, most: int) -> NDArray[np.int64]:
    """[N] class of each node: degree 0 apart, the others in at most ``most`` classes, numbered without gaps, of near
    equal shares of nodes and edges."""
    import numpy as np

    nodes = np.bincount(degrees)
    edges = nodes * np.arange(len(nodes))
    weight = nodes / nodes.sum() / 2 + edges / max(int(edges.sum()), 1) / 2
    middle = np.cumsum(weight) - weight / 2
    rank = 1 + np.minimum((middle * most).astype(np.int64), most - 1)
    rank[0] = 0
    used = np.bincount(rank[nodes > 0]) > 0
    return np.asarray((np.cumsum(used) - 1)[np.minimum(rank, len(used) - 1)][degrees], dtype=np.int64)


def closed_shares(edge_index: Ints, in_degrees: Ints) -> tuple[float, float]:
    """Shares of paths that an entry from their end to their start closes: paths of two edges, and of three.

    Paths v - u - w - x begin with a random entry (v, u) and go on to other in-neighbours, never straight back; those of
    three edges are only counted where v and w are not joined, so that no triangle is counted again. Two edges:
    local clustering (Watts and Strogatz, 1998) with each node weighted by its degree, as an edge meets it; three: the
    same for squares (Lind, Gonzalez and Herrmann, "Cycles and clustering in bipartite networks", 2005). The paths are
    random but the same for the same graph.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    first = rng.integers(0, edge_index.shape[1], WEDGES)
    start, centre = edge_index[0, first].astype(np.int64), edge_index[1, first].astype(np.int64)
    start, centre = start[start != centre], centre[start != centre]
    kept, second = _onward(edge_index, in_degrees, centre, start, rng)
    start, centre = start[kept], centre[kept]
    joined = _joined(edge_index, len(in_degrees), second, start)
    kept, third = _onward(edge_index, in_degrees, second, centre, rng)
    kept, third = kept[~joined[kept]], third[~joined[kept]]
    squares = _joined(edge_index, len(in_degrees), third, start[kept])[third != start[kept]]
    return _share(joined), _share(squares)


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _onward(
    edge_index: Ints, in_degrees: Ints, at: NDArray[np.int64], came_from: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which paths can go on, and the in-neighbours that they go on to: neither themselves nor straight back."""
    import numpy as np

    near = _entries_of(edge_index, in_degrees, at, rng)
    near = near[np.argsort(edge_index[1, near], kind="stable")]
    targets = edge_index[1, near]
    low, high = np.searchsorted(targets, at, "left"), np.searchsorted(targets, at, "right")
    kept = np.flatnonzero(high > low)
    pick = low[kept] + (rng.random(len(kept)) * (high - low)[kept]).astype(np.int64)
    found = edge_index[0, near[pick]].astype(np.int64)
    fresh = (found != came_from[kept]) & (found != at[kept])
    return kept[fresh], found[fresh]


def _entries_of(
    edge_index: Ints, in_degrees: Ints, centre: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of in-edges of the centres; of hubs only some, at random."""
    import numpy as np

    share = np.zeros(len(in_degrees), np.float32)
    share[centre] = np.minimum(1.0, CENTRE_EDGES / np.maximum(in_degrees[centre], 1))
    found = []
    for part in chunks(edge_index.shape[1], CHUNK):
        here = share[edge_index[1, part]]
        some = np.flatnonzero(here)
        found.append(part.start + some[rng.random(len(some), dtype=np.float32) < here[some]])
    return np.concatenate(found)


def _joined(edge_index: Ints, nodes: int, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the pairs an entry joins."""
    import numpy as np

    is_source, is_target = np.zeros(nodes, bool), np.zeros(nodes, bool)
    is_source[sources] = is_target[targets] = True
    wanted = sources * nodes + targets
    # A small table first: sorting all entries between the marked nodes of a dense graph takes a second.
    hinted = np.zeros(HINTS, bool)
    hinted[wanted % HINTS] = True
    found = []
    for part in chunks(edge_index.shape[1], CHUNK):
        some = part.start + np.flatnonzero(is_source[edge_index[0, part]])
        some = some[is_target[edge_index[1, some]]]
        entries = edge_index[0, some].astype(np.int64) * nodes + edge_index[1, some]
        found.append(entries[hinted[entries % HINTS]])
    return np.isin(wanted, np.concatenate(found))
