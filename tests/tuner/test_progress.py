"""What a run says while it goes on; its bar is on terminals only, never in what is piped."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from tuner.folder import RunFolder
from tuner.planning import Wanted
from tuner.progress import ProgressBar
from tuner.session import Session
from tuner.story import event_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_pipes_get_lines_alone() -> None:
    out = io.StringIO()
    bar = ProgressBar(out, 60.0)
    bar.follow({"event": "planned", "elapsed_seconds": 3.0})
    bar.say("a line")
    assert out.getvalue() == "a line\n" and not bar.live


def test_a_terminal_sees_share_step_and_trials() -> None:
    out = Terminal()
    bar = ProgressBar(out, 60.0)
    bar.follow({"event": "trial_started", "purpose": "verify", "elapsed_seconds": 29.0})
    bar.follow({"event": "trial_finished", "elapsed_seconds": 30.0})
    line = bar.line(80)
    assert line.startswith("[##########") and "50%" in line and "verifying, 1 trial" in line
    assert all(len(bar.line(width)) < width for width in (20, 40, 80, 200))
    deadline = time.monotonic() + 5
    while "verifying" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "verifying" in out.getvalue(), "it is redrawn by itself"
    bar.say("a line")
    assert "\r\x1b[Ka line\n" in out.getvalue()
    bar.follow({"event": "finished", "elapsed_seconds": 60.0})
    assert out.getvalue().endswith("\r\x1b[K"), "nothing of it stays behind"


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not ProgressBar(Terminal(), 60.0).live


@pytest.mark.parametrize(("budget", "times"), [(0.01, 1), (600.0, 0)])
def test_a_budget_that_planning_has_used_up_is_said_once(
    budget: float, times: int, community_file: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    for resume in (False, True):
        arguments = (RunFolder(tmp_path / "run"), str(community_file), Wanted(), budget, 1, resume)
        Session.prepare(*arguments, lambda event: said.append(event_text(event)))
    found = [one for one in said if "was used up by starting and planning" in one]
    assert len(found) == times
    assert all(one.endswith("measuring the least that gives an answer") for one in found)
