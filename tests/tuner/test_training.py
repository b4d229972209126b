"""The loop: why it stops, what it keeps, and that a resumed run is the run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import tuner.training as training
from techniques.assembly import build
from techniques.forecast import Phase
from techniques.job import Job, Training
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import FolderGraph, spill
from tuner.race import Frontier, Race
from tuner.records import Measurement, TrialState
from tuner.training import train


class _Reporter:
    def __init__(self) -> None:
        self.phase: Phase | None = None
        self.seconds = dict.fromkeys(Phase, 0.0)
        self.events: list[dict[str, Any]] = []

    def send(self, event: str, **values: Any) -> None:
        self.events.append({"event": event, **values})

    def enter(self, phase: Phase) -> None:
        self.phase = phase


@pytest.fixture
def bench(communities: Any, profiled: Any, spec_for: Any, request_for: Any, tmp_path: Path) -> Any:
    """``bench(chosen, training values, **limits and request fields)``: train once, give measurement, job and request."""
    stored = ArrayGraph("communities", communities())
    facts = profiled(stored)
    folder = tmp_path / "graph"
    spill(stored, folder)

    def start(chosen: Any = None, values: Any = None, request: Any = None, **others: Any) -> Any:
        spec = spec_for(facts, {"architecture": "sage", "sampling": "full_batch", **(chosen or {})}, hidden=8, layers=2)
        spec = spec.model_copy(
            update={"training": Training.model_validate({**spec.training.model_dump(), **(values or {})})}
        )
        if request is None:
            request = request_for(facts, spec, folder, **others)
        torch.manual_seed(0)
        job = build(Job(spec=spec, facts=facts, stored=FolderGraph(folder), scratch=Path(request.folder)))
        reporter = _Reporter()
        measured = train(job, request, reporter)  # type: ignore[arg-type]
        return measured, job, request, reporter

    return start


def _weights(request: Any) -> dict[str, Any]:
    return torch.load(Path(request.folder) / "checkpoint.pt", weights_only=True)["model"]  # type: ignore[no-any-return]


def test_stops_after_its_epochs(bench: Any) -> None:
    measured, _, _, reporter = bench(epochs=3)
    assert (measured.reason, measured.epochs, measured.state) == ("stopped by epochs", 3, TrialState.COMPLETE)
    assert measured.convergence_seconds is None
    assert measured.history[-1].epoch == 3
    assert [event["epoch"] for event in reporter.events if event["event"] == "epoch"][-1] == 3


def test_stops_when_patience_is_out_and_that_is_convergence(bench: Any) -> None:
    measured, _, _, _ = bench(values={"patience_evaluations": 3, "max_epochs": 400})
    assert measured.reason == "stopped by patience"
    assert measured.convergence_seconds == measured.history[-1].seconds
    best = max(range(len(measured.history)), key=lambda index: measured.history[index].metric)
    assert len(measured.history) == best + 1 + 3, "three evaluations after the first best one"
    assert measured.metric == measured.history[best].metric
    assert "3 evaluations" in measured.stopping_rule


def test_stops_at_the_target(bench: Any) -> None:
    measured, _, _, _ = bench(target=0.4)
    assert measured.reason == "stopped by target"
    assert measured.target_seconds == measured.history[-1].seconds
    assert all(one.metric < 0.4 for one in measured.history[:-1])


def test_stops_once_it_has_lost_the_race(bench: Any) -> None:
    at_once = Frontier(seconds=(1e-6,), metrics=(1.0,))
    measured, _, _, _ = bench(
        race=Race(frontier=at_once, goal_seconds=1e-6, bound_seconds=2e-6, cap_seconds=9.0), epochs=9
    )
    assert (measured.reason, measured.epochs) == ("stopped by race", 1)


def test_stops_when_the_time_is_up_with_something_to_show(bench: Any) -> None:
    measured, _, _, _ = bench(seconds=1e-6, save=True, chosen={"sampling": "neighbor"})
    assert measured.reason == "stopped by time"
    assert measured.epochs == 1
    assert len(measured.history) == 1
    assert measured.test_metric is not None


def test_the_best_weights_are_kept(bench: Any) -> None:
    measured, job, request, _ = bench(values={"learning_rate": 0.3, "patience_evaluations": 10}, save=True)
    mask = job.masks["val"]
    saved = torch.load(Path(request.folder) / "model.pt", weights_only=True)["state_dict"]
    job.model.load_state_dict(saved)
    predicted = job.need("predict")().argmax(1)
    assert float((predicted[mask] == job.labels[mask]).float().mean()) == pytest.approx(measured.metric)
    predictions = torch.load(Path(request.folder) / "predictions.pt", weights_only=True)
    assert torch.equal(predictions["predictions"], predicted)
    test = job.masks["test"]
    assert measured.test_metric == pytest.approx(float((predicted[test] == job.labels[test]).float().mean()))
    assert measured.test_macro_f1 is not None


def test_it_learns(bench: Any) -> None:
    measured, _, _, _ = bench(epochs=60)
    assert measured.metric > 0.8
    assert math.isfinite(measured.flops_per_epoch)


def test_a_loss_that_is_not_a_number_is_said(bench: Any, monkeypatch: Any) -> None:
    right = training.loss_of
    monkeypatch.setattr(training, "loss_of", lambda logits, y, weight, **_: right(logits, y) * math.nan)
    with pytest.raises(FloatingPointError, match="epoch 1: lower the learning rate"):
        bench(epochs=3)


@pytest.mark.parametrize("values", [{}, {"precision": "bf16"}, {"checkpoint_layers": True}, {"accumulate_batches": 3}])
@pytest.mark.parametrize("sampling", ["full_batch", "neighbor"])
def test_a_resumed_run_is_the_run_to_the_last_bit(bench: Any, sampling: str, values: dict[str, Any]) -> None:
    chosen = {"sampling": sampling}
    _, _, whole, _ = bench(chosen, values, epochs=6, checkpoint=True, save=True)
    half, _, request, _ = bench(chosen, values, epochs=3, checkpoint=True, save=True)
    assert half.epochs == 3
    limits = request.limits.model_copy(update={"epochs": 6})
    measured, _, resumed, _ = bench(chosen, values, request=request.model_copy(update={"limits": limits}))
    assert measured.epochs == 6
    first, second = _weights(whole), _weights(resumed)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_resumed_clock_goes_on_and_history_is_kept(bench: Any) -> None:
    before, _, request, _ = bench(epochs=3, checkpoint=True)
    limits = request.limits.model_copy(update={"epochs": 5})
    after, _, _, _ = bench(request=request.model_copy(update={"limits": limits}))
    assert after.history[: len(before.history)] == before.history
    seconds = [one.seconds for one in after.history]
    assert seconds == sorted(seconds)


def test_a_finished_training_is_not_trained_again(bench: Any) -> None:
    before, _, request, _ = bench(epochs=4, checkpoint=True, save=True)
    after, _, _, _ = bench(request=request)
    assert isinstance(after, Measurement)
    assert (after.epochs, after.metric, after.test_metric) == (4, before.metric, before.test_metric)


def test_a_checkpoint_is_never_half_written(bench: Any, monkeypatch: Any) -> None:
    _, _, request, _ = bench(epochs=2, checkpoint=True)
    before = _weights(request)

    def torn(state: Any, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(training.torch, "save", torn)
    limits = request.limits.model_copy(update={"epochs": 3})
    with pytest.raises(OSError, match="disk full"):
        bench(request=request.model_copy(update={"limits": limits}))
    after = _weights(request)
    assert all(torch.equal(before[name], after[name]) for name in before)
