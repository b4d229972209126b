"""``gnnfit watch``: a run that somebody else has started."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tuner.cli import main
from tuner.monitor.app import Monitor

STUB = Path(__file__).resolve().parents[2] / "planner" / "wizard" / "stub_tune.py"


def screen(app: Monitor) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(app: Monitor, words: str, seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if words in screen(app):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{words!r} never came; the screen shows\n{screen(app)}")


def test_watch_leave_and_come_back_to_cancel(tmp_path: Path) -> None:
    run = tmp_path / "RUN"
    process = subprocess.Popen(
        [sys.executable, str(STUB), "tune", "slow", "--out", str(run)], stdout=subprocess.DEVNULL
    )

    async def journey() -> None:
        first = Monitor(run)
        async with first.run_test(size=(80, 24)) as pilot:
            await until(first, "out of memory: used 9 GiB")
            assert "RUNNING" in screen(first) and "2 trials measured" in screen(first)
            await pilot.press("q")
        assert process.poll() is None, "leaving leaves the run alone"
        second = Monitor(run)
        async with second.run_test(size=(80, 24)) as pilot:
            await until(second, "RUNNING")
            await pilot.press("c", "enter")
            await until(second, "STOPPED")

    try:
        asyncio.run(journey())
        assert process.wait(10) == 130
    finally:
        process.kill()
        process.wait()


def test_a_terminal_is_needed_and_what_works_without_one_is_named(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "spec.toml").write_text("")
    assert main(["watch", str(tmp_path)]) == 2
    assert "gnnfit report" in capsys.readouterr().err
    assert main(["watch", str(tmp_path / "nothing")]) == 2
    assert "a run folder holds a spec.toml" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["wizard"], ["wizard", "g.npz"]])
def test_the_wizard_names_the_commands_to_use_without_a_terminal(capsys: Any, arguments: list[str]) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "needs a terminal" in told and f"gnnfit plan {(*arguments[1:], 'GRAPH')[0]} and gnnfit tune" in told
