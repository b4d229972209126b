"""A run in any state, told from its folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from tuner.cli import main
from tuner.events import EventLog
from tuner.folder import RunFolder
from tuner.report import (
    RunState,
    story_of,
    story_text,
    write_page,
)


@pytest.fixture
def begun(tmp_path: Any, make_facts: Any, report: Any) -> Any:
    """A run folder with a plan, two events and a finished trial."""
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": "cora.npz", "budget_seconds": 60.0}, "gnnfit tune cora.npz", resume=False)
    make_plan(make_facts(), Pins()).save(folder.plan)
    log = EventLog(folder.events)
    log.add("started", graph="cora.npz")
    folder.new_trial_folder(1)
    folder.keep_trial(report().trials[0])
    return folder, log


def test_a_run_that_was_killed_is_told_from_its_folder(begun: Any, capsys: Any) -> None:
    folder, _ = begun
    story = story_of(folder)
    assert (story.state, story.graph, len(story.trials)) == (RunState.STOPPED, "cora", 1)
    assert main(["report", str(folder.path)]) == 0
    captured = capsys.readouterr()
    assert "--resume goes on" in captured.out
    assert "report.html" in captured.err
    assert "Not finished" in (folder.path / "report.html").read_text()
    assert main(["report", str(folder.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_a_run_that_failed_or_still_runs_says_so(begun: Any) -> None:
    folder, log = begun
    with folder.locked():
        assert story_of(folder).state is RunState.RUNNING
    log.add("failed", reason="no trial succeeded")
    story = story_of(folder)
    assert (story.state, story.reason) == (RunState.FAILED, "no trial succeeded")
    assert "no trial succeeded" in story_text(story)


def test_a_run_without_a_plan_yet_has_a_page_too(tmp_path: Any) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": "cora.npz"}, "gnnfit tune cora.npz", resume=False)
    assert "Not finished" in write_page(folder).read_text()
