"""Graphs of several types through measure, a part of a graph, and the warm-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from planner.inspect.graph import profile
from techniques.architecture.hetero.typed import TYPED
from techniques.remote.source import from_object
from tuner.api import measure
from tuner.hetero_warm_up import _arrays
from tuner.records import TrialState
from tuner.subsample import subsample


@pytest.mark.parametrize("architecture", TYPED)
def test_measure_trains_in_a_child(architecture: str, films: Any, one_server: None) -> None:
    data = films(scale=20)
    candidate, measured = measure(data, epochs=2, fix={"architecture": architecture, "hardware": "cpu"})
    assert measured.state is TrialState.COMPLETE and measured.epochs == 2
    assert measured.metric is not None and 0 <= measured.metric <= 1
    assert measured.gemm_flops_per_epoch == pytest.approx(candidate.forecast.gemm_flops_per_epoch.expected, rel=0.05)
    assert measured.thop_macs_forward is not None and measured.thop_macs_forward > 0


def test_a_part_of_a_graph_keeps_its_types(films: Any, tmp_path: Path) -> None:
    data = films(scale=20)
    by = data["movie", "by", "person"]
    by.edge_weight = torch.ones(by.num_edges)  # of one type alone: left out, with a warning
    whole = from_object(data, "films")
    before = profile(whole)
    part = subsample(whole, 0.5, tmp_path / "part")
    after = profile(part)
    assert [one.name for one in after.node_types] == [one.name for one in before.node_types]
    assert [one.columns for one in after.node_types] == [24, 5, 0]
    assert [one.name for one in after.edge_types] == [one.name for one in before.edge_types]
    assert [one.reverse for one in after.edge_types] == [one.reverse for one in before.edge_types]
    assert after.unread_edge_data == before.unread_edge_data != ()
    assert after.num_nodes == before.num_nodes // 2 and after.target_type == "movie"


def test_the_warm_up_has_every_type_and_form(films: Any, profiled: Any) -> None:
    facts = profiled(from_object(films(sparse=True), "films"))
    arrays = _arrays(facts)
    assert arrays["type_names"].tolist() == ["movie", "person", "tag"]
    assert arrays["type_columns"].tolist() == [24, 5, 0]
    assert ("x_data" in arrays) == facts.graph.features.sparse_at_rest
    assert np.unique(arrays["edge_type"]).tolist() == [0, 1, 2, 3]
    assert set(np.unique(arrays["node_type"][arrays["y"] >= 0]).tolist()) == {0}
