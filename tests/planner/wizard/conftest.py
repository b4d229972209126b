"""A wizard without a terminal, a planner without a child, and a run without training."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from planner.wizard.answers import Answers
from planner.wizard.app import Wizard
from planner.wizard.client import PlanningFailedError
from planner.wizard.server import Planner

STUB = Path(__file__).with_name("stub_tune.py")
COUNTS = {"from_counts": True, "nodes": "2.4M", "edges": "61.9M", "features": "100", "classes": "47", "on": "colab-t4"}


ANSWERED: dict[tuple[str, ...], dict[str, Any]] = {}
"""What was asked of counts before is answered at once: the same numbers are planned for in many journeys."""


class PlannerHere:
    """The planning child's answers without the child."""

    def __init__(self) -> None:
        self.planner, self.asked = Planner(), []  # type: ignore[var-annotated]

    async def ask(self, command: str, arguments: list[str]) -> str:
        self.asked.append((command, arguments))
        await asyncio.sleep(0)
        key = (command, *arguments)
        reply = ANSWERED.get(key) or self.planner.answer({"id": 1, "command": command, "arguments": arguments})
        if "--nodes" in arguments:
            ANSWERED[key] = reply
        if "error" in reply:
            raise PlanningFailedError(reply["error"].rstrip("."), "Change it")
        return str(reply["document"])

    async def rest(self) -> None: ...

    async def close(self) -> None: ...


class Driver:
    """Keys in, text out."""

    def __init__(self, app: Wizard, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> str:
        """What is on the screen, as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*("full_stop" if one == "." else one for one in text))

    async def until(self, holds: Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait for something to become true."""
        for _ in range(int(seconds / 0.02)):
            if holds():
                await self.pilot.pause()
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"never became true; the screen shows\n{self.screen}")

    async def settled(self) -> str:
        """The screen once it has come to rest."""
        before = ""
        while before != self.screen:
            before = self.screen
            await asyncio.sleep(0.05)
            await self.pilot.pause()
        return before

    async def planned(self) -> None:
        await self.until(lambda: self.app.state.plan is not None and not self.app.state.planning)


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: Any) -> Callable[..., Any]:
    """``drive(steps, answers, size)``: run ``await steps(driver)`` on a wizard in an empty folder; returns the wizard."""
    monkeypatch.chdir(tmp_path)

    def run(
        steps: Callable[[Driver], Awaitable[None]], answers: Answers | None = None, size: tuple[int, int] = (80, 24)
    ) -> Wizard:
        app = Wizard(answers, command=(sys.executable, str(STUB)))
        app.client.log.unlink(missing_ok=True)
        app.client = PlannerHere()  # type: ignore[assignment]

        async def journey() -> None:
            async with app.run_test(size=size) as pilot:
                driver = Driver(app, pilot)
                await driver.until(lambda: app.is_complete)
                await steps(driver)
                run_here = app.view.run
            if run_here is not None and run_here.process is not None:
                run_here.process.kill()
                run_here.process.wait()

        asyncio.run(journey())
        return app

    return run


@pytest.fixture
def counted() -> Answers:
    """ogbn-products from counts, on a machine that nobody has here."""
    return Answers(**COUNTS)  # type: ignore[arg-type]
