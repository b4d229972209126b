"""A training that is killed and goes on is the same training, to the last bit."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.history import read_history
from techniques.errors import TrialFailedError
from techniques.remote.source.folder import spill
from tuner.final import UNLIMITED_SECONDS, final_measurement, forecast_interval, runners_up, train_winner
from tuner.folder import RunFolder, write_text
from tuner.ingest import ingest
from tuner.records import Trial, TrialState, Winner
from tuner.runner import Runner

CASES = [
    ("communities", {"sampling": "full_batch", "architecture": "gcn"}, {}),
    ("communities", {"sampling": "neighbor", "architecture": "sage"}, {"prefetch": 2, "batch_size": 8}),
    ("communities", {"sampling": "cluster", "architecture": "gat"}, {}),
    ("communities", {"sampling": "graph_saint", "architecture": "sage"}, {"batch_size": 8}),
    ("films", {"sampling": "neighbor", "architecture": "hetero_sage"}, {"batch_size": 8}),
    ("molecules", {"sampling": "graph_batch"}, {"batch_size": 8}),
]


@pytest.fixture
def graph_named(community_file: Path, films: Any, tiny_set: Any, tmp_path: Path) -> Any:
    """``graph_named("films")``: one graph, one of several types, or a set of graphs, in a folder."""

    def build(name: str) -> Any:
        if name == "molecules":
            return spill(tiny_set(), tmp_path / "graph")
        return ingest(films(scale=4) if name == "films" else str(community_file), tmp_path / "graph")

    return build


@pytest.mark.parametrize(("name", "fix", "settings"), CASES, ids=str)
def test_a_killed_training_goes_on_to_the_same_bits(
    name: str, fix: Any, settings: Any, server: Runner, graph_named: Any, tmp_path: Path
) -> None:
    import torch

    graph = graph_named(name)
    made = plan(str(graph.path), fix=fix, set={**settings, "dropout": 0.5})
    assert made.best is not None
    training = made.best.spec.training.model_copy(update={"max_epochs": 9})
    spec = made.best.spec.model_copy(update={"training": training})

    def train(folder: str, progress: Any = lambda event: None) -> Any:
        run = RunFolder(tmp_path / folder)
        return final_measurement(server, run, made.facts, spec, str(graph.path), UNLIMITED_SECONDS, None, progress)

    def kill(event: Any) -> None:
        if event["event"] == "epoch" and event["epoch"] >= 4:
            os.kill(server._child or 0, signal.SIGKILL)

    whole = train("whole")
    assert train("killed", kill).state is TrialState.KILLED
    assert (tmp_path / "killed" / "final" / "checkpoint.pt").is_file()
    assert not (tmp_path / "killed" / "final" / "model.pt").exists()
    resumed = train("killed")
    assert [one.metric for one in resumed.history] == [one.metric for one in whole.history]
    assert [one.loss for one in resumed.history] == [one.loss for one in whole.history]
    for name in ("model.pt", "checkpoint.pt"):
        first, second = (torch.load(tmp_path / one / "final" / name, weights_only=True) for one in ("whole", "killed"))
        key = "state_dict" if name == "model.pt" else "model"
        assert all(torch.equal(first[key][one], second[key][one]) for one in first[key]), name
    environment = json.loads((tmp_path / "killed" / "final" / "environment.json").read_text())
    assert environment["packages"]["torch"].startswith(torch.__version__.split("+")[0])
    assert environment["seed"] == spec.training.seed
    assert environment["torch_threads"] >= 1


def test_evaluations_do_not_follow_the_clock(community_file: Path) -> None:
    made = plan(str(community_file))
    assert made.best is not None
    assert 1 <= forecast_interval(made.facts, made.best.spec) <= 10


def test_one_kill_goes_on_and_another_spec_takes_the_place_only_when_complete(
    community_file: Path, tmp_path: Path, measured: Any
) -> None:
    made, run = plan(str(community_file)), RunFolder(tmp_path)
    heard: list[tuple[str, TrialState]] = []

    class Told:
        """A runner whose trainings end as ``states`` says; a child leaves its checkpoint, and a model once complete."""

        def measure(self, request: Any, progress: Any) -> Any:
            state, place = states.pop(0), Path(request.folder)
            heard.append((place.name, state))
            (place / "checkpoint.pt").touch()
            if state is TrialState.COMPLETE:
                (place / "model.pt").write_text(str(request.spec))
            return measured(0.5) if state is TrialState.COMPLETE else measured(state=state, reason="gone")

    def train(number: int) -> TrialState:
        spec = made.candidates[number].spec
        return final_measurement(Told(), run, made.facts, spec, "", 60.0, None).state  # type: ignore[arg-type]

    states = [TrialState.KILLED, TrialState.COMPLETE]
    assert train(0) is TrialState.COMPLETE
    trained = {name: (run.final / name).read_text() for name in ("model.pt", "measurement.json", "spec.txt")}
    states = [TrialState.KILLED, TrialState.KILLED, TrialState.OUT_OF_MEMORY]
    assert (train(0), train(1)) == (TrialState.KILLED, TrialState.OUT_OF_MEMORY)
    assert {name: (run.final / name).read_text() for name in trained} == trained
    states = [TrialState.COMPLETE]
    assert train(1) is TrialState.COMPLETE
    assert (run.final / "model.pt").read_text() == str(made.candidates[1].spec)
    assert not run.next_final.exists()
    assert [name for name, _ in heard] == ["final"] * 4 + ["final.next"] * 2


@pytest.fixture
def searched(community_file: Path, tmp_path: Path, measured: Any) -> tuple[RunFolder, Winner]:
    """A run with a winner and three verified candidates."""
    made = plan(str(community_file))
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": str(community_file)}, "", resume=False)
    made.save(folder.plan)
    for number, one in enumerate(made.candidates[:3], start=1):
        folder.new_trial_folder(number)
        folder.keep_trial(
            Trial(
                number=number,
                purpose="verify",
                family=one.name,
                spec=one.spec,
                predicted=one,
                measured=measured(0.5),
                score=float(number),
            )
        )
    winner = Winner(family=made.candidates[0].name, spec=made.candidates[0].spec, reason="fastest")
    write_text(folder.best, winner.model_dump_json())
    return folder, winner


def test_a_winner_that_runs_out_of_memory_steps_down_to_the_next(
    searched: Any, monkeypatch: Any, measured: Any, tmp_path: Path
) -> None:
    monkeypatch.delenv("GNNFIT_HISTORY", raising=False)
    monkeypatch.setenv("GNNFIT_HOME", str(tmp_path / "home"))
    folder, winner = searched
    tried: list[Any] = []

    def train(runner: Any, folder: Any, facts: Any, spec: Any, *ignored: Any) -> Any:
        tried.append(spec)
        if len(tried) == 1:
            return measured(state=TrialState.OUT_OF_MEMORY, reason="used 3 bytes, limit 2")
        return measured(0.7)

    monkeypatch.setattr("tuner.final.final_measurement", train)
    heard: list[Any] = []
    assert train_winner(folder, None, heard.append).metric == 0.7
    assert tried == [winner.spec, runners_up(folder, winner)[0].spec]
    assert heard == [{"event": "stepped_down", "family": winner.family, "reason": "used 3 bytes, limit 2"}]
    assert folder.winner().spec == tried[1]
    assert winner.family in folder.winner().reason
    (row,) = read_history()
    predicted = next(one.predicted.forecast for one in folder.finished_trials() if one.spec == tried[1])
    assert row["epochs"] == [predicted.epochs_to_converge.expected, measured(0.7).epochs]
    monkeypatch.setattr("tuner.final.final_measurement", lambda *a: measured(state=TrialState.KILLED, reason="gone"))
    with pytest.raises(TrialFailedError, match="killed: gone"):
        train_winner(folder, None, heard.append)
    assert {one["reason"] for one in heard[1:]} == {"gone"}, "a kernel without memory kills"


def test_a_candidate_that_fails_for_another_reason_is_not_stepped_over(
    searched: Any, monkeypatch: Any, measured: Any
) -> None:
    folder, _ = searched
    monkeypatch.setattr("tuner.final.final_measurement", lambda *a: measured(state=TrialState.FAILED, reason="a bug"))
    heard: list[Any] = []
    with pytest.raises(TrialFailedError, match="a bug"):
        train_winner(folder, None, heard.append)
    assert heard == []
