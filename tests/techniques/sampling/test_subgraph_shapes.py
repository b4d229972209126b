"""Expected sizes of subgraph batches: bounded by the graph, and close to subgraphs that are really cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.inspect.degrees import measured_degrees
from planner.inspect.estimate import from_counts
from planner.inspect.mixing import with_mixing
from techniques.facts import GraphFacts
from techniques.sampling.kernels import ShadowKernel, SubgraphKernel, build_csc
from techniques.sampling.kernels.saint import saint_edges, saint_nodes, saint_walks
from techniques.sampling.shapes import (
    HopSizes,
    drawn_sizes,
    random_node_sizes,
    saint_edge_sizes,
    saint_node_sizes,
    saint_walk_sizes,
    shadow_sizes,
)
from techniques.step_shape import DrawnHops

NODES = 4_000
FORECASTS: dict[str, Callable[[GraphFacts], HopSizes]] = {
    "part": lambda graph: random_node_sizes(graph, 400),
    "nodes": lambda graph: saint_node_sizes(graph, 500),
    "edges": lambda graph: saint_edge_sizes(graph, 300),
    "walks": lambda graph: saint_walk_sizes(graph, 100, 3),
}


@pytest.fixture(scope="module", params=[False, True], ids=["undirected", "directed"])
def graph(request: Any) -> tuple[GraphFacts, tuple[Any, Any, int]]:
    rng = np.random.default_rng(5)
    weight = np.exp(rng.normal(0, 1, NODES))
    ends = np.unique(rng.choice(NODES, size=(2, 6 * NODES), p=weight / weight.sum()), axis=1)
    ends = ends[:, ends[0] < ends[1]]
    edge_index = ends if request.param else np.concatenate([ends, ends[::-1]], axis=1)
    colptr, row, _ = build_csc(edge_index, NODES)
    facts = from_counts(NODES, ends.shape[1], 4, 2, directed=request.param)
    degrees = with_mixing(measured_degrees(np.diff(colptr)), edge_index, np.diff(colptr), not request.param)
    return facts.model_copy(update={"degrees": degrees, "num_edges": edge_index.shape[1]}), (colptr, row, NODES)


@pytest.mark.parametrize("name", FORECASTS)
def test_close_to_subgraphs_really_cut(name: str, graph: Any) -> None:
    facts, (colptr, row, _) = graph
    choose: dict[str, Callable[[int], Any]] = {
        "part": lambda seed: np.random.default_rng(seed).permutation(NODES)[:400],
        "nodes": lambda seed: saint_nodes(colptr, row, NODES, 500, seed),
        "edges": lambda seed: saint_edges(colptr, row, NODES, 300, seed),
        "walks": lambda seed: saint_walks(colptr, row, NODES, 100, 3, seed),
    }
    cut = SubgraphKernel(colptr, row, NODES)
    found = [choose[name](seed) for seed in range(100)]
    seen = drawn_sizes([DrawnHops((len(one),), (len(cut.induced(one).col_source),)) for one in found])
    said = FORECASTS[name](facts)
    assert said.mean_nodes == pytest.approx(seen.mean_nodes, rel=0.03)
    assert said.mean_edges == pytest.approx(seen.mean_edges, rel=0.08)
    assert said.high_nodes == pytest.approx(seen.high_nodes, rel=0.06)
    assert said.high_edges == pytest.approx(seen.high_edges, rel=0.1)


def test_close_to_ego_graphs_really_cut(graph: Any) -> None:
    facts, csc = graph
    kernel, rng = ShadowKernel(*csc), np.random.default_rng(0)
    egos = [kernel.sample(rng.permutation(NODES)[:64], 2, 5, seed) for seed in range(60)]
    seen = drawn_sizes([DrawnHops((len(one.node),), (len(one.col_source),)) for one in egos])
    said = shadow_sizes(facts, 64, 2, 5)
    assert said.mean_nodes == pytest.approx(seen.mean_nodes, rel=0.08)
    assert said.mean_edges == pytest.approx(seen.mean_edges, rel=0.12)
    assert said.high_nodes == pytest.approx(seen.high_nodes, rel=0.1)


def test_all_nodes_are_the_whole_graph() -> None:
    facts = from_counts(50, 200, 4, 2, directed=False)
    sizes = random_node_sizes(facts, 50)
    assert (sizes.mean_nodes, sizes.mean_edges) == ([50], [400])
    assert (sizes.high_nodes, sizes.high_edges) == ([50], [400])


def test_walks_of_no_steps_are_their_roots() -> None:
    facts = from_counts(1_000, 5_000, 4, 2, directed=False)
    sizes = saint_walk_sizes(facts, 100, 0)
    assert sizes.mean_nodes == pytest.approx([1_000 * (1 - math.exp(-0.1))])


@given(st.integers(2, 10**5), st.integers(0, 30), st.integers(1, 10**6), st.booleans())
def test_never_more_than_there_is(nodes: int, degree: int, size: int, directed: bool) -> None:
    facts = from_counts(nodes, nodes * degree, 4, 2, directed=directed)
    each = (
        random_node_sizes(facts, size),
        saint_node_sizes(facts, size),
        saint_edge_sizes(facts, size),
        saint_walk_sizes(facts, size, 3),
    )
    for sizes in each:
        assert all(math.isfinite(one[0]) and one[0] >= 0 for one in (sizes.mean_nodes, sizes.mean_edges))
        assert sizes.mean_nodes[0] <= sizes.high_nodes[0] * (1 + 1e-9) <= nodes * (1 + 1e-6)
        assert sizes.mean_edges[0] <= facts.num_edges * (1 + 1e-6)
        assert sizes.high_edges[0] >= sizes.mean_edges[0] - 1e-6
