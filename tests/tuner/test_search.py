"""The study on disk: queued once, reclaimed after a kill, nothing forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tuner.search import TRIAL_NUMBER, enqueue_once, open_study, reclaim, tell

POINTS = [{"rate": 0.1}, {"rate": 0.2}, {"rate": 0.3}]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


def _ask(study: Any, number: int | None = None) -> Any:
    trial = study.ask()
    trial.suggest_float("rate", 0.0, 1.0)
    if number is not None:
        trial.set_user_attr(TRIAL_NUMBER, number)
    return trial


def _states(study: Any) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_points_are_queued_once(journal: Path) -> None:
    study = open_study(journal)
    enqueue_once(study, POINTS)
    assert [_ask(study).params["rate"] for _ in POINTS] == [0.1, 0.2, 0.3]
    enqueue_once(open_study(journal), POINTS)
    assert len(study.trials) == len(POINTS)


def test_points_that_a_kill_kept_from_being_queued_are_queued_later(journal: Path) -> None:
    enqueue_once(open_study(journal), POINTS[:1])
    study = open_study(journal)
    enqueue_once(study, POINTS)
    assert [trial.system_attrs["fixed_params"]["rate"] for trial in study.trials] == [0.1, 0.2, 0.3]


def test_after_a_kill_measured_trials_are_told_and_others_queued_again(journal: Path) -> None:
    before = open_study(journal)
    enqueue_once(before, POINTS)
    for number in (1, 2, 3):
        _ask(before, number)  # asked for, never told: the tuner was killed
    study = open_study(journal)
    reclaim(study, {1: 4.5, 2: None})
    assert _states(study) == ["COMPLETE", "PRUNED", "FAIL", "WAITING"]
    assert study.trials[0].value == 4.5
    assert _ask(study).params["rate"] == 0.3
    reclaim(open_study(journal), {})
    assert _states(study)[-1] == "WAITING", "killed again: still not lost"


def test_a_trial_killed_before_its_first_suggestion_is_queued_again(journal: Path) -> None:
    before = open_study(journal)
    enqueue_once(before, POINTS[:1])
    before.ask()
    study = open_study(journal)
    reclaim(study, {})
    assert _ask(study).params["rate"] == 0.1


def test_no_trial_runs_after_a_reclaim_and_a_second_one_changes_nothing(journal: Path) -> None:
    before = open_study(journal)
    enqueue_once(before, POINTS)
    _ask(before, 1)
    study = open_study(journal)
    reclaim(study, {})
    states = _states(study)
    assert "RUNNING" not in states
    reclaim(study, {})
    assert _states(study) == states


def test_an_infeasible_point_is_pruned_not_failed(journal: Path) -> None:
    study = open_study(journal)
    tell(study, _ask(study), None)
    tell(study, _ask(study), 2.0)
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED, TrialState.COMPLETE]


def test_the_journal_survives_a_kill_and_a_relative_path(journal: Path, monkeypatch: Any) -> None:
    """With Optuna's default lock and a relative path this hangs for ever."""
    monkeypatch.chdir(journal.parent)
    code = (
        "from pathlib import Path; from tuner.search import *\n"
        "study = open_study(Path('study.journal')); trial = study.ask(); trial.suggest_float('rate', 0, 1)\n"
        "print('asked', flush=True); __import__('time').sleep(600)"
    )
    path = os.pathsep.join(one for one in sys.path if one)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"asked\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    study = open_study(Path("study.journal"))
    assert _states(study) == ["RUNNING"]
    reclaim(study, {})
    assert _states(study) == ["FAIL", "WAITING"]
