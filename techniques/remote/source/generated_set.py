"""A generated set of graphs with given statistics: sizes of its graphs, their edges, features and labels or targets.

Every graph has a hidden level from 0 to 1. Its class is the band that the level lies in (its target is the level itself);
the higher it is the more edges the graph has, and the more of its nodes have the features of its band: structure tells
some of the label, features tell some more.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, ArrayGraph
from techniques.remote.source.generated_edges import Ids
from techniques.remote.source.generated_features import add_features

if TYPE_CHECKING:
    from techniques.remote.source.generated import GraphStatistics

OWN_BAND = 0.4
"""Share of the nodes that have the features of their graph's band; all others have those of any."""
DENSER = 1.5
"""How many more edges beyond a tree a graph of the highest level has than one of the lowest, over the mean."""
MOST_FILLED = 0.8
"""Share of a graph's pairs that are joined at most."""
CROWDED, CROWDED_DEGREE = 0.3, 8
"""Share of the pairs, and degree, above which drawing pairs until they differ takes longer than drawing among all."""
BANDS_OF_TARGETS = 8
TARGET_NOISE = 0.1
FEWEST_NODES = 2
MOST_ROUNDS = 30


def generate_set(statistics: GraphStatistics, scale: float, seed: int) -> ArrayGraph:
    """A set of ``scale`` times as many graphs, in memory; mean sizes and degrees are kept.

    Graphs are connected where they have edges enough. Sizes are log-normal around their mean.

    Raises:
        GraphError: fewer than two graphs or two nodes a graph would be left.
    """
    graphs, nodes = round(statistics.num_graphs * scale), round(statistics.num_nodes * scale)
    if graphs < 2 or nodes < FEWEST_NODES * graphs:
        raise GraphError(
            f"A generated set must have two graphs and two nodes a graph, got {graphs:,} graphs and {nodes:,} nodes",
            "Raise the scale",
        )
    rng = np.random.default_rng(seed)
    sizes = _sizes(graphs, nodes, statistics.size_variation, rng)
    level = rng.random(graphs)
    band = _bands(level, BANDS_OF_TARGETS if statistics.num_targets else statistics.classes)
    pointer = np.concatenate([[0], np.cumsum(sizes)])
    arrays: dict[str, Array] = {"num_nodes": np.array(nodes), "graph_ptr": pointer}
    entries = round(statistics.num_edges * scale)
    arrays["edge_index"] = _edges(sizes, _wanted(sizes, level, entries // 2), statistics.undirected, rng)
    add_features(arrays, _node_bands(band, sizes, rng), statistics.features, statistics.feature_density, rng)
    arrays["y"] = _labels(statistics, level, band, rng)
    meta = {"name": statistics.name, "undirected": statistics.undirected, "generated": True, "scale": scale}
    arrays["meta"] = np.array(json.dumps({**meta, "seed": seed}))
    return ArrayGraph(statistics.name, arrays)


def _sizes(graphs: int, nodes: int, variation: float, rng: np.random.Generator) -> Ids:
    """Nodes of every graph, [G]: log-normal, in total ``nodes``."""
    raw = rng.lognormal(0.0, math.sqrt(math.log1p(variation**2)), graphs)
    spare = nodes - FEWEST_NODES * graphs
    ends = np.rint(np.cumsum(np.maximum(raw * nodes / raw.sum() - FEWEST_NODES, 0.0)))
    ends = np.rint(ends * (spare / max(ends[-1], 1.0))).astype(np.int64)
    ends[-1] = spare
    sizes: Ids = FEWEST_NODES + np.diff(ends, prepend=0)
    return sizes


def _bands(level: NDArray[np.float64], bands: int) -> Ids:
    """Bands of falling width, [G]; the lowest is the commonest."""
    shares = np.cumsum(1.0 / np.sqrt(np.arange(bands) + 2.0))
    return np.searchsorted(shares[:-1] / shares[-1], level).astype(np.int64)


def _wanted(sizes: Ids, level: NDArray[np.float64], pairs: int) -> Ids:
    """Pairs to join in every graph, [G]: a tree's, and the more beyond it the higher the level, as far as there is room."""
    tree = (sizes - 1).astype(np.float64)
    most = np.maximum(tree, MOST_FILLED * sizes * (sizes - 1) / 2)
    share = sizes * (1.0 + DENSER * (level - 0.5))
    wanted = tree * min(1.0, pairs / tree.sum())
    for _ in range(MOST_ROUNDS):
        room, missing = wanted < most, pairs - wanted.sum()
        if missing < 1 or not room.any():
            break
        wanted = np.minimum(wanted + missing * share * room / (share * room).sum(), most)
    whole: Ids = np.rint(wanted).astype(np.int64)
    return whole


def _edges(sizes: Ids, wanted: Ids, undirected: bool, rng: np.random.Generator) -> NDArray[np.int32] | Ids:
    """[2, E] distinct edges inside the graphs, sorted by source."""
    nodes, first = int(sizes.sum()), np.concatenate([[0], np.cumsum(sizes)[:-1]])
    dense = wanted > np.maximum(CROWDED * sizes * (sizes - 1) / 2, CROWDED_DEGREE / 2 * sizes)
    keys = [_some_pairs(int(first[g]), int(sizes[g]), int(wanted[g]), nodes, rng) for g in np.flatnonzero(dense)]
    keys.append(_sparse_pairs(sizes, np.where(dense, 0, wanted), first, rng))
    source, target = np.divmod(np.concatenate(keys), nodes)
    if undirected:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
    order = np.lexsort((target, source))
    edge_index: Ids = np.stack([source[order], target[order]])
    return edge_index.astype(np.int32) if nodes <= np.iinfo(np.int32).max else edge_index


def _some_pairs(first: int, size: int, wanted: int, nodes: int, rng: np.random.Generator) -> Ids:
    """Keys ``source * N + target`` of ``wanted`` of all pairs of one graph."""
    low, high = np.triu_indices(size, 1)
    chosen = rng.permutation(len(low))[:wanted]
    return (first + low[chosen]) * nodes + first + high[chosen]


def _sparse_pairs(sizes: Ids, wanted: Ids, first: Ids, rng: np.random.Generator) -> Ids:
    """Keys of a tree of near nodes in every graph, and of pairs at random."""
    nodes = int(sizes.sum())
    keys = _trees(sizes, np.minimum(wanted, sizes - 1), first, rng)
    for _ in range(MOST_ROUNDS):
        have = np.bincount(np.searchsorted(first, keys // nodes, side="right") - 1, minlength=len(sizes))
        graph = np.repeat(np.arange(len(sizes)), wanted - have)
        if not len(graph):
            break
        one, other = rng.integers(0, sizes[graph]), rng.integers(0, sizes[graph] - 1)
        other += other >= one
        low, high = first[graph] + np.minimum(one, other), first[graph] + np.maximum(one, other)
        keys = np.unique(np.concatenate([keys, low * nodes + high]))
    return keys


def _trees(sizes: Ids, pairs: Ids, first: Ids, rng: np.random.Generator) -> Ids:
    """Keys ``source * N + target``: the first ``pairs`` nodes but one of every graph, each to one a little before it."""
    nodes = int(sizes.sum())
    local = np.arange(nodes) - np.repeat(first, sizes)
    child = np.flatnonzero((local > 0) & (local <= np.repeat(pairs, sizes)))
    parent = child - np.minimum(rng.geometric(0.6, len(child)), local[child])
    return np.unique(parent * nodes + child)


def _node_bands(band: Ids, sizes: Ids, rng: np.random.Generator) -> Ids:
    own = np.repeat(band, sizes)
    return np.where(rng.random(len(own)) < OWN_BAND, own, rng.integers(0, int(band.max()) + 1, len(own)))


def _labels(statistics: GraphStatistics, level: NDArray[np.float64], band: Ids, rng: np.random.Generator) -> Array:
    """[G] classes, [G, L] of 0 and 1, or [G, T] targets."""
    from techniques.remote.source.generated import multi_labels

    if statistics.num_targets:
        noise = TARGET_NOISE * rng.standard_normal((len(level), statistics.num_targets))
        return (level[:, None] + noise).astype(np.float32)
    return multi_labels(band, statistics.classes, rng) if statistics.multi_label else band
