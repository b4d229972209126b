"""The Plan pane as an SVG that loads nothing from the network."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from planner.wizard.answers import Answers, missing
from planner.wizard.app import Wizard
from techniques.errors import InputError

SIZE = (100, 32)
PLANNING_SECONDS = 600.0
FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


def draw_plan(answers: Answers, file: str) -> int:
    """Plan for the answers and draw what the wizard would show.

    Raises:
        InputError: there is nothing to plan for, or the graph cannot be used.
    """
    if missing(answers):
        raise InputError("a picture of a plan needs a GRAPH, or a --config that has one", "Name a graph")
    picture = asyncio.run(_picture(Wizard(answers)))
    Path(file).write_text(FONTS.sub("", picture), encoding="utf-8")
    print(f"drawn to {file}", file=sys.stderr)
    return 0


async def _picture(app: Wizard) -> str:
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.wait_for(_planned(app), PLANNING_SECONDS)
        if app.state.plan is None:
            raise InputError(app.state.error.rstrip("."), "Try gnnfit plan")
        app.go("plan")
        for _ in range(3):
            await pilot.pause()
        return app.export_screenshot(title=f"gnnfit wizard: {app.state.plan.facts.graph.name}")


async def _planned(app: Wizard) -> None:
    while not app.is_complete or app.state.planning or not (app.state.plan or app.state.error):
        await asyncio.sleep(0.05)
