"""Every pane as text at two sizes, from stored documents, so that only what is drawn can change it.

After a change that is meant: ``REGENERATE=1 pytest tests/planner/wizard/test_goldens.py`` and look at the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.records import Plan
from planner.wizard.answers import Answers
from planner.wizard.app import STEPS
from planner.wizard.server import Planner

FOLDER = Path(__file__).with_name("goldens")
STUB = Path(__file__).with_name("stub_tune.py")
REGENERATE = bool(os.environ.get("REGENERATE"))
SIZES = [(80, 24), (120, 40)]


class Stored:
    """Answers with the documents in ``goldens/``."""

    def __init__(self) -> None:
        if REGENERATE:
            _store()

    async def ask(self, command: str, arguments: list[str]) -> str:
        return (FOLDER / f"{command}.json").read_text("utf-8")

    async def rest(self) -> None: ...

    async def close(self) -> None: ...


def _store() -> None:
    """Plan, machine and diagnosis as the planner makes them today; few rows are enough."""
    planner, flags = Planner(), ["--nodes", "2.4M", "--edges", "61.9M", "--features", "100", "--classes", "47"]
    plan = Plan.model_validate_json(planner.plan([*flags, "--on", "colab-t4"]))
    reasons = {one.reason: one for one in plan.rejected}
    few = {"alternatives": plan.alternatives[:4], "rejected": tuple(reasons.values())[:4]}
    (FOLDER / "plan.json").write_text(plan.model_copy(update=few).model_dump_json() + "\n")
    (FOLDER / "machine.json").write_text(plan.facts.hardware.model_dump_json() + "\n")
    looked = planner.doctor([*flags, "--on", "colab-t4", "--fix", "sampling=full_batch", "--symptom", "oom-train"])
    (FOLDER / "doctor.json").write_text(looked + "\n")


@pytest.mark.parametrize("size", SIZES)
def test_panes_look_as_they_did(
    drive: Callable[..., Any], counted: Answers, size: tuple[int, int], monkeypatch: Any
) -> None:
    subprocess.run([sys.executable, str(STUB), "tune", "karate", "--out", "RUN"], check=True, stdout=subprocess.DEVNULL)
    shown: list[str] = []

    async def steps(driver: Any) -> None:
        driver.app.client = Stored()
        driver.app.action_detect()
        await driver.until(lambda: driver.app.state.machine is not None)
        await driver.planned()
        driver.app.open_run(Path("RUN"))
        driver.app.change(symptom="oom-train")
        for name in STEPS:
            driver.app.go(name)
            await driver.pilot.pause()
            if name == "doctor":
                await driver.until(lambda: driver.app.state.diagnosis is not None)
            shown.append(f"{'=' * size[0]}\n{(await driver.settled()).rstrip()}\n")

    drive(steps, replace(counted, hidden="64"), size)
    file, text = FOLDER / f"{size[0]}x{size[1]}.txt", "".join(shown)
    if REGENERATE:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text("utf-8")
