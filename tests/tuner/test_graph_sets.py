"""Sets of graphs: trained, judged and searched on parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.validate import check_headers, check_structure
from tuner.judge import judge
from tuner.metric_names import NAMES, metric_of
from tuner.regression import regression_quality
from tuner.subsample import character, subsample
from tuner.training import train_epoch


def test_regression_quality_by_hand() -> None:
    y = torch.tensor([[0.0], [2.0], [4.0]])
    found = regression_quality(torch.tensor([[0.0], [2.0], [1.0]]), y)
    assert found == pytest.approx({"mae": 1.0, "rmse": 3**0.5, "r2": 1 - 9 / 8})
    assert regression_quality(y, y)["r2"] == 1.0
    assert set(found) <= set(NAMES)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20), st.integers(0, 9))
def test_better_r2_is_smaller_rmse(values: list[float], seed: int) -> None:
    y = torch.tensor(values).unsqueeze(1)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
    near, far = regression_quality(y + 0.1 * noise, y), regression_quality(y + 10 * noise, y)
    assert near["rmse"] <= far["rmse"] + 1e-6
    if "r2" in near and "r2" in far:
        assert near["r2"] >= far["r2"] - 1e-6


def test_no_graphs_no_scores() -> None:
    assert regression_quality(torch.empty(0, 2), torch.empty(0, 2)) == {}
    assert "r2" not in regression_quality(torch.ones(3, 1), torch.full((3, 1), 2.0))


def learnable(count: int = 300) -> ArrayGraph:
    """The target is the number of nodes plus a tenth; every graph is a path."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 20, count)
    pointer = np.concatenate([[0], np.cumsum(sizes)])
    inner = np.setdiff1d(np.arange(pointer[-1]), pointer[1:] - 1)
    edges = np.concatenate([np.stack([inner, inner + 1]), np.stack([inner + 1, inner])], axis=1).astype(np.int32)
    arrays = {"num_nodes": np.array(pointer[-1]), "edge_index": edges, "graph_ptr": pointer, "y": 50.1 + 3 * sizes}
    return ArrayGraph("paths", {**arrays, "x": np.ones((pointer[-1], 1), np.float32)})


@pytest.mark.parametrize("sampling", ["graph_batch", "dynamic_batch"])
def test_a_regression_is_learnt_in_its_own_unit(sampling: str, profiled: Any, make_job: Any, spec_for: Any) -> None:
    stored = learnable()
    facts = profiled(stored)
    spec = spec_for(facts, {"sampling": sampling, "architecture": "gin"}, hidden=16, layers=2, threads=1)
    job = make_job(facts, stored, spec)
    one = judge(job)
    assert one.metric == metric_of(facts) == "r2"
    before = one.scores("val")
    found = []
    for _ in range(40):
        train_epoch(job)
        found.append(one.scores("test"))
    after = max(found, key=lambda scores: scores["r2"])
    assert after["r2"] > 0.9 > before["r2"]
    assert after["rmse"] < 6 and after["mae"] <= after["rmse"]
    predicted = one.predictions()["predictions"]
    assert predicted.shape == (300, 1) and 30 < float(predicted.mean()) < 130


@pytest.mark.parametrize("labels", ["classes", "target", "multi"])
def test_a_part_keeps_the_character(labels: str, tiny_set: Any, tmp_path: Path) -> None:
    stored = tiny_set(num_graphs=400, labels=labels, weights=True, edge_columns=2)
    stored.arrays["train_mask"] = np.arange(400) < 300
    part = subsample(stored, 0.25, tmp_path / "part")
    check_headers(part)
    check_structure(part)
    whole, kept = character(stored), character(part)
    assert kept["num_graphs"] == 100
    for name in ("nodes_a_graph", "nodes_deviation", "mean_degree"):
        assert kept[name] == pytest.approx(whole[name], rel=0.15), name
    if labels == "classes":
        assert kept["majority_share"] == pytest.approx(whole["majority_share"], abs=0.03)
    assert part.headers["x"].shape[0] == int(part.read("num_nodes"))
    assert part.headers["edge_weight"].shape[0] == part.headers["edge_index"].shape[1]


def test_a_set_is_measured_in_a_child(tmp_path: Path, one_server: None) -> None:
    from tuner.api import measure

    stored = learnable(60)
    np.savez(tmp_path / "paths.npz", **stored.arrays)
    candidate, measured = measure(str(tmp_path / "paths.npz"), epochs=2, set={"threads": 1})
    assert measured.state == "complete" and measured.metric_name == "R2"
    assert set(measured.validation) == {"r2", "mae", "rmse"}
    assert candidate.settings["pool"] == "sum"
