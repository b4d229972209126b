"""Part of a set of graphs with the same mix of classes and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from techniques.remote.graphs import known_graphs, targets_are_real
from techniques.sampling.kernels import GraphSetKernel, build_csc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

FEWEST_GRAPHS = 30
"""Below this a seeded split leaves too few graphs to validate on."""


def subset(stored: StoredGraph, share: float, seed: int = 0) -> dict[str, Any]:
    """Arrays of ``share`` of the graphs: every so many-th one of a list sorted by class (or target), then by nodes."""
    pointer: NDArray[np.int64] = np.asarray(stored.read("graph_ptr")).astype(np.int64)
    labels: Any = np.asarray(stored.read("y"))
    graphs = np.flatnonzero(known_graphs(labels))
    rng = np.random.default_rng(seed)
    sizes = np.diff(pointer)[graphs] + rng.random(graphs.size)
    order = graphs[np.lexsort((sizes, _strata(labels)[graphs]))]
    wanted = min(max(round(share * order.size), FEWEST_GRAPHS), order.size)
    places = ((np.arange(wanted) + rng.random()) * order.size / wanted).astype(np.int64)
    return cut(stored, pointer, np.sort(order[np.minimum(places, order.size - 1)]))


def _strata(labels: NDArray[Any]) -> NDArray[Any]:
    """Class positions; four equal parts by a single target; else one."""
    if labels.ndim > 1 and labels.shape[1] > 1:
        return np.zeros(len(labels), np.int64)
    flat = labels.reshape(-1)
    if not targets_are_real(flat):
        return flat
    return np.searchsorted(np.nanquantile(flat, [0.25, 0.5, 0.75]), flat)


def cut(stored: StoredGraph, pointer: NDArray[np.int64], chosen: NDArray[np.int64]) -> dict[str, Any]:
    """Arrays of the chosen graphs as a set of their own, without features; ``nodes`` are the rows to take of those."""
    edge_index: Any = np.asarray(stored.read("edge_index"))
    colptr, row, position = build_csc(edge_index, int(pointer[-1]), with_permutation=True)
    gathered = GraphSetKernel(colptr, row, pointer).gather(chosen, with_edge=True)
    assert gathered.edge is not None
    assert position is not None
    edges, nodes = position[gathered.edge], gathered.node
    arrays: dict[str, Any] = {
        "nodes": nodes,
        "num_nodes": np.array(nodes.size),
        "graph_ptr": gathered.graph_ptr,
        "edge_index": np.stack([gathered.col_source, gathered.col_target()]).astype(np.int32),
    }
    for keys, rows in ((("y", "train_mask", "val_mask", "test_mask"), chosen), (("pos",), nodes)):
        arrays |= {key: np.asarray(stored.read(key))[rows] for key in keys if key in stored.headers}
    arrays |= {
        key: np.asarray(stored.read(key))[edges] for key in ("edge_weight", "edge_attr") if key in stored.headers
    }
    return arrays


def set_character(stored: StoredGraph) -> dict[str, float]:
    """What a part should keep of a set: sizes and, for classes, the largest one's share."""
    nodes = np.diff(np.asarray(stored.read("graph_ptr")).astype(np.int64))
    labels: Any = np.asarray(stored.read("y"))
    found = {
        "num_graphs": float(nodes.size),
        "nodes_a_graph": float(nodes.mean()),
        "nodes_deviation": float(nodes.std()),
        "mean_degree": stored.headers["edge_index"].shape[1] / max(float(nodes.sum()), 1.0),
    }
    if labels.ndim == 1 and not targets_are_real(labels):
        known = labels[known_graphs(labels)].astype(np.int64)
        found["majority_share"] = float(np.unique(known, return_counts=True)[1].max() / max(known.size, 1))
    elif labels.ndim == 1:
        found |= {"target_mean": float(np.nanmean(labels)), "target_deviation": float(np.nanstd(labels))}
    return found
