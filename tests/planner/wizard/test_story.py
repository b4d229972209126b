"""A run's folder becomes a story; torn, strange and missing files do not stop it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from planner.wizard.child import default_folder, recent_runs
from planner.wizard.run_text import progress_lines, trial_lines
from planner.wizard.story import RunReader, Story, log_tail

STUB = Path(__file__).with_name("stub_tune.py")


def finished(folder: Path) -> Path:
    run = folder / "RUN"
    subprocess.run(
        [sys.executable, str(STUB), "tune", "karate", "--out", str(run)], check=True, stdout=subprocess.DEVNULL
    )
    return run


def test_a_finished_run(tmp_path: Path) -> None:
    story = RunReader(finished(tmp_path)).read()
    assert story.finished and story.winner == "sage/full_batch/csr/cpu" and story.budget_seconds == 20.0
    assert [one.state for one in story.trials] == ["complete", "out_of_memory"]
    assert story.trials[0].expected_epoch_seconds == 0.025, "the forecast comes from the trial's record"
    assert story.best == story.trials[0] and story.bests == (0.75,) and len(story.epochs) == 3


def test_only_what_is_new_is_read_and_torn_lines_wait(tmp_path: Path) -> None:
    reader, file = RunReader(tmp_path), tmp_path / "events.jsonl"
    assert reader.read() == Story(), "no file yet"
    started = json.dumps({"event": "started", "graph": "g", "budget_seconds": 9.0, "elapsed_seconds": 1.0})
    file.write_text(started + "\n" + started[:20])
    assert reader.read().graph == "g"
    file.write_text(started + "\n" + started[:20] + '\nnot json\n[1]\n{"event": "planned"}\n')
    assert reader.read().step == "planning", "events that lack what they should say change nothing"
    with file.open("a") as log:
        log.write('{"event": "planned", "best": "x", "elapsed_seconds": 5.0}\n')
    assert (reader.read().planned, reader.read().elapsed_seconds) == ("x", 5.0)


def test_lines_fit_any_width(tmp_path: Path) -> None:
    story = RunReader(finished(tmp_path)).read()
    for width in (40, 80, 200):
        lines = [*progress_lines(story, "running", width), *trial_lines(story, "running", width)]
        assert max(map(len, lines)) <= max(width, 60)
    assert "reading the graph" in progress_lines(Story(), "running", 80)[0]


def test_a_trial_that_was_stopped_is_not_running_for_ever(tmp_path: Path) -> None:
    started = {"event": "started", "graph": "g", "budget_seconds": 9.0, "elapsed_seconds": 1.0}
    begun = {"event": "trial_started", "number": 1, "purpose": "search", "family": "a"}
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (started, begun)))
    reader = RunReader(tmp_path)
    assert "running" in trial_lines(reader.read(), "running", 80)[1]
    assert "interrupted" in trial_lines(reader.read(), "paused", 80)[1]
    with (tmp_path / "events.jsonl").open("a") as log:
        log.write(json.dumps(started) + "\n")
    assert "interrupted" in trial_lines(reader.read(), "running", 80)[1], "the run was resumed"


def test_a_trial_that_is_told_twice_is_one(tmp_path: Path) -> None:
    events = [{"event": "trial_started", "number": 1, "purpose": "search", "family": "a"}] * 2
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    assert len(RunReader(tmp_path).read().trials) == 1


def test_tails_names_and_recent_runs(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none.log") == []
    (tmp_path / "a.log").write_text("one\ntwo\nthree\n")
    assert log_tail(tmp_path / "a.log", 2) == ["two", "three"]
    assert default_folder("data/my graph.npz", 0).startswith("gnnfit-runs/my-graph-")
    assert default_folder("like:cora@0.02", 0).startswith("gnnfit-runs/like-cora@0.02-")
    assert recent_runs(tmp_path / "none") == []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.toml").write_text("")
    (tmp_path / "other").mkdir()
    assert {one.name for one in recent_runs(tmp_path)} == {"first", "second"}
