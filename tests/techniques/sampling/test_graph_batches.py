"""Batches of whole graphs: every graph once an epoch, at even cost where that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.proposal import check
from techniques import options
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.sampling.graph_batches import EvenBatches, FixedBatches
from techniques.sampling.graph_cuts import bounded_runs, even_cuts


@settings(max_examples=200)
@given(costs=st.lists(st.integers(0, 500), min_size=1, max_size=60), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_even_cuts_lose_nothing_and_are_even(costs: list[int], share: float, seed: int) -> None:
    cost = np.array(costs)
    steps = max(1, round(share * cost.size))
    order = np.random.default_rng(seed).permutation(cost.size)
    runs = even_cuts(order, cost, steps)
    assert len(runs) == steps and all(run.size for run in runs)
    assert np.array_equal(np.concatenate(runs), order)
    if steps <= cost.size // 8 and cost.min() > 0.5 * cost.max():
        # Both ends are off by half a graph at most.
        assert max(abs(cost[run].sum() - cost.sum() / steps) for run in runs) <= cost.max() + 1


@settings(max_examples=100)
@given(nodes=st.lists(st.integers(0, 50), max_size=40), most=st.integers(1, 120))
def test_runs_are_bounded_by_nodes(nodes: list[int], most: int) -> None:
    sizes = np.array(nodes, np.int64)
    graphs = np.arange(sizes.size)
    runs = list(bounded_runs(graphs, sizes, most))
    assert np.array_equal(np.concatenate([*runs, np.empty(0, np.int64)]), graphs)
    assert all(sizes[run].sum() <= most or run.size == 1 for run in runs)


@pytest.mark.parametrize("representation", ["csr", "coo"])
@pytest.mark.parametrize("sampling", ["graph_batch", "dynamic_batch", "full_batch"])
def test_every_training_graph_is_seen_once_an_epoch(
    sampling: str, representation: str, tiny_set: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    stored = tiny_set()
    facts = profiled(stored)
    chosen = {"sampling": sampling, "representation": representation, "architecture": "gin"}
    job = make_job(facts, stored, spec_for(facts, chosen, batch_size=7, batch_cost=40))
    sizes, pointer = torch.from_numpy(np.diff(stored.read("graph_ptr"))), stored.read("graph_ptr")
    train = job.masks["train"].nonzero().flatten()
    orders = []
    for _ in range(2):
        batches = list(job.moved_batches())
        assert sorted(torch.cat([one.graph_ptr.diff() for one in batches]).tolist()) == sorted(sizes[train].tolist())
        assert sorted(torch.cat([one.y for one in batches]).tolist()) == sorted(job.labels[train].tolist())
        assert sum(one.x.size(0) for one in batches) == int(sizes[train].sum())
        orders.append(torch.cat([one.x[:, 0] for one in batches]).tolist())
    assert (orders[0] == orders[1]) == (sampling == "full_batch"), "epochs are shuffled anew"
    rows = np.concatenate([stored.read("x")[pointer[g] : pointer[g + 1], 0] for g in train.tolist()])
    assert sorted(orders[0]) == pytest.approx(sorted(rows.tolist()))


def test_batches_do_not_mix_graphs(tiny_set: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    """A graph's answer is the same alone and beside others."""
    stored = tiny_set()
    facts = profiled(stored)
    job = make_job(facts, stored, spec_for(facts, {"sampling": "graph_batch", "architecture": "gin"}, hidden=8))
    together = job.predict()
    alone = torch.cat([job.predict(torch.tensor([graph])) for graph in range(facts.graph.num_graphs)])
    assert together.shape == (40, 3)
    assert torch.allclose(together, alone, atol=1e-5)


def test_other_samplers_say_why_not(make_facts: Any, spec_for: Any) -> None:
    from planner.inspect.estimate import from_counts

    facts = make_facts(from_counts(5000, 20_000, 8, 3, directed=False, num_graphs=200))
    usable = {}
    for one in options(Slot.SAMPLING):
        verdict = check(facts, spec_for(facts, {"sampling": one.name, "architecture": "gin"}))
        usable[one.name] = verdict.usable
        assert verdict.usable or verdict.reasons[0].fact == "task"
    assert {name for name, fine in usable.items() if fine} == {"full_batch", "graph_batch", "dynamic_batch"}
    nodes = make_facts()
    for name in ("graph_batch", "dynamic_batch"):
        assert not check(nodes, spec_for(nodes, {"sampling": name})).usable


def test_judging_a_small_set_takes_its_larger_split_and_at_most_the_whole_set(make_facts: Any, spec_for: Any) -> None:
    from planner.inspect.estimate import from_counts
    from techniques.forecast import Phase

    facts = make_facts(from_counts(8000, 32_000, 8, 3, directed=False, num_graphs=400))
    needs = []
    for val, test in ((4, 4), (4, 200), (200, 4), (396, 4)):
        labels = facts.graph.labels.model_copy(update={"val": val, "test": test})
        held = facts.model_copy(update={"graph": facts.graph.model_copy(update={"labels": labels})})
        spec = spec_for(held, {"sampling": "graph_batch", "architecture": "gin"}, hidden=128)
        needs.append(forecast(spec, held).phases[Phase.EVALUATE].host_peak_bytes)
    few, as_test, as_val, most = needs
    assert few.expected < as_test.expected == as_val.expected < most.expected
    assert few.high == as_val.high == most.high > 2 * few.expected


@pytest.mark.parametrize("variation", [0.0, 0.3, 0.9])
def test_spread_is_that_of_real_batches(variation: float, tiny_set: Any, profiled: Any) -> None:
    rng = np.random.default_rng(0)
    sigma = np.sqrt(np.log(1 + variation**2))
    sizes = np.maximum(2, np.round(40 * np.exp(rng.normal(-sigma * sigma / 2, sigma, 800)))).astype(int)
    graph = profiled(tiny_set(num_graphs=800, sizes=sizes)).graph
    plain, even = FixedBatches(1, 0, False, batch_size=40), EvenBatches(1, 0, False, cost="nodes", batch_cost=1600)
    measured: dict[str, list[int]] = {"plain": [], "even": []}
    train = rng.permutation(800)[:640]
    for _ in range(40):
        order = rng.permutation(640)
        measured["plain"] += [int(sizes[train][order[start : start + 40]].sum()) for start in range(0, 640, 40)]
        cuts = even_cuts(order, sizes[train], even.steps(graph)[0])
        measured["even"] += [int(sizes[train][run].sum()) for run in cuts]
    for name, batches in (("plain", plain), ("even", even)):
        expected, _ = batches.spread(graph.graph_set, graph)
        assert expected == pytest.approx(np.std(measured[name]), rel=0.35, abs=18)  # equal graphs may be cut exactly


def test_more_cost_a_step_is_fewer_steps(make_facts: Any, spec_for: Any) -> None:
    from planner.inspect.estimate import from_counts

    facts = make_facts(from_counts(50_000, 200_000, 8, 3, directed=False, num_graphs=1000))
    steps = [
        forecast(spec_for(facts, {"sampling": "dynamic_batch", "architecture": "gin"}, batch_cost=cost), facts)
        for cost in (500, 5000, 10**9)
    ]
    assert [one.steps_per_epoch for one in steps] == [80, 8, 1]
