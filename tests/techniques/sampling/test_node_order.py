"""Renumbered nodes: the same training, the same predictions in the graph's own order, and what is forecast for it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.errors import OptionError
from techniques.facts import Task
from techniques.forecast import Phase, Place
from techniques.sampling.node_order import AS_GIVEN, COMMUNITY, RCM, RowReuse, node_order_knob, reuse_gain
from techniques.sampling.renumbered import OrderedRows, RenumberedGraph
from techniques.step_shape import DrawnHops
from tests.covering import covering
from tuner.judge import judge
from tuner.training import train_epoch

GRAPHS: dict[str, dict[str, Any]] = {
    "plain": {},
    "directed": {"undirected": False, "features": "float16"},
    "sparse": {"features": "sparse"},
    "no features": {"features": "none"},
    "multi-label": {"labels": "multi"},
    "weighted": {"weights": "symmetric"},
    "weighted directed": {"weights": "random", "undirected": False},
    "edge attributes": {"edge_columns": 3, "undirected": False},
}


def spec_of(facts: Any, order: str, **chosen: str) -> Any:
    slots = {Slot(name): value for name, value in {"sampling": "full_batch", "hardware": "cpu", **chosen}.items()}
    if chosen.get("architecture") == "gat":
        slots[Slot.REPRESENTATION] = "coo"
    settings: dict[str, Any] = {"node_order": order, "hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0}
    return make_spec(facts, Pins(slots, settings), {})


COVERED = covering(
    product(GRAPHS, ("gcn", "sage", "gat"), (RCM, COMMUNITY)),
    lambda one: one[:2],
    lambda one: one[1:],
    lambda one: one[::2],
)


@pytest.mark.parametrize(("graph", "architecture", "order"), COVERED)
def test_training_and_predictions_are_those_of_the_given_order(
    graph: str, architecture: str, order: str, tiny: Any, profiled: Any, make_job: Any
) -> None:
    stored = tiny(**GRAPHS[graph])
    facts = profiled(stored)
    features = {"representation.features": "csr" if graph == "sparse" else "dense"}
    jobs = [
        make_job(facts, stored, spec_of(facts, name, architecture=architecture, **features))
        for name in (AS_GIVEN, order)
    ]
    assert not np.array_equal(jobs[1].node_order, np.arange(60)), "the order changes something"
    for _ in range(2):
        losses = [train_epoch(job)[0] for job in jobs]
        assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    given, renumbered = (judge(job) for job in jobs)
    for split in ("val", "test"):
        assert renumbered.scores(split) == pytest.approx(given.scores(split), abs=1e-5)
    found, expected = renumbered.predictions(), given.predictions()
    torch.testing.assert_close(found["logits"], expected["logits"], atol=1e-5, rtol=1e-5)
    assert torch.equal(found["predictions"], expected["predictions"])


def test_splits_stay_with_their_nodes(tiny: Any, profiled: Any, make_job: Any) -> None:
    """A seeded split is drawn before nodes are renumbered."""
    stored = tiny()
    facts = profiled(stored)
    given, moved = (make_job(facts, stored, spec_of(facts, name)) for name in (AS_GIVEN, RCM))
    for split, mask in given.masks.items():
        assert torch.equal(moved.as_given(moved.masks[split]), mask)
    assert torch.equal(moved.as_given(moved.labels), given.labels)


def test_features_must_come_after(tiny: Any, profiled: Any, make_job: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    spec = spec_of(facts, RCM)
    last = {slot: name for slot, name in spec.options.items() if slot is not Slot.SAMPLING}
    backwards = spec.model_copy(update={"options": {**last, Slot.SAMPLING: "full_batch"}})
    with pytest.raises(OptionError, match="renumbered before features"):
        make_job(facts, stored, backwards)


def test_rows_are_copied_as_far_as_they_are_asked_for(monkeypatch: Any) -> None:
    from techniques.sampling import renumbered

    monkeypatch.setattr(renumbered, "ROWS_AT_ONCE", 3)
    values, order = np.arange(20, dtype=np.float16).reshape(10, 2), np.random.default_rng(0).permutation(10)
    rows = OrderedRows(values, order)
    assert (rows.shape, rows.ndim, len(rows)) == ((10, 2), 2, 10) and rows.dtype == values.dtype
    assert np.array_equal(rows[2:5], values[order[2:5]])
    assert np.array_equal(rows[np.array([4, 4, 0])], values[order[[4, 4, 0]]])
    assert np.array_equal(np.asarray(rows, dtype=np.float32), values[order].astype(np.float32))


def test_sparse_rows_are_moved_in_pieces(tiny: Any, monkeypatch: Any) -> None:
    from techniques.remote.rows import dense_rows
    from techniques.sampling import renumbered

    monkeypatch.setattr(renumbered, "ROWS_AT_ONCE", 7)
    stored, order = tiny(features="sparse"), np.random.default_rng(0).permutation(60)
    moved = RenumberedGraph(stored, order)
    assert np.array_equal(dense_rows(moved, 60).values, dense_rows(stored, 60).values[order])
    assert moved.headers == stored.headers and moved.name == stored.name


# Refusals


def test_graphs_and_types_are_not_mixed(make_facts: Any) -> None:
    facts = make_facts()
    spec = spec_of(facts, RCM)
    assert check(facts, spec).usable
    sets = make_facts(facts.graph.model_copy(update={"num_graphs": 3}))
    typed = make_facts(facts.graph.model_copy(update={"nodes_by_type": {"a": 5_000, "b": 5_000}}))
    for other in (sets, typed, make_facts(task=Task.GRAPH)):
        assert not check(other, spec).usable
        assert check(other, spec_of(other, AS_GIVEN)).usable or other.task is Task.GRAPH
        assert not node_order_knob(other).tuned


def test_a_coarse_graph_is_not_renumbered(make_facts: Any) -> None:
    from techniques import option

    facts = make_facts()
    spec = spec_of(facts, RCM)
    coarse = spec.model_copy(update={"options": {**spec.options, Slot.COARSENING: "graclus"}})
    assert not option(Slot.SAMPLING, "full_batch").check(facts, coarse).usable


def test_the_tuner_varies_it_where_rows_leave_the_cache(make_facts: Any) -> None:
    assert not node_order_knob(make_facts((10_000, 50_000, 64, 5))).tuned
    assert node_order_knob(make_facts((1_000_000, 5_000_000, 64, 5))).tuned


# Forecasts


def drawn(given: float, ball: float, community: float) -> Any:
    entries = (1000, 1000, 1000)
    rows = tuple(round(1000 * (1 - share)) for share in (given, ball, community))
    return lambda batches: (DrawnHops(rows, entries),) * 6  # type: ignore[arg-type]


def test_what_is_gained_is_what_more_rows_are_found(make_facts: Any) -> None:
    facts = make_facts((1_000_000, 10_000_000, 64, 5))
    plain, moved = (spec_of(facts, order) for order in (AS_GIVEN, COMMUNITY))
    draw = drawn(0.1, 0.3, 0.9)
    before, after = forecast(plain, facts, draw), forecast(moved, facts, draw)
    gathered = 2 * before.aggregation_flops_per_epoch.expected
    threads = 0.5  # one thread of two cores
    saved = 0.8 * gathered / (20e9 * threads)
    gain = before.epoch_seconds.expected - after.epoch_seconds.expected
    assert gain == pytest.approx(saved, rel=1e-6)
    assert 0 < after.epoch_seconds.low <= after.epoch_seconds.expected <= after.epoch_seconds.high
    assert after.phases[Phase.PREPARE].seconds.expected > before.phases[Phase.PREPARE].seconds.expected


def test_nothing_is_gained_where_nothing_was_looked_at_or_measured(make_facts: Any) -> None:
    facts = make_facts((1_000_000, 10_000_000, 64, 5), device=2**34)
    draw = drawn(0.1, 0.3, 0.9)
    for chosen, given in ((spec_of(facts, RCM), None), (spec_of(facts, RCM, hardware="cuda"), draw)):
        plain = chosen.model_copy(update={"settings": {**chosen.settings, "node_order": AS_GIVEN}})
        before, after = (forecast(one, facts, given).epoch_seconds for one in (plain, chosen))
        assert after == before
    assert reuse_gain(drawn(0.9, 0.8, 0.7)(None), COMMUNITY) == 0.0
    directed = make_facts((1_000_000, 10_000_000, 64, 5), directed=True)
    plain, moved = (forecast(spec_of(directed, order), directed, draw) for order in (AS_GIVEN, RCM))
    assert moved.epoch_seconds == plain.epoch_seconds


def test_preparing_needs_room_for_a_second_structure(make_facts: Any) -> None:
    facts = make_facts((100_000, 10_000_000, 1, 5))
    before, after = (forecast(spec_of(facts, order), facts) for order in (AS_GIVEN, RCM))
    peaks = [one.phases[Phase.PREPARE].host_peak_bytes.expected for one in (before, after)]
    structure = before.held[(Place.HOST, "structure")].expected
    assert peaks[1] >= 2 * structure
    assert peaks[1] - peaks[0] < 1.5 * structure
    assert after.held[(Place.HOST, "node order")].expected == 8 * 100_000


def test_reuse_is_drawn_from_the_graph_itself() -> None:
    from techniques.sampling.drawn import DrawnGraph
    from techniques.sampling.kernels import build_csc

    path = np.stack([np.arange(999), np.arange(1, 1000)])
    colptr, row, _ = build_csc(np.concatenate([path, path[::-1]], axis=1), 1000)
    graph = DrawnGraph(colptr, row, np.arange(10))
    found = RowReuse(100).draw(graph, 0)
    assert len(found.nodes) == len(found.edges) == 3
    assert found == RowReuse(100).draw(graph, 0) and RowReuse(100) == RowReuse(100)
    assert 1 - found.nodes[0] / found.edges[0] == pytest.approx(0.5, abs=0.05)
