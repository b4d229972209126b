"""A smaller graph of the same character: neighbourhoods around random nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.remote.graphs import is_graph_level
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import FolderGraph, spill
from techniques.remote.source.stored import StoredGraph
from techniques.sampling.kernels import NeighborKernel, build_csc
from tuner.graph_subset import set_character, subset

BALL_FANOUTS = (10, 10)
"""Whole balls of dense graphs are so large that a part is a few of them: on amazon_computers the largest class then
takes 0.57 to 0.61 of a fifth of the graph instead of 0.38; with ten neighbours a node 0.36 to 0.40, and the mean degree is
0.6 to 1.6 of the whole's on six real graphs (a random choice of nodes: 0.1 to 0.3)."""
ROOTS_PER_ROUND = 64
NODE_KEYS = ("y", "train_mask", "val_mask", "test_mask", "pos", "node_type")
EDGE_KEYS = ("edge_split", "edge_weight", "edge_attr", "edge_type")
TYPE_KEYS = ("type_names", "rel_names", "type_columns")


def subsample(stored: StoredGraph, share: float, folder: Path, seed: int = 0) -> FolderGraph:
    """The subgraph induced by two-hop balls around random nodes, until ``share`` of all nodes is reached.

    Balls keep many neighbours of most nodes, which a random choice of nodes would not: degrees, homophily and class
    balance stay close (``character`` measures how close). Of a set of graphs a share of the graphs. Seeded; written to ``folder`` once.
    """
    if folder.is_dir():
        return FolderGraph(folder)
    if is_graph_level(stored):
        part = subset(stored, share, seed)
        chosen_nodes = part.pop("nodes")
        return spill(ArrayGraph(f"{stored.name}@{share:.2g}", part | _features(stored, chosen_nodes)), folder)
    edge_index: Any = stored.read("edge_index")
    num_nodes = int(np.asarray(stored.read("num_nodes")).item())
    # Messages of typed layers pass against the edges as well (``reverse_edges``).
    both = np.concatenate([edge_index, edge_index[::-1]], axis=1) if "node_type" in stored.headers else edge_index
    chosen = _grow(both, num_nodes, int(share * num_nodes), np.random.default_rng(seed))
    return spill(ArrayGraph(f"{stored.name}@{share:.2g}", _induced(stored, edge_index, chosen, num_nodes)), folder)


def character(stored: StoredGraph) -> dict[str, float]:
    """Mean degree, homophily and the largest class's share: what a subsample should keep."""
    if is_graph_level(stored):
        return set_character(stored)
    edge_index: Any = stored.read("edge_index")
    found = {"num_nodes": float(np.asarray(stored.read("num_nodes")).item()), "num_edges": float(edge_index.shape[1])}
    found["mean_degree"] = found["num_edges"] / found["num_nodes"]
    if "y" in stored.headers and len(stored.headers["y"].shape) == 1:
        y: Any = np.asarray(stored.read("y"))
        source, target = y[edge_index[0]], y[edge_index[1]]
        known = (source >= 0) & (target >= 0)
        found["homophily"] = float((source[known] == target[known]).mean()) if known.any() else 0.0
        found["majority_share"] = float(np.bincount(y[y >= 0]).max() / max((y >= 0).sum(), 1))
    return found


def _grow(edge_index: NDArray[Any], num_nodes: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    colptr, row, _ = build_csc(edge_index, num_nodes)
    kernel = NeighborKernel(colptr, row, num_nodes)
    taken = np.zeros(num_nodes, dtype=bool)
    order = rng.permutation(num_nodes)
    for start in range(0, num_nodes, ROOTS_PER_ROUND):
        ball = kernel.sample(order[start : start + ROOTS_PER_ROUND].astype(np.int64), BALL_FANOUTS, seed=start).node
        room = wanted - int(taken.sum())
        fresh = ball[~taken[ball]]
        taken[fresh[:room]] = True
        if fresh.size >= room:
            break
    return np.flatnonzero(taken)


def _induced(
    stored: StoredGraph, edge_index: NDArray[Any], chosen: NDArray[np.int64], num_nodes: int
) -> dict[str, Any]:
    local = np.full(num_nodes, -1, dtype=np.int64)
    local[chosen] = np.arange(chosen.size)
    source, target = local[edge_index[0]], local[edge_index[1]]
    inside = (source >= 0) & (target >= 0)
    arrays: dict[str, Any] = {
        "num_nodes": np.array(chosen.size),
        "edge_index": np.stack([source[inside], target[inside]]).astype(np.int32),
    }
    arrays |= {key: np.asarray(stored.read(key))[chosen] for key in NODE_KEYS if key in stored.headers}
    arrays |= {key: np.asarray(stored.read(key))[inside] for key in EDGE_KEYS if key in stored.headers}
    arrays |= {key: np.asarray(stored.read(key)) for key in TYPE_KEYS if key in stored.headers}
    return arrays | _features(stored, chosen)


def _features(stored: StoredGraph, chosen: NDArray[np.int64]) -> dict[str, Any]:
    if "x" in stored.headers:
        return {"x": np.asarray(stored.read("x")[chosen])}
    if "x_data" not in stored.headers:
        return {}
    from techniques.sampling.kernels import gather_csr_rows

    before: Any = [np.asarray(stored.read(key)) for key in ("x_indptr", "x_indices", "x_data")]
    indptr, indices, data = gather_csr_rows(before[0], before[1], before[2].astype(np.float32), chosen)
    shape = np.array([chosen.size, int(np.asarray(stored.read("x_shape"))[1])])
    return {"x_data": data, "x_indices": indices, "x_indptr": indptr, "x_shape": shape}
