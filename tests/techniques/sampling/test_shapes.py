"""Expected batch sizes: bounded by the graph, and close to batches that are really drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.inspect.degrees import measured_degrees
from planner.inspect.estimate import from_counts
from techniques.forecast import DrawnHops
from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.shapes import expected_hops, largest_hops, mean_hops, step_shape

STATED_TOLERANCE = 0.25
"""``COUNTS_ERROR`` of the neighbour option: what forecasts from counts alone allow for."""

fanouts = st.lists(st.sampled_from([-1, 1, 5, 15]), min_size=1, max_size=4)


@given(st.integers(2, 10**6), st.integers(1, 40), st.floats(0.0, 1.0), fanouts)
def test_never_more_than_there_is(nodes: int, degree: int, share: float, chosen: list[int]) -> None:
    graph = from_counts(nodes, nodes * degree, 4, 2, directed=True)
    seeds = max(1, int(share * nodes))
    found, drawn = expected_hops(graph, seeds, chosen)
    assert len(found) == len(chosen) + 1 and len(drawn) == len(chosen)
    assert all(math.isfinite(one) and one >= -1e-6 for one in (*found, *drawn))
    assert found[0] == seeds
    assert sum(found) <= nodes * (1 + 1e-9)
    assert sum(drawn) <= graph.num_edges * (1 + 1e-9), "a node draws its edges once"
    for hop, (before, edges) in enumerate(zip(found, drawn, strict=False)):
        if chosen[hop] >= 0:
            assert edges <= before * chosen[hop] * (1 + 1e-9)
        assert found[hop + 1] <= edges * (1 + 1e-9), "each new node was found over an edge"


@given(st.integers(100, 10**5), st.integers(1, 30), st.integers(1, 90), st.integers(1, 20))
def test_wider_fanouts_and_more_seeds_find_more(nodes: int, degree: int, seeds: int, fanout: int) -> None:
    graph = from_counts(nodes, nodes * degree, 4, 2, directed=True)

    def total(count: int, width: int) -> float:
        return sum(expected_hops(graph, count, (width, width))[0])

    assert total(seeds, fanout) <= total(seeds, fanout + 1) * (1 + 1e-9)
    assert total(seeds, fanout) <= total(seeds + 1, fanout) * (1 + 1e-9)


def random_graph(nodes: int, degree: int, hubs: bool) -> Any:
    rng = np.random.default_rng(7)
    weight = np.exp(rng.normal(0, 1.2 if hubs else 0.01, nodes))
    ends = rng.choice(nodes, size=(2, nodes * degree // 2), p=weight / weight.sum())
    edge_index = np.concatenate([ends, ends[::-1]], axis=1)
    colptr, row, _ = build_csc(edge_index, nodes)
    facts = from_counts(nodes, nodes * degree // 2, 4, 2, directed=False)
    facts = facts.model_copy(update={"degrees": measured_degrees(np.diff(colptr)), "num_edges": edge_index.shape[1]})
    return facts, NeighborKernel(colptr, row, nodes)


@pytest.mark.parametrize("hubs", [False, True])
@pytest.mark.parametrize("degree", [4, 20])
@pytest.mark.parametrize("chosen", [(10, 5), (15, 10, 5), (-1,), (25, 10)])
@pytest.mark.parametrize("seeds", [64, 1024])
def test_close_to_drawn_batches(hubs: bool, degree: int, chosen: tuple[int, ...], seeds: int) -> None:
    facts, kernel = random_graph(20_000, degree, hubs)
    rng = np.random.default_rng(1)
    batches = []
    for seed in range(4):
        hops = kernel.sample(rng.choice(20_000, seeds, replace=False), chosen, seed)
        batches.append(DrawnHops(tuple(hops.num_sampled_nodes), tuple(hops.num_sampled_edges)))
    nodes, edges = mean_hops(batches)
    expected_nodes, expected_edges = expected_hops(facts, seeds, chosen)
    assert sum(expected_nodes) == pytest.approx(sum(nodes), rel=STATED_TOLERANCE)
    assert sum(expected_edges) == pytest.approx(sum(edges), rel=STATED_TOLERANCE)


def test_steps_have_one_layer_per_hop_input_side_first() -> None:
    nodes, edges = [10.0, 30.0, 50.0], [40.0, 60.0]
    trimmed = step_shape(nodes, edges, trim=True)
    assert [(one.num_sources, one.num_targets, one.num_edges) for one in trimmed.layers] == [
        (90, 40, 100),
        (40, 10, 40),
    ]
    whole = step_shape(nodes, edges, trim=False)
    assert [(one.num_sources, one.num_targets, one.num_edges) for one in whole.layers] == [(90, 90, 100)] * 2
    assert trimmed.seeds == whole.seeds == 10
    assert (trimmed.input_nodes, trimmed.input_edges) == (90, 100)


def test_mean_and_largest_of_drawn_batches() -> None:
    drawn = [DrawnHops((2, 4), (6,)), DrawnHops((2, 8), (10,))]
    assert mean_hops(drawn) == ([2, 6], [8])
    assert largest_hops(drawn) == ([2, 8], [10])


def test_real_blocks_have_the_forecast_shape(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    """What ``step_shape`` says of a drawn batch is what ``BlockMaker`` makes of it."""
    import torch
    from torch_geometric.data import Data
    from torch_geometric.sampler import NodeSamplerInput

    from techniques.sampling.loading import BlockMaker, neighbor_sampler

    stored = tiny()
    facts = profiled(stored)
    job = make_job(facts, stored, spec_for(facts, {"sampling": "full_batch", "architecture": "sage"}, hidden=8))
    out = neighbor_sampler(job.structure, (3, 2)).sample_from_nodes(NodeSamplerInput(None, torch.arange(9)), seed=1)
    data = Data(n_id=out.node, edge_index=torch.stack([out.row, out.col]), y=torch.zeros(out.node.numel()))
    data.num_sampled_nodes, data.num_sampled_edges, data.batch_size = out.num_sampled_nodes, out.num_sampled_edges, 9
    for trim in (True, False):
        blocks = BlockMaker(True, trim).batch(data, job.features).blocks
        shape = step_shape(out.num_sampled_nodes, out.num_sampled_edges, trim)
        for block, layer in zip(blocks, shape.layers, strict=True):
            assert (block.num_sources, block.num_targets) == (layer.num_sources, layer.num_targets)
            assert block.num_edges == layer.num_edges
