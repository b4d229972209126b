"""What judging a ShaDow network needs follows the graph that it is judged on, not the batches that it was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.inspect.opened import drawer
from techniques.assembly import forecast
from techniques.forecast import Forecast, Phase
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.shadow_k_hop import ego_part

SHADOW = {"sampling": "shadow_k_hop", "architecture": "sage", "representation": "csr"}
SMALL = {"hidden": 16, "layers": 2, "batch_size": 1000, "depth": 2, "num_neighbors": 3}


@pytest.fixture
def forecast_of(tiny: Any, profiled: Any, spec_for: Any) -> Any:
    """``forecast_of(train, drawn, **chosen)``: of 2,000 nodes of which ``train`` are trained on."""

    def build(train: int, drawn: bool = True, **chosen: str) -> Forecast:
        plain = tiny(num_nodes=2_000)
        masks = {f"{split}_mask": np.zeros(2_000, bool) for split in ("train", "val", "test")}
        masks["train_mask"][:train] = masks["val_mask"][-1_000:] = True
        masks["test_mask"][1_000:] = ~masks["val_mask"][1_000:]
        stored = ArrayGraph("tiny", {**plain.arrays, **masks})
        facts = profiled(stored)
        spec = spec_for(facts, {**SHADOW, **chosen}, **SMALL)
        return forecast(spec, facts, drawer(stored, facts.graph) if drawn else None)

    return build


@pytest.mark.parametrize("drawn", [True, False])
def test_few_training_nodes_make_training_and_judging_small(drawn: bool, forecast_of: Any) -> None:
    few, many = forecast_of(20, drawn), forecast_of(1_000, drawn)
    for phase, factor in ((Phase.TRAIN, 3.0), (Phase.EVALUATE, 1.0)):
        less, more = (one.phases[phase].host_peak_bytes.expected - 4e6 for one in (few, many))
        assert factor * less <= more * 1.01
    for one in (few, many):
        assert (
            one.phases[Phase.EVALUATE].host_peak_bytes.expected < one.phases[Phase.TRAIN].host_peak_bytes.expected + 4e6
        )


def test_a_coarse_graph_is_judged_like_the_graph(forecast_of: Any) -> None:
    whole, coarse = forecast_of(1_000), forecast_of(1_000, coarsening="heavy_edge")
    whole_peak, coarse_peak = (one.phases[Phase.EVALUATE].host_peak_bytes.expected for one in (whole, coarse))
    assert coarse_peak == pytest.approx(whole_peak, rel=0.25)


def test_rows_that_edges_lead_to_weigh_more(tiny: Any, profiled: Any, spec_for: Any) -> None:
    """Counterfactual: the same number of non-zeros, but those with neighbours have them all."""

    def batch_bytes(first: int) -> float:
        plain = tiny(num_nodes=300, features="sparse").arrays
        degree = np.bincount(plain["edge_index"][0], minlength=300)
        rank = np.argsort(np.argsort(-degree if first else degree, kind="stable"), kind="stable")
        counts = np.where(rank < 150, 20, 1)
        arrays = {
            "x_indptr": np.concatenate([[0], np.cumsum(counts)]),
            "x_indices": np.concatenate([np.arange(count) for count in counts]).astype(np.int32),
            "x_data": np.ones(counts.sum(), np.float32),
        }
        facts = profiled(ArrayGraph("tiny", {**plain, **arrays}))
        spec = spec_for(facts, {**SHADOW, "representation.features": "csr"}, **SMALL)
        so_far = forecast(spec, facts, None)
        assert so_far.shape is not None
        return ego_part(spec).batch_bytes(so_far, so_far.shape)

    assert batch_bytes(first=1) > 1.3 * batch_bytes(first=0)


def test_any_node_may_be_a_root_in_evaluation(tiny: Any, profiled: Any, spec_for: Any) -> None:
    stored = tiny(num_nodes=300)
    facts = profiled(stored)
    batches = ego_part(spec_for(facts, SHADOW, **SMALL), everyone=True)
    graph = drawer(stored, facts.graph).graph  # type: ignore[attr-defined]
    assert len(np.unique(graph.seeds(1_000, False, 0, everyone=True))) == 300
    half = facts.graph.num_train // 2
    assert batches.seeds(facts.graph, 0.0) == batches.judged_at_once(facts.graph.num_train) == half
    assert batches.draw(graph, 0).nodes[0] >= half
