"""Generated graphs have the statistics they were asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from techniques.errors import GraphError
from techniques.remote.source.generated import GraphStatistics, generate
from techniques.remote.source.validate import check_features, check_headers, check_structure

BASE = GraphStatistics("made", 10_000, 200_000, undirected=True, features=32, classes=8)


def made(scale: float = 1.0, seed: int = 0, **changes: Any) -> dict[str, Any]:
    stored = generate(replace(BASE, **changes), scale, seed)
    for check in (check_headers, check_structure, check_features):
        check(stored)
    return {key: stored.read(key) for key in stored.headers}


def homophily(arrays: dict[str, Any]) -> float:
    source, target = arrays["edge_index"]
    return float((arrays["y"][source] == arrays["y"][target]).mean())


def ridge_accuracy(x: Any, arrays: dict[str, Any]) -> float:
    y, train, test = arrays["y"], arrays["train_mask"], arrays["test_mask"]
    targets = np.eye(y.max() + 1)[y[train]]
    weights = np.linalg.solve(x[train].T @ x[train] + 0.1 * np.eye(x.shape[1]), x[train].T @ targets)
    return float(((x[test] @ weights).argmax(axis=1) == y[test]).mean())


def neighbour_mean(x: Any, arrays: dict[str, Any]) -> Any:
    source, target = arrays["edge_index"]
    total = x.copy()
    np.add.at(total, target, x[source])
    return total / (1 + np.bincount(target, minlength=len(x)))[:, None]


@pytest.mark.parametrize("undirected", [True, False])
@pytest.mark.parametrize("scale", [0.2, 1.0, 1.7])
@pytest.mark.parametrize("wanted", [0.1, 0.45, 0.8])
def test_counts_and_homophily(undirected: bool, scale: float, wanted: float) -> None:
    arrays = made(scale, undirected=undirected, homophily=wanted)
    nodes, (source, target) = int(arrays["num_nodes"]), arrays["edge_index"]
    assert nodes == round(10_000 * scale)
    assert len(source) == pytest.approx(200_000 * scale, rel=0.01)
    assert len(np.unique(arrays["y"])) == 8
    assert homophily(arrays) == pytest.approx(wanted, abs=0.05)
    keys = source.astype(np.int64) * nodes + target
    assert (np.diff(keys) > 0).all(), "sorted, without repeats"
    assert (source != target).all()
    if undirected:
        assert np.array_equal(np.sort(target.astype(np.int64) * nodes + source), keys)


def test_degrees_have_hubs_and_few_isolated_nodes() -> None:
    degrees = np.bincount(made(num_edges=50_000)["edge_index"][1], minlength=10_000)
    assert degrees.max() > 15 * degrees.mean()
    assert (degrees == 0).mean() < 0.06
    even = np.bincount(made(degree_sigma=0.1)["edge_index"][1], minlength=10_000)
    assert even.max() < 3 * even.mean()


def test_neighbours_help() -> None:
    arrays = made(num_edges=120_000)
    alone = ridge_accuracy(arrays["x"], arrays)
    together = ridge_accuracy(neighbour_mean(arrays["x"], arrays), arrays)
    assert 0.35 < alone < 0.65
    assert together > max(0.85, alone + 0.2)


def test_sparse_features() -> None:
    arrays = made(features=500, feature_density=0.02)
    assert len(arrays["x_data"]) == pytest.approx(10_000 * 500 * 0.02, rel=0.03)
    x = np.zeros((10_000, 500), dtype=np.float32)
    x[np.repeat(np.arange(10_000), np.diff(arrays["x_indptr"])), arrays["x_indices"]] = arrays["x_data"]
    assert ridge_accuracy(neighbour_mean(x, arrays), arrays) > ridge_accuracy(x, arrays) + 0.2


def test_half_dense_features() -> None:
    x = made(feature_density=0.5)["x"]
    assert np.count_nonzero(x) / x.size == pytest.approx(0.5, abs=0.01)


def test_masks_and_multi_label() -> None:
    arrays = made(train_share=0.1, val_share=0.05, test_share=0.5, multi_label=True)
    assert [int(arrays[f"{key}_mask"].sum()) for key in ("train", "val", "test")] == [1000, 500, 5000]
    assert not (arrays["train_mask"] & arrays["test_mask"]).any()
    assert (arrays["y"].dtype, arrays["y"].shape) == (np.uint8, (10_000, 8))


def test_topology_only() -> None:
    assert set(made(features=0, classes=0)) == {"num_nodes", "edge_index", "meta"}


def test_same_seed_same_graph() -> None:
    first, again, other = made(0.1), made(0.1), made(0.1, seed=1)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["edge_index"], other["edge_index"])


@pytest.mark.parametrize("nodes", [3, 10, 60])
def test_tiny_graphs(nodes: int) -> None:
    made(nodes / 10_000, num_edges=400_000, classes=2, features=3)


@pytest.mark.parametrize("changes", [{"train_share": 0.9}, {"homophily": 1.5}, {"num_nodes": 1}, {"num_edges": 0}])
def test_wrong_statistics(changes: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        made(**changes)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_wrong_scale(scale: float) -> None:
    with pytest.raises(GraphError):
        made(scale)
