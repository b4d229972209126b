"""Features as float16: which values survive, what rows say, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from planner.inspect.opened import profiled as profiled_graph
from planner.proposal import check
from techniques.errors import GraphError
from techniques.remote.half_rows import features_fit_half, half_rows, survives
from techniques.remote.source.arrays import ArrayGraph

LOSES = [65_520.0, -1e6, 2e-8, -1e-10]
KEEPS = [0.0, 65_500.0, 6e-8, -1.0, float("inf"), float("nan")]


def graph_with(value: float) -> ArrayGraph:
    x = np.ones((6, 3), dtype=np.float32)
    x[4, 1] = value
    edges = np.array([[0, 1], [1, 0]], dtype=np.int32)
    return ArrayGraph("one", {"num_nodes": np.array(6), "edge_index": edges, "x": x, "y": np.arange(6) % 2})


@pytest.mark.parametrize("value", LOSES)
def test_a_value_that_does_not_survive_is_refused(value: float) -> None:
    assert not survives(np.array([[1.0, value]], dtype=np.float32))
    assert features_fit_half(graph_with(value)) is False
    with pytest.raises(GraphError, match="rows 0 to 5") as caught:
        half_rows(graph_with(value), 6)
    assert "representation.features=dense" in caught.value.remedy


@pytest.mark.parametrize("value", KEEPS)
def test_others_survive(value: float) -> None:
    assert survives(np.array([[1.0, value]], dtype=np.float32))
    assert features_fit_half(graph_with(value)) is True


@given(arrays.arrays(np.float32, (7, 3), elements=st.floats(-1000, 1000, width=16)))
def test_rows_are_float32_and_the_whole_is_float16(x: Any) -> None:
    rows = half_rows(ArrayGraph("any", {"num_nodes": np.array(7), "x": x}), 7)
    ids = np.array([3, 0, 3])
    assert rows.rows(ids).dtype == torch.float32 and rows.whole().dtype == torch.float16
    assert torch.equal(rows.rows(ids), torch.from_numpy(x[ids])) and rows.num_features == 3


def test_facts_that_were_checked_decide(make_facts: Any, spec_for: Any) -> None:
    for value, usable in ((1.0, True), (1e6, False)):
        facts = make_facts(profiled_graph(graph_with(value), None, None, check_values=True))
        spec = spec_for(facts, {"representation.features": "half", "sampling": "neighbor"})
        verdict = check(facts, spec)
        assert verdict.usable is usable
        assert not verdict.warnings
    unknown = make_facts(profiled_graph(graph_with(1.0), None, None, check_values=False))
    assert "not checked" in check(unknown, spec).warnings[0]


def test_values_that_do_not_fit_are_the_reason_for_every_sampler(make_facts: Any, spec_for: Any) -> None:
    """Another sampler would not help: the first refusal must not send the user there."""
    for value, text in ((1.0, "a full batch holds every row"), (1e6, "float16 would lose values")):
        facts = make_facts(profiled_graph(graph_with(value), None, None, check_values=True))
        verdict = check(facts, spec_for(facts, {"representation.features": "half", "sampling": "full_batch"}))
        assert text in verdict.reasons[0].text


@pytest.mark.parametrize("architecture", ["gcn", "sage", "gin", "gat"])
def test_inference_in_chunks_is_that_of_float32(
    architecture: str, tiny: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    from techniques.architecture import network

    monkeypatch.setattr(network, "HALF_ROWS_PER_CHUNK", 7)
    stored = tiny(features="float16")
    facts = profiled(stored)
    found = []
    for form in ("half", "dense"):
        chosen = {"representation.features": form, "architecture": architecture, "sampling": "neighbor"}
        job = make_job(facts, stored, spec_for(facts, {**chosen, "representation": "coo"}, hidden=8))
        found.append(job.need("predict")())
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)
