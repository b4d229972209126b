"""The study on disk: claimed once, reclaimed after a kill, shared by processes of like machines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import Trial, TrialState

from techniques.errors import InputError
from techniques.job import JobSpec
from tuner.space import Point
from tuner.study import Study, masked, open_study

CHILD = (
    "from pathlib import Path; from tuner.study import *; from techniques.job import JobSpec\n"
    "study = Study(Path('study.journal')); point = Point('a', JobSpec(options={}, settings={'hidden': 8}))\n"
    "print(study.claim('search', point, 'rung 0'), flush=True); __import__('time').sleep(600)"
)


def _point(hidden: int) -> Point:
    return Point("gcn/full_batch", JobSpec(options={}, settings={"hidden": hidden, "trim": True}))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


@pytest.fixture
def child(journal: Path, monkeypatch: Any) -> Any:
    """A process that has claimed a point; its journal has a relative path."""
    monkeypatch.chdir(journal.parent)
    path = os.pathsep.join(one for one in sys.path if one)
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_point_is_claimed_once_whoever_asks(journal: Path) -> None:
    one, other = Study(journal), Study(journal)
    assert one.claim("search", _point(8), "rung 0") == 1
    assert other.claim("search", _point(8), "rung 0") is None
    assert other.claim("search", _point(8), "rung 1") == 3
    assert other.claim("verify", _point(8), "verify") == 4
    assert [trial.state.name for trial in one.study.trials] == ["RUNNING", "FAIL", "RUNNING", "RUNNING"]


def test_of_two_that_claim_at_once_the_first_keeps_it(journal: Path, monkeypatch: Any) -> None:
    """The second is asked between the first's claim and its look at the others."""
    one, other = Study(journal), Study(journal)
    looked = one._trials
    answers: list[Any] = []

    def late(*states: Any) -> Any:
        if not answers:
            answers.append("asking")
            answers.append(other.claim("search", _point(8), "rung 0"))
        return looked(*states)

    monkeypatch.setattr(one, "_trials", late)
    assert one.claim("search", _point(8), "rung 0") == 1
    assert answers[1] is None


def test_the_infeasible_is_pruned_with_a_broken_constraint_not_failed(journal: Path) -> None:
    study = Study(journal)
    for hidden, score in ((8, None), (16, 2.0)):
        number = study.claim("search", _point(hidden), "rung 0")
        assert number is not None
        study.tell(number, score, {"metric": 0.5})
        study.tell(number, score)  # told twice, by a resumed run: no matter
    trials = study.study.trials
    assert [trial.state for trial in trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    assert [trial.user_attrs["infeasible"] for trial in trials] == [1.0, 0.0]
    assert [trial.constraints["feasible"] for trial in trials] == [1.0, 0.0]
    assert trials[1].value == 2.0


def test_after_a_kill_measured_trials_are_told_and_others_given_up(journal: Path) -> None:
    before = Study(journal)
    for hidden in (8, 16, 32):
        before.claim("search", _point(hidden), "rung 0")
    after = Study(journal)
    after.reclaim({1: 4.5, 2: None})
    assert [trial.state.name for trial in after.study.trials] == ["COMPLETE", "PRUNED", "FAIL"]
    assert after.claim("search", _point(8), "rung 0") is None, "measured: not again"
    assert after.claim("search", _point(32), "rung 0") == 5, "given up: free again"


@pytest.mark.parametrize("late_to", ["set_constraint", "set_user_attr"])
def test_what_another_settles_in_between_is_left_as_it_is(journal: Path, monkeypatch: Any, late_to: str) -> None:
    """A joiner finds the measured trial on disk while the one that measured it tells the score."""
    one, other = Study(journal), Study(journal)
    number = one.claim("search", _point(8), "rung 0")
    assert number is not None
    write = getattr(Trial, late_to)

    def late(*given: Any) -> None:
        monkeypatch.setattr(Trial, late_to, write)
        other.reclaim({number: 0.5})
        write(*given)

    monkeypatch.setattr(Trial, late_to, late)
    one.tell(number, 0.5)
    assert [trial.value for trial in one.study.trials] == [0.5]


def test_a_killed_process_is_dead_and_a_living_one_is_not(journal: Path, child: Any) -> None:
    """With Optuna's default lock and a relative path the journal hangs for ever after the kill."""
    study = Study(journal)
    study.reclaim({})
    assert len(study.running()) == 1, "it lives: its trial is left alone"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert study.running() == []
    study.reclaim({})
    assert [trial.state.name for trial in open_study(Path("study.journal")).trials] == ["FAIL"]


def test_the_torn_line_of_a_killed_writer_is_cut_by_who_writes_next(journal: Path) -> None:
    """A process that has joined lives on while the one that leads is killed: nobody resumes the run in between."""
    living = Study(journal)
    living.claim("search", _point(8), "rung 0")
    with journal.open("ab") as out:
        out.write(b'{"op_code":4,"worker_id":"1')
    assert living.claim("search", _point(16), "rung 0") == 2
    assert Study(journal).claim("search", _point(16), "rung 0") is None


def test_another_kind_of_machine_is_refused_with_both_fingerprints(journal: Path) -> None:
    Study(journal).same_machine("2 cores of A, 8 GiB, no GPU")
    Study(journal).same_machine("2 cores of A, 8 GiB, no GPU")
    with pytest.raises(InputError, match=r"2 cores of A, 8 GiB, no GPU began it, this is 4 cores of B"):
        Study(journal).same_machine("4 cores of B, 8 GiB, no GPU")


def test_a_database_serves_as_well(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    one, other = Study(url), Study(url)
    assert one.claim("search", _point(8), "rung 0") == 1
    assert other.claim("search", _point(8), "rung 0") is None
    other.end("enough")
    assert one.over == "enough"


def test_a_database_that_cannot_be_opened_is_an_error_without_its_password() -> None:
    with pytest.raises(InputError, match="must be a database") as raised:
        Study("nonsense://me:secret@host/name")
    assert "secret" not in str(raised.value)
    assert masked("postgresql://me:secret@host/name") == "postgresql://me:***@host/name"
    assert masked("sqlite:////shared/study.db") == "sqlite:////shared/study.db"
