"""A smaller graph of the same character: neighbourhoods around random nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.remote.graphs import is_graph_level, targets_are_real
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import FolderGraph, spill
from techniques.remote.source.stored import StoredGraph
from techniques.sampling.kernels import NeighborKernel, build_csc
from tuner.graph_subset import set_character, subset

BALL_FANOUTS = ((10, 10), (5, 5), (-1, -1))
"""Balls to try. Whole balls (-1) keep the most edges of sparse graphs, but of dense graphs they are so large that a part is a
few of them: on amazon_computers the largest class then takes 0.57 to 0.61 of a fifth of the graph instead of 0.38; with ten
neighbours a node 0.36 to 0.40. Which is closest to the whole graph is measured, not known beforehand."""
ROOTS_PER_ROUND = 64
NODE_KEYS = ("y", "train_mask", "val_mask", "test_mask", "pos", "node_type")
EDGE_KEYS = ("edge_split", "edge_weight", "edge_attr", "edge_type")
TYPE_KEYS = ("type_names", "rel_names", "type_columns", "unread_edge_data")


def subsample(stored: StoredGraph, share: float, folder: Path, seed: int = 0) -> FolderGraph:
    """The subgraph induced by two-hop balls around random nodes, until ``share`` of all nodes is reached.

    Balls keep many neighbours of most nodes, which a random choice of nodes would not; of several kinds of balls those
    are taken whose degrees, homophily and class balance are closest to the whole graph's (``distances``). Of a set of
    graphs a share of the graphs. Seeded; written to ``folder`` once.
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
    colptr, row, _ = build_csc(both, num_nodes)
    kernel, wanted = NeighborKernel(colptr, row, num_nodes), max(int(share * num_nodes), 1)
    grown = [_grow(kernel, num_nodes, wanted, fanouts, np.random.default_rng(seed)) for fanouts in BALL_FANOUTS]
    chosen = min(grown, key=lambda nodes: _apart(stored, edge_index, nodes, num_nodes))
    arrays = _induced(stored, edge_index, chosen, num_nodes) | _features(stored, chosen)
    return spill(ArrayGraph(f"{stored.name}@{share:.2g}", arrays), folder)


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
        found["majority_share"] = max(_class_shares(y).values(), default=0.0)
    return found


def compared(whole: StoredGraph, part: StoredGraph) -> dict[str, float | str]:
    """The character of both, as ``whole_...`` and ``part_...``, and how far apart their distributions are.

    ``degree_distance`` is that of Kolmogorov and Smirnov between the in-degrees, ``class_distance`` is half the sum of differences of the classes' shares.
    """
    found: dict[str, float | str] = {f"whole_{name}": value for name, value in character(whole).items()}
    found |= {f"part_{name}": value for name, value in character(part).items()}
    for name, value in distances(whole, part).items():
        found |= {f"whole_{name}": 0.0, f"part_{name}": value}
    return found


def distances(whole: StoredGraph, part: StoredGraph) -> dict[str, float]:
    """From 0, the same, to 1: degrees, and classes where there are any."""
    found = {"degree_distance": _steps_apart(_degrees(whole), _degrees(part))}
    if "y" in whole.headers and not targets_are_real(np.asarray(whole.read("y"))):
        before, after = (_class_shares(np.asarray(one.read("y"))) for one in (whole, part))
        found["class_distance"] = sum(abs(before.get(one, 0.0) - after.get(one, 0.0)) for one in before | after) / 2
    return found


def _degrees(stored: StoredGraph) -> NDArray[np.int64]:
    nodes = int(np.asarray(stored.read("num_nodes")).item())
    return (
        np.sort(np.bincount(np.asarray(stored.read("edge_index"))[1], minlength=nodes)) if nodes else np.zeros(1, int)
    )


def _steps_apart(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """The largest difference between two empirical distributions; both sorted."""
    places = np.concatenate([a, b])
    below = [np.searchsorted(one, places, side="right") / len(one) for one in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def _class_shares(y: NDArray[Any]) -> dict[int, float]:
    """Of the known labels by class id, which may be any; of several a node, each one's share of all that are set."""
    ids, counts = (np.arange(y.shape[1]), y.clip(0).sum(0)) if y.ndim == 2 else np.unique(y[y >= 0], return_counts=True)
    return dict(zip(ids.tolist(), (counts / max(counts.sum(), 1)).tolist(), strict=True))


def _grow(
    kernel: NeighborKernel, num_nodes: int, wanted: int, fanouts: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    taken = np.zeros(num_nodes, dtype=bool)
    order = rng.permutation(num_nodes)
    # A round of whole balls must not be the whole part: then a few of them decide what it is like.
    per_round = min(ROOTS_PER_ROUND, max(wanted // ROOTS_PER_ROUND, 1))
    for start in range(0, num_nodes, per_round):
        ball = kernel.sample(order[start : start + per_round].astype(np.int64), fanouts, seed=start).node
        room = wanted - int(taken.sum())
        fresh = ball[~taken[ball]]
        taken[fresh[:room]] = True
        if fresh.size >= room:
            break
    return np.flatnonzero(taken)


def _apart(stored: StoredGraph, edge_index: NDArray[Any], nodes: NDArray[np.int64], num_nodes: int) -> float:
    """How far the part of these nodes is from the whole: its distances, and the difference in homophily."""
    part = ArrayGraph("part", _induced(stored, edge_index, nodes, num_nodes))
    before, after = character(stored), character(part)
    homophily = abs(before.get("homophily", 0.0) - after.get("homophily", 0.0))
    return sum(distances(stored, part).values()) + homophily


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
    return arrays


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
