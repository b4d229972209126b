"""``gnnfit tune`` end to end, and what is left of it after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from techniques.errors import GraphError, InputError
from techniques.facts import Goal
from tuner.api import run, tune
from tuner.bench import Bench
from tuner.cli import main
from tuner.folder import RunFolder
from tuner.records import TrialState, TuneReport
from tuner.report.text import report_text
from tuner.study import open_study

FILES = {
    *("spec.toml", "manifest.json", "plan.json", "study.journal", "events.jsonl", "run.lock", "trials", "best.json"),
    *("command.txt", "report.html", "report.json", "report.txt", "final"),
}
PATIENCE = 90.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: Any) -> tuple[Path, TuneReport]:
    """The real Karate Club graph that ships inside PyG, tuned by the real command."""
    run = Path(tmp_path_factory.mktemp("runs")) / "karate"
    done = _gnnfit("tune", "pyg:KarateClub", "--budget", "60s", "--trials", "4", "--out", str(run), "--json")
    assert done.returncode == 0, done.stderr
    assert "finished:" in done.stderr
    return run, TuneReport.model_validate_json(done.stdout)


def test_a_report_names_winner_baseline_and_trials(finished: Any) -> None:
    _, report = finished
    assert report.winner.family == report.final.family
    assert report.winner.spec == report.final.spec
    assert report.final.measured.state is TrialState.COMPLETE
    assert report.final.measured.test_metric is not None
    assert 1 <= sum(trial.purpose == "search" for trial in report.trials) <= 4
    assert report.baseline is not None
    assert report.baseline.family == "pyg-default"
    assert [trial.number for trial in report.trials] == list(range(1, len(report.trials) + 1))


def test_a_run_folder_holds_everything(finished: Any) -> None:
    run, report = finished
    assert {one.name for one in run.iterdir()} >= FILES
    assert {one.name for one in (run / "final").iterdir()} >= {"model.pt", "predictions.pt", "checkpoint.pt"}
    assert len(list((run / "trials").glob("*/trial.json"))) == len(report.trials)
    assert tomllib.loads((run / "spec.toml").read_text())["graph"] == "pyg:KarateClub"
    assert "gnnfit tune pyg:KarateClub" in (run / "command.txt").read_text()
    assert not list(run.rglob("*.part"))
    states = {trial.state.name for trial in open_study(run / "study.journal").trials}
    assert "RUNNING" not in states
    assert "FAIL" not in states


def test_a_finished_run_is_reported_and_not_run_again(finished: Any, capsys: Any) -> None:
    run, report = finished
    assert main(["report", str(run), "--json"]) == 0
    assert TuneReport.model_validate_json(capsys.readouterr().out) == report
    assert main(["report", str(run)]) == 0
    assert report.winner.family in capsys.readouterr().out
    trials = {file: file.stat().st_mtime_ns for file in run.glob("trials/*/trial.json")}
    arguments = ["tune", "pyg:KarateClub", "--budget", "60s", "--trials", "4", "--out", str(run), "--json"]
    assert main([*arguments, "--resume"]) == 0
    assert TuneReport.model_validate_json(capsys.readouterr().out) == report
    assert {file: file.stat().st_mtime_ns for file in run.glob("trials/*/trial.json")} == trials


def test_other_arguments_and_no_resume_are_refused(finished: Any, capsys: Any) -> None:
    run, _ = finished
    arguments = ["tune", "pyg:KarateClub", "--budget", "60s", "--trials", "4", "--out", str(run)]
    assert main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    for change in (["--trials", "5"], ["--budget", "61s"], ["--set", "hidden=8"], ["--optimize", "memory"]):
        assert main([*arguments, *change, "--resume"]) == 2
        assert "changed (" in capsys.readouterr().err


def test_a_run_that_is_held_is_refused(finished: Any, capsys: Any) -> None:
    run, _ = finished
    arguments = ["tune", "pyg:KarateClub", "--budget", "60s", "--trials", "4", "--out", str(run)]
    before = (run / "events.jsonl").read_bytes()
    with RunFolder(run).locked():
        for command in (arguments, [*arguments, "--resume"], ["run", str(run)]):
            assert main(command) == 75
            captured = capsys.readouterr()
            assert captured.err.count("\n") == 1
            assert captured.out == ""
    assert (run / "events.jsonl").read_bytes() == before


def test_the_winner_can_be_run_again(finished: Any, capsys: Any, one_server: None) -> None:
    run, _ = finished
    (run / "final" / "checkpoint.pt").unlink()
    assert main(["run", str(run), "--epochs", "5", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["state"], measured["epochs"]) == ("complete", 5)
    assert measured["test_metric"] is not None


def test_the_winner_on_a_generated_graph_can_be_run_again(tmp_path: Path, monkeypatch: Any, one_server: None) -> None:
    """Its graph lies in the cache, not in the run folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    report = tune("like:cora@0.2", out=tmp_path / "run", budget_seconds=10.0, trials=1)
    assert report.final.measured.state is TrialState.COMPLETE
    monkeypatch.chdir(tmp_path / "cache")
    assert run(tmp_path / "run").state is TrialState.COMPLETE


@pytest.fixture
def started(community_file: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``started(*more)``: a tuner in a process of its own, and its run folder."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*more: str) -> tuple[subprocess.Popen[bytes], Path, list[str]]:
        run = tmp_path / "run"
        arguments = ["tune", str(community_file), "--budget", "25s", "--trials", "3", "--out", str(run), *more]
        process = subprocess.Popen(_command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        running.append(process)
        return process, run, arguments

    yield start
    for process in running:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def test_a_killed_run_goes_on_and_loses_no_trial(started: Any, capsys: Any) -> None:
    process, run, arguments = started()
    _until(lambda: (run / "trials" / "0001" / "trial.json").is_file())
    _until(lambda: len(_children(process)) >= 2)
    children = _children(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE], "orphans"
    kept = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in run.glob("trials/*/trial.json")}
    assert kept
    assert main([*arguments, "--resume", "--json"]) == 0
    report = TuneReport.model_validate_json(capsys.readouterr().out)
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in kept} == kept
    searched = Counter(trial.spec.model_dump_json() for trial in report.trials if trial.purpose == "search")
    assert set(searched.values()) == {1}, "no point is measured twice"
    assert len(list(run.glob("trials/*/trial.json"))) == len(report.trials)
    states = [trial.state.name for trial in open_study(run / "study.journal").trials]
    assert "RUNNING" not in states
    elapsed = [event["elapsed_seconds"] for event in map(json.loads, (run / "events.jsonl").read_text().splitlines())]
    assert elapsed == sorted(elapsed), "the clock goes on"


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_and_everything_it_started(started: Any, number: int, code: int) -> None:
    process, run, _ = started()
    _until(lambda: (run / "trials" / "0001").is_dir())
    children = _children(process)
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE], "orphans"
    assert process.stderr is not None
    words = process.stderr.read().decode()
    assert "finished trials are kept" in words
    assert "Traceback" not in words
    assert (run / "plan.json").is_file()
    with RunFolder(run).locked():
        pass


def test_data_in_memory_is_spilled_into_the_run(communities: Any, tmp_path: Path, one_server: None) -> None:
    import torch
    from torch_geometric.data import Data

    arrays = communities()
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items() if key not in ("num_nodes", "edge_index")}
    data = Data(edge_index=torch.from_numpy(arrays["edge_index"]).long(), **tensors)
    heard: list[Any] = []
    report = tune(data, out=tmp_path / "run", trials=1, budget_seconds=6.0, listener=heard.append)
    assert (tmp_path / "run" / "graph" / "edge_index.npy").is_file()
    assert report.final.measured.metric is not None
    assert [event["event"] for event in heard][-1] == "finished"


def test_without_time_for_the_final_training_the_winners_trial_stands(
    community_file: Path, tmp_path: Path, monkeypatch: Any, measured: Any, one_server: None
) -> None:
    asked: list[Any] = []

    def late(*given: Any) -> Any:
        asked.append(given)
        monkeypatch.setattr(Bench, "left", lambda self, share: -1.0)
        return measured(state=TrialState.TIMED_OUT, reason="still in evaluate after 9 s")

    monkeypatch.setattr("tuner.session.final_measurement", late)
    heard: list[Any] = []
    report = tune(str(community_file), out=tmp_path / "run", trials=1, budget_seconds=10.0, listener=heard.append)
    assert len(asked) == 1, "nobody else is tried where no time is left"
    assert report.stopped_by_budget and report.final.spec == report.winner.spec
    assert report.final.measured.history in [one.measured.history for one in report.trials]
    assert "no time was left for the final training" in report_text(report)
    assert [one["reason"] for one in heard if one["event"] == "final_skipped"] == ["still in evaluate after 9 s"]
    assert run(tmp_path / "run", epochs=2).test_metric is not None


def test_a_factory_of_main_is_one_clear_error(tmp_path: Path, capsys: Any, below: Any) -> None:
    run = tmp_path / "a" / "run"
    with pytest.raises(GraphError, match="__main__ or a notebook"):
        tune("__main__:make", out=run)
    assert main(["tune", "__main__:make", "--out", str(run)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert below(tmp_path) == set()


def test_a_limit_that_nothing_fits_is_exit_3_with_the_nearest_change(
    community_file: Path, tmp_path: Path, capsys: Any, below: Any
) -> None:
    arguments = ["tune", str(community_file), "--out", str(tmp_path / "run"), "--host-memory", "1MiB"]
    assert main(arguments) == 3
    captured = capsys.readouterr()
    assert "nearest change" in captured.err
    assert captured.out == ""
    assert below(tmp_path) == set()


def test_a_plan_of_another_graph_or_a_bad_knob_leaves_no_folder(
    community_file: Path, tmp_path: Path, below: Any, tiny: Any
) -> None:
    from planner import plan

    other = plan(str(community_file))
    with pytest.raises(InputError, match="another graph"):
        tune(str(_saved(tiny(), tmp_path / "tiny.npz")), plan=other, out=tmp_path / "run")
    with pytest.raises(InputError):
        tune(str(community_file), set={"fanout": 3}, out=tmp_path / "run")
    with pytest.raises(InputError):
        tune(str(community_file), fix={"sampling": "neighbour"}, out=tmp_path / "run", goal=Goal())
    assert below(tmp_path) == {"tiny.npz"}


def _saved(graph: Any, file: Path) -> Path:
    import numpy as np

    np.savez(file, **graph.arrays)
    return file


def _command(*arguments: str) -> list[str]:
    # A shell's background jobs inherit an ignored SIGINT.
    heard = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    return [sys.executable, "-c", f"{heard}; from tuner.cli import main; sys.exit(main())", *arguments]


def _gnnfit(*arguments: str) -> Any:
    return subprocess.run(_command(*arguments), capture_output=True, text=True, env=dict(os.environ), check=False)


def _children(process: Any) -> list[Any]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
