"""When the screen plans, looks at the machine and diagnoses: always in the child, the latest answers win."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.wizard.answers import doctor_arguments, missing, plan_arguments, problems
from planner.wizard.client import PlanningClient, PlanningFailedError
from planner.wizard.state import State

if TYPE_CHECKING:
    from textual.app import App

    Base = App[int]
else:
    Base = object

TYPING_SECONDS = 0.7
"""Typing has come to rest."""


class Planning(Base):
    """Requests to the planning child, and what becomes of their answers."""

    state: State
    client: PlanningClient
    change: Callable[..., None]
    _typing: Any

    def plan_soon(self) -> None:
        """Plan once typing rests: counts, and graphs that are files; other forms run code and wait for Next."""
        if self._typing is not None:
            self._typing.stop()
        graph = Path(self.state.answers.graph.strip() or "/nowhere").expanduser()
        with contextlib.suppress(OSError):
            if self.state.answers.from_counts or self.state.plan is not None or graph.exists():
                self._typing = self.set_timer(TYPING_SECONDS, self.plan_now)

    def plan_now(self) -> None:
        """Plan in the child where the answers have changed and can be used."""
        answers = self.state.answers
        asked = tuple(plan_arguments(answers)) if not missing(answers) else ()
        if asked and asked != self.state.planned_for and not problems(answers):
            self.run_worker(partial(self._plan, asked), group="plan", exclusive=True)  # type: ignore[arg-type]

    async def _plan(self, asked: tuple[str, ...]) -> None:
        self.change(planning=True, planning_seconds=0.0, error="", planned_for=asked)
        started = time.monotonic()
        clock = self.set_interval(1.0, lambda: self.change(planning_seconds=time.monotonic() - started))
        try:
            document = await self.client.ask("plan", list(asked))
        except PlanningFailedError as error:
            self.change(planning=False, error=error.problem, plan=None)
            return
        finally:
            clock.stop()
        from planner.records import Plan

        plan = Plan.model_validate_json(document)
        self.change(planning=False, plan=plan, row=0)

    def diagnose_now(self) -> None:
        """Look into a symptom where one is chosen and there is something to look at."""
        answers = self.state.answers
        if self.state.symptom and not missing(answers) and not problems(answers):
            asked = tuple(doctor_arguments(answers, self.state.symptom))
            if asked != self.state.diagnosed_for:
                self.run_worker(partial(self._diagnose, asked), group="doctor", exclusive=True)  # type: ignore[arg-type]

    async def _diagnose(self, asked: tuple[str, ...]) -> None:
        from planner.doctor import Diagnosis

        self.change(diagnosis=None, diagnosed_for=asked, error="")
        try:
            self.change(diagnosis=Diagnosis.model_validate_json(await self.client.ask("doctor", list(asked))))
        except PlanningFailedError as error:
            self.change(error=error.problem, diagnosed_for=())

    def action_detect(self) -> None:
        """Look at this machine again, and plan again for what is free now."""
        self.change(planned_for=())
        self.run_worker(self._detect, group="detect", exclusive=True)  # type: ignore[arg-type]

    async def _detect(self) -> None:
        from techniques.facts import HardwareFacts

        with contextlib.suppress(PlanningFailedError):
            self.change(machine=HardwareFacts.model_validate_json(await self.client.ask("machine", [])))
        self.plan_soon()
