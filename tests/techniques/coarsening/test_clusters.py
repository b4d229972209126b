"""Every way to coarsen keeps the share that is asked for, and joins only what may be joined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from techniques.coarsening.clusters import FineGraph, coarsen
from techniques.coarsening.plan import CoarseningPlan
from techniques.errors import GraphError
from techniques.sampling.kernels import build_csc


def random_graph(nodes: int = 400, edges: int = 900, isolated: int = 40, seed: int = 0) -> FineGraph:
    rng = np.random.default_rng(seed)
    half = rng.integers(0, nodes - isolated, (2, edges))
    colptr, row, _ = build_csc(np.concatenate([half, half[::-1]], axis=1), nodes)
    return FineGraph(colptr, row, pos=rng.random((nodes, 2)))


def star(leaves: int = 300) -> FineGraph:
    half = np.stack([np.zeros(leaves, np.int64), np.arange(1, leaves + 1)])
    colptr, row, _ = build_csc(np.concatenate([half, half[::-1]], axis=1), leaves + 1)
    return FineGraph(colptr, row)


@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("graph", [random_graph(), star()], ids=["random with isolated nodes", "star"])
def test_heavy_edge_reaches_any_ratio(graph: FineGraph, ratio: float) -> None:
    coarse = coarsen(graph, CoarseningPlan("heavy_edge", ratio=ratio))
    assert coarse.num_nodes == round(ratio * graph.num_nodes)
    assert np.array_equal(np.unique(coarse.cluster), np.arange(coarse.num_nodes))


@pytest.mark.parametrize("method", ["metis", "voxel_grid"])
@pytest.mark.parametrize("ratio", [0.1, 0.5])
def test_parts_and_cells_come_close(method: str, ratio: float) -> None:
    graph = random_graph()
    coarse = coarsen(graph, CoarseningPlan(method, ratio=ratio))
    assert coarse.num_nodes == pytest.approx(ratio * graph.num_nodes, rel=0.03)


@pytest.mark.parametrize("ratio", [0.004, 0.03, 0.5, 0.9])
def test_metis_makes_super_nodes_of_any_size(ratio: float) -> None:
    """METIS itself gave up on 400,000 nodes in parts of two (tests/benchmarks/coarsening.py --speed)."""
    coarse = coarsen(random_graph(nodes=20_000, edges=250_000, isolated=0), CoarseningPlan("metis", ratio=ratio))
    assert coarse.num_nodes == pytest.approx(20_000 * ratio, rel=0.03)


def communities(count: int = 40, size: int = 100, seed: int = 0) -> FineGraph:
    """Edges inside communities, nine in ten of them."""
    rng = np.random.default_rng(seed)
    source = rng.integers(0, count * size, 8 * count * size)
    inside = size * (source // size) + rng.integers(0, size, source.size)
    half = np.stack([source, np.where(rng.random(source.size) < 0.9, inside, rng.permutation(source))])
    colptr, row, _ = build_csc(np.concatenate([half, half[::-1]], axis=1), count * size)
    return FineGraph(colptr, row)


def test_metis_is_handed_super_nodes_of_large_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are as balanced and cut hardly more than where METIS matches all nodes itself."""
    graph, plan = communities(), CoarseningPlan("metis", ratio=0.01)
    target = np.repeat(np.arange(graph.num_nodes), np.diff(graph.colptr))
    cut = {}
    for most in (graph.num_nodes, 500):
        monkeypatch.setattr("techniques.coarsening.clusters.MOST_METIS_NODES", most)
        coarse = coarsen(graph, plan)
        assert coarse.num_nodes == 40 and coarse.sizes().max() <= 1.05 * graph.num_nodes / 40
        cut[most] = np.count_nonzero(coarse.cluster[graph.row] != coarse.cluster[target])
    assert cut[500] < 1.02 * cut[graph.num_nodes] < 0.11 * target.size, "2.4 times as much without refinement"
    isolated = coarsen(FineGraph(np.zeros(2001, np.int64), np.empty(0, np.int32)), plan)
    assert isolated.num_nodes == 20


@pytest.mark.parametrize("method", ["graclus", "heavy_edge", "metis", "voxel_grid"])
def test_equal_seeds_give_equal_graphs(method: str) -> None:
    first, again = (coarsen(random_graph(), CoarseningPlan(method, seed=3)) for _ in range(2))
    for name in ("cluster", "colptr", "row", "weight"):
        assert np.array_equal(getattr(first, name), getattr(again, name))


@pytest.mark.parametrize("method", ["graclus", "heavy_edge", "metis", "voxel_grid"])
def test_edges_between_clusters_add_up(method: str) -> None:
    """Not one edge between super-nodes is lost, in however many levels it is contracted."""
    graph = random_graph()
    coarse = coarsen(graph, CoarseningPlan(method, ratio=0.2, levels=3))
    target = np.repeat(np.arange(graph.num_nodes), np.diff(graph.colptr))
    crossing = np.count_nonzero(coarse.cluster[graph.row] != coarse.cluster[target])
    assert coarse.weight.sum() == crossing
    assert not np.any(coarse.row == np.repeat(np.arange(coarse.num_nodes), np.diff(coarse.colptr))), "no self-loops"


@pytest.mark.parametrize("method", ["graclus", "heavy_edge", "metis", "voxel_grid"])
def test_only_nodes_of_one_group_are_joined(method: str) -> None:
    """Case H: the other levels of a hierarchy stay as they are, and no border is crossed."""
    graph = random_graph(isolated=0)
    group = np.random.default_rng(1).integers(-1, 4, graph.num_nodes).astype(np.int32)
    grouped = FineGraph(graph.colptr, graph.row, pos=graph.pos, group=group)
    coarse = coarsen(grouped, CoarseningPlan(method, ratio=0.5))
    sizes = coarse.sizes()
    assert (sizes[coarse.cluster[group < 0]] == 1).all()
    for one in range(coarse.num_nodes):
        assert len(set(group[coarse.cluster == one].tolist())) == 1
    assert coarse.num_nodes < graph.num_nodes


def test_every_level_doubles_what_graclus_joins() -> None:
    counts = [coarsen(random_graph(), CoarseningPlan("graclus", levels=levels)).num_nodes for levels in (1, 2, 3)]
    assert counts == sorted(counts, reverse=True) and counts[2] < counts[0]
    assert coarsen(random_graph(), CoarseningPlan("graclus", levels=3)).sizes().max() <= 8


def test_training_nodes_of_different_classes_are_never_joined() -> None:
    graph = random_graph()
    label = np.random.default_rng(2).integers(-1, 3, graph.num_nodes).astype(np.int32)
    plan = CoarseningPlan("heavy_edge", ratio=0.4, agree=True)
    coarse = coarsen(FineGraph(graph.colptr, graph.row, label=label), plan)
    for one in range(coarse.num_nodes):
        members = label[coarse.cluster == one]
        known = set(members[members >= 0].tolist())
        assert len(known) <= 1


def test_a_grid_joins_what_is_near(tmp_path: Any) -> None:
    graph = random_graph()
    coarse = coarsen(graph, CoarseningPlan("voxel_grid", ratio=0.1))
    assert graph.pos is not None
    spread = [np.ptp(graph.pos[coarse.cluster == one], axis=0).max() for one in range(coarse.num_nodes)]
    assert max(spread) < 0.25
    broken = FineGraph(graph.colptr, graph.row, pos=np.full((graph.num_nodes, 2), np.nan))
    with pytest.raises(GraphError, match="finite"):
        coarsen(broken, CoarseningPlan("voxel_grid"))
