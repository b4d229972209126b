"""Expected batch sizes: bounded by the graph, and close in mean and 99th percentile to batches really drawn."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.inspect.degrees import measured_degrees
from planner.inspect.estimate import from_counts
from planner.inspect.mixing import with_mixing
from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.shapes import drawn_sizes, expected_hops, hop_sizes, largest_hops, mean_hops, step_shape
from techniques.step_shape import DrawnHops

STATED_TOLERANCE = 0.15
"""What a forecast from the degree histogram may be off, where nodes are joined at random."""

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


def drawn_batches(kernel: Any, num_nodes: int, seeds: int, chosen: tuple[int, ...], count: int) -> list[DrawnHops]:
    rng = np.random.default_rng(1)
    batches = []
    for seed in range(count):
        hops = kernel.sample(rng.choice(num_nodes, seeds, replace=False), chosen, seed)
        batches.append(DrawnHops(tuple(hops.num_sampled_nodes), tuple(hops.num_sampled_edges)))
    return batches


@pytest.mark.parametrize("hubs", [False, True])
@pytest.mark.parametrize("degree", [4, 20])
@pytest.mark.parametrize("chosen", [(10, 5), (15, 10, 5), (-1,), (25, 10)])
@pytest.mark.parametrize("seeds", [64, 1024])
def test_close_to_drawn_batches(hubs: bool, degree: int, chosen: tuple[int, ...], seeds: int) -> None:
    facts, kernel = random_graph(20_000, degree, hubs)
    batches = drawn_batches(kernel, 20_000, seeds, chosen, 40)
    said, seen = hop_sizes(facts, seeds, chosen), drawn_sizes(batches)
    for ours, theirs in ((said.mean_nodes, seen.mean_nodes), (said.high_nodes, seen.high_nodes)):
        assert list(accumulate(ours)) == pytest.approx(list(accumulate(theirs)), rel=STATED_TOLERANCE)
    for ours, theirs in ((said.mean_edges, seen.mean_edges), (said.high_edges, seen.high_edges)):
        assert list(accumulate(ours)) == pytest.approx(list(accumulate(theirs)), rel=STATED_TOLERANCE)


def test_spread_is_that_of_drawn_batches() -> None:
    """Without closures to guess, the standard deviations come out too, not only percentiles near the mean."""
    facts, kernel = random_graph(20_000, 20, hubs=True)
    none = {"closure": 0.0, "square_closure": 0.0}
    degrees = measured_degrees(np.diff(kernel._colptr)).model_copy(update=none)
    said = hop_sizes(facts.model_copy(update={"degrees": degrees}), 100, (10, 5))
    seen = drawn_sizes(drawn_batches(kernel, 20_000, 100, (10, 5), 400))
    ours = [sum(said.high_nodes) - sum(said.mean_nodes), sum(said.high_edges) - sum(said.mean_edges)]
    theirs = [sum(seen.high_nodes) - sum(seen.mean_nodes), sum(seen.high_edges) - sum(seen.mean_edges)]
    assert ours == pytest.approx(theirs, rel=0.25)


def test_a_batch_of_all_nodes_has_one_size() -> None:
    facts, kernel = random_graph(2_000, 6, hubs=True)
    sizes = hop_sizes(facts, 2_000, (3,))
    only = kernel.sample(np.arange(2_000), (3,), 0)
    assert sizes.mean_nodes == [2_000, 0] and sizes.high_nodes == [2_000, 0]
    assert sizes.high_edges == sizes.mean_edges == pytest.approx(only.num_sampled_edges)


@given(st.integers(2, 10**6), st.integers(0, 40), st.integers(1, 5000), fanouts, st.booleans())
def test_high_sizes_are_never_below_the_mean(
    nodes: int, degree: int, seeds: int, chosen: list[int], both: bool
) -> None:
    sizes = hop_sizes(from_counts(nodes, nodes * degree, 4, 2, directed=not both), seeds, chosen)
    for mean, high in ((sizes.mean_nodes, sizes.high_nodes), (sizes.mean_edges, sizes.high_edges)):
        for total, most in zip(accumulate(mean), accumulate(high), strict=True):
            assert math.isfinite(most) and most >= total - 1e-6 * max(total, 1.0)
    assert sum(sizes.high_nodes) <= nodes * (1 + 1e-9)


def test_measured_blocks_know_who_meets_whom() -> None:
    """Customers and a few shops: their degrees alone make hops look several times wider than they are."""
    rng = np.random.default_rng(3)
    customers, shops = 5_000, 100
    ends = np.stack([np.repeat(np.arange(customers), 4), customers + rng.integers(0, shops, 4 * customers)])
    edge_index = np.concatenate([ends, ends[::-1]], axis=1)
    colptr, row, _ = build_csc(edge_index, customers + shops)
    degrees = measured_degrees(np.diff(colptr))
    facts = from_counts(customers + shops, ends.shape[1], 4, 2, directed=False)
    mixed = with_mixing(degrees, edge_index, np.diff(colptr), True)
    kernel = NeighborKernel(colptr, row, customers + shops)
    seen = drawn_sizes(drawn_batches(kernel, customers + shops, 200, (5, 5), 40))
    said = hop_sizes(facts.model_copy(update={"degrees": mixed}), 200, (5, 5))
    guessed = hop_sizes(facts.model_copy(update={"degrees": degrees}), 200, (5, 5))
    assert said.mean_nodes == pytest.approx(seen.mean_nodes, rel=0.1)
    assert guessed.mean_nodes[1] > 1.5 * seen.mean_nodes[1]


def test_seeds_have_the_degrees_of_training_nodes() -> None:
    """Only hubs are trained on: the first hop is theirs."""
    rng = np.random.default_rng(3)
    hubs = np.repeat(np.arange(20), 50)
    edge_index = np.stack([20 + rng.integers(0, 2_000, hubs.size), hubs])
    in_degrees = np.bincount(hubs, minlength=2_020)
    degrees = with_mixing(measured_degrees(in_degrees), edge_index, in_degrees, False, np.arange(20))
    facts = from_counts(2_020, hubs.size, 4, 2, directed=True).model_copy(update={"degrees": degrees})
    assert hop_sizes(facts, 5, (10,)).mean_edges == pytest.approx([50])


def test_high_sizes_of_drawn_batches_add_up_to_those_of_their_totals() -> None:
    drawn = [DrawnHops((2, 4), (6,)), DrawnHops((2, 8), (10,))]
    sizes = drawn_sizes(drawn)
    assert (sizes.mean_nodes, sizes.mean_edges) == ([2, 6], [8])
    assert sizes.high_nodes == pytest.approx([2, 6 + 2.326 * math.sqrt(8)])
    assert sizes.high_edges == pytest.approx([8 + 2.326 * math.sqrt(8)])
    with pytest.raises(ValueError, match="at least 1 batch"):
        drawn_sizes([])


def test_forecasts_load_no_numpy() -> None:
    code = "import sys, techniques.sampling.shapes; assert not {'numpy', 'torch', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


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
