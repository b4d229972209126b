"""Edge weights and attributes: what the planner is told, refuses and forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.errors import GraphError
from techniques.remote.source.arrays import ArrayGraph
from tuner.metrics import epoch_shapes, flops


def full_batch(architecture: str, form: str, facts: Any) -> Any:
    chosen = {Slot.SAMPLING: "full_batch", Slot.ARCHITECTURE: architecture, Slot.REPRESENTATION: form}
    pinned = {"hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0}
    return make_spec(facts, Pins({**chosen, Slot.HARDWARE: "cpu"}, pinned), {})


@pytest.mark.parametrize("undirected", [True, False])
def test_loops_that_a_layer_replaces_are_no_operations(
    undirected: bool, tiny: Any, profiled: Any, make_job: Any
) -> None:
    stored = tiny(undirected=undirected, edge_columns=2)
    facts = profiled(stored)
    assert facts.graph.self_loops
    spec = full_batch("gat", "coo", facts)
    job = make_job(facts, stored, spec)
    shapes = epoch_shapes(job)
    for batch in job.moved_batches():
        shapes.add(batch)
    assert forecast(spec, facts).gemm_flops_per_epoch.expected == flops(job, shapes).gemm


def with_weights(stored: ArrayGraph, change: Any) -> ArrayGraph:
    return ArrayGraph("changed", {**stored.arrays, "edge_weight": change(stored.arrays["edge_weight"].copy())})


def test_facts_tell_weights_that_differ_by_direction(tiny: Any, profiled: Any) -> None:
    def facts(**kind: Any) -> tuple[bool, bool]:
        graph = profiled(tiny(**kind)).graph
        return graph.edge_weighted, graph.edge_weight_symmetric

    assert facts() == (False, False)
    assert facts(weights="symmetric") == facts(weights="ones") == (True, True)
    assert facts(weights="random") == facts(weights="ones", undirected=False) == (True, False)
    stored = tiny(weights="symmetric")

    def swapped(weight: Any) -> Any:
        weight[[0, 1]] = weight[[1, 0]]  # the same weights in all
        return weight

    assert not profiled(with_weights(stored, swapped)).graph.edge_weight_symmetric


def test_negative_weights_are_refused_where_they_are_read(tiny: Any, profiled: Any) -> None:
    def negative(weight: Any) -> Any:
        weight[3] = -1.5
        return weight

    facts = profiled(with_weights(tiny(weights="random"), negative))
    verdict = check(facts, full_batch("gcn", "coo", facts))
    assert not verdict.usable
    (reason,) = verdict.reasons
    assert (reason.fact, reason.value) == ("least edge_weight", "-1.5") and "root" in reason.text
    for architecture in ("sage", "gin", "gat"):
        assert check(facts, full_batch(architecture, "coo", facts)).usable


def test_what_is_not_read_is_a_warning(tiny: Any, profiled: Any) -> None:
    facts = profiled(tiny(weights="random", edge_columns=2, self_loops=False))
    texts = {one: check(facts, full_batch(one, "coo", facts)).warnings for one in ("gcn", "sage", "gin", "gat")}
    assert [sum("edge_weight" in text for text in texts[one]) for one in texts] == [0, 1, 1, 1]
    assert [sum("edge_attr" in text for text in texts[one]) for one in texts] == [1, 1, 1, 0]
    loops = profiled(tiny(weights="random"))
    assert any("self-loops" in text for text in check(loops, full_batch("gcn", "coo", loops)).warnings)
    plain = profiled(tiny())
    assert not any(check(plain, full_batch(one, "coo", plain)).warnings for one in texts)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("edge_weight", lambda array: array[:-1], "length"),
        ("edge_weight", lambda array: np.stack([array, array], 1), r"\[E\]"),
        ("edge_weight", lambda array: array * np.nan, "finite"),
        ("edge_attr", lambda array: array[:-1], "length"),
        ("edge_attr", lambda array: array[:, :, None], r"\[E, D\]"),
        ("edge_attr", lambda array: array.astype(str), r"\[E, D\]"),
    ],
)
def test_bad_data_is_refused_on_opening(key: str, change: Any, words: str, tiny: Any, profiled: Any) -> None:
    stored = tiny(weights="random", edge_columns=2)
    with pytest.raises(GraphError, match=words):
        profiled(ArrayGraph("bad", {**stored.arrays, key: change(stored.arrays[key])}))


def structure_bytes(facts: Any, architecture: str, form: str = "coo") -> float:
    from techniques.forecast import Place

    found = forecast(full_batch(architecture, form, facts), facts)
    return found.held[(Place.HOST, "structure")].expected


def test_the_structure_weighs_its_data(tiny: Any, profiled: Any, make_job: Any) -> None:
    plain, data = profiled(tiny()), profiled(tiny(weights="random", edge_columns=3))
    edges = data.graph.num_edges
    for architecture, per_edge in (("gcn", 4), ("gat", 12), ("sage", 0)):
        assert structure_bytes(data, architecture) - structure_bytes(plain, architecture) == per_edge * edges
    job = make_job(data, tiny(weights="random", edge_columns=3), full_batch("gat", "coo", data))
    assert job.structure.edges.attr.nbytes == 12 * job.structure.num_edges


def test_a_whole_graphs_block_shares_the_structures_data(tiny: Any, profiled: Any, make_job: Any) -> None:
    stored = tiny(weights="symmetric")
    facts = profiled(stored)
    job = make_job(facts, stored, full_batch("gcn", "csr", facts))
    csr = next(iter(job.batches())).blocks[0].csr
    assert csr.values.data_ptr() == job.structure.edges.weight.ctypes.data


def test_attributes_cost_their_parameters_and_products(tiny: Any, profiled: Any) -> None:
    plain, data = profiled(tiny()), profiled(tiny(edge_columns=3))
    before, after = (forecast(full_batch("gat", "coo", facts), facts) for facts in (plain, data))
    classes = data.graph.labels.num_classes
    assert after.parameters - before.parameters == (3 + 1) * (8 + classes)
    # Forward and the weight's gradient, 2 FLOPs a multiply-add: one score per head.
    added = after.gemm_flops_per_epoch.expected - before.gemm_flops_per_epoch.expected
    assert added == 4 * (data.graph.num_edges - data.graph.self_loops) * 3 * (4 + 1)
