"""A generated graph, or set of graphs, with given statistics: its edges, features, labels and splits."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, ArrayGraph
from techniques.remote.source.generated_edges import DRAW_CHUNK, Ids, draw_edges, lay_blocks
from techniques.remote.source.generated_features import add_features
from techniques.remote.source.stored import StoredGraph

GENERATOR_VERSION = 2
"""Part of the name of cached graphs: raise it when the same statistics give another graph."""


@dataclass(frozen=True)
class GraphStatistics:
    """What a generated graph is to look like.

    ``num_edges`` counts stored directed entries. ``degree_sigma`` is the spread of log expected degrees, ``homophily``
    the share of edges inside a class, ``feature_density`` the share of non-zero features (CSR below 0.1).
    ``num_graphs`` above 1 asks for a set of graphs with labels per graph, ``num_targets`` for a regression on it;
    ``size_variation`` is the deviation over mean of its graphs' nodes.
    """

    name: str
    num_nodes: int
    num_edges: int
    undirected: bool
    features: int
    classes: int
    multi_label: bool = False
    train_share: float = 0.6
    val_share: float = 0.2
    test_share: float = 0.2
    feature_density: float = 1.0
    degree_sigma: float = 1.2
    homophily: float = 0.8
    num_graphs: int = 1
    num_targets: int = 0
    size_variation: float = 0.5


def generate(statistics: GraphStatistics, scale: float, seed: int = 0) -> StoredGraph:
    """Generate a graph in memory with ``scale`` times the nodes and edges of ``statistics``; the mean degree is kept.

    Neighbours tell more than a node's own features: the mean over them is a far better predictor of ``y``. Stored
    edges come within 1 % of the target, free of self-loops and repeats, sorted by source. Targets above half of all
    pairs are lowered to that; homophily falls short where a class has too few nodes for its edges.

    Args:
        statistics: what to match.
        scale: above 0; 1 is the original size.
        seed: same seed, same graph.

    Raises:
        GraphError: fewer than two nodes or no edges would be left, or a share is out of range.
    """
    nodes, entries = _sizes(statistics, scale)
    if statistics.num_graphs > 1:
        from techniques.remote.source.generated_set import generate_set

        return generate_set(statistics, scale, seed)
    rng = np.random.default_rng(seed)
    blocks = lay_blocks(nodes, entries, statistics.classes, statistics.degree_sigma, rng)
    ids = rng.permutation(nodes).astype(np.int64)  # neighbours in the graph are not neighbours on the disk
    arrays: dict[str, Array] = {"num_nodes": np.array(nodes)}
    undirected, homophily = statistics.undirected, statistics.homophily
    arrays["edge_index"] = draw_edges(blocks, ids, entries, undirected, homophily, rng)
    label = np.empty(nodes, dtype=np.int64)
    label[ids] = blocks.label
    add_features(arrays, label, statistics.features, statistics.feature_density, rng)
    if statistics.classes > 1:
        arrays["y"] = multi_labels(label, statistics.classes, rng) if statistics.multi_label else label
        arrays |= _masks(statistics, nodes, rng)
    meta = {
        "name": statistics.name,
        "undirected": statistics.undirected,
        "generated": True,
        "scale": scale,
        "seed": seed,
    }
    arrays["meta"] = np.array(json.dumps(meta))
    return ArrayGraph(statistics.name, arrays)


def _sizes(statistics: GraphStatistics, scale: float) -> tuple[int, int]:
    if not 0 < scale < math.inf:
        raise GraphError(f"The scale of a generated graph must be above 0, got {scale}", "Give a factor such as 0.1")
    nodes = round(statistics.num_nodes * scale)
    entries = min(round(statistics.num_edges * scale), nodes * (nodes - 1) // 2)
    if nodes < 2 or entries < 1:
        raise GraphError(
            f"A generated graph must have two nodes and an edge or more, got {nodes} nodes and {entries} entries",
            "Raise the scale",
        )
    shares = (statistics.train_share, statistics.val_share, statistics.test_share)
    if min(shares) < 0 or sum(shares) > 1 + 1e-6 or not 0 <= statistics.homophily <= 1:
        raise GraphError(
            f"Shares must be from 0 to 1 and sum to at most 1, got {shares} and homophily {statistics.homophily}",
            "Correct the statistics",
        )
    return nodes, entries


def multi_labels(label: Ids, classes: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """[N, L] of 0 and 1: mostly the node's own group's label, often those of two others, rarely any."""
    profile = np.full((classes, classes), min(0.02, 1 / classes), dtype=np.float32)
    for extra, share in ((0, 0.85), (1, 0.35), (2, 0.2)):
        profile[np.arange(classes), (np.arange(classes) + extra) % classes] = share
    y = np.empty((len(label), classes), dtype=np.uint8)
    step = max(1, DRAW_CHUNK // classes)
    for low in range(0, len(label), step):
        part = label[low : low + step]
        y[low : low + step] = rng.random((len(part), classes), dtype=np.float32) < profile[part]
    return y


def _masks(statistics: GraphStatistics, nodes: int, rng: np.random.Generator) -> dict[str, Array]:
    order = rng.permutation(nodes)
    train = max(1, round(statistics.train_share * nodes))
    val = train + round(statistics.val_share * nodes)
    test = val + round(statistics.test_share * nodes)
    masks: dict[str, Array] = {}
    for key, low, high in (("train_mask", 0, train), ("val_mask", train, val), ("test_mask", val, test)):
        masks[key] = np.zeros(nodes, dtype=bool)
        masks[key][order[low:high]] = True
    return masks
