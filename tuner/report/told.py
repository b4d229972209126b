"""What is known of a run, whether it has finished or not: read from its folder alone."""

from __future__ import annotations

import contextlib
import json
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

from planner.proposal import BASELINE_NAME
from planner.records import Plan
from techniques.errors import GnnfitError, RunLockedError
from techniques.record import Record
from techniques.sources import short_name
from tuner.events import read_events
from tuner.folder import RunFolder
from tuner.records import SCHEMA_VERSION, SearchSummary, Trial, TuneReport, Winner
from tuner.scoring import evaluations_target


class RunState(StrEnum):
    """Where a run stands."""

    FINISHED = "finished"
    RUNNING = "running"
    STOPPED = "stopped"
    """Killed or interrupted: ``--resume`` goes on."""
    FAILED = "failed"


class Story(Record):
    """A run in any state; what it has not come to is ``None`` or empty."""

    schema_version: int = SCHEMA_VERSION
    state: RunState
    reason: str | None = None
    """Why it failed."""
    graph: str
    metric_name: str = "accuracy"
    budget_seconds: float | None = None
    elapsed_seconds: float = 0.0
    target: float | None = None
    winner: Winner | None = None
    baseline: Trial | None = None
    final: Trial | None = None
    trials: tuple[Trial, ...] = ()
    subsample: dict[str, float | str] = {}
    search: SearchSummary | None = None
    calibration: str | None = None
    search_end: str | None = None
    """Why the search stopped."""
    plan: Plan | None = None
    environment: dict[str, Any] = {}
    command: str = ""

    def report(self) -> TuneReport | None:
        """The report of a finished run."""
        if self.state is not RunState.FINISHED or not (self.final and self.winner):
            return None
        told = {name: getattr(self, name) for name in TuneReport.model_fields if name in Story.model_fields}
        stopped = self.final.measured.reason == "stopped by time"
        return TuneReport.model_validate({**told, "stopped_by_budget": stopped})


def story_of(folder: RunFolder, report: TuneReport | None = None) -> Story:
    """Everything that a run folder tells; ``report`` before it is written.

    Raises:
        InputError: a record of it is damaged.
    """
    spec = tomllib.loads((folder.path / "spec.toml").read_text(encoding="utf-8", errors="replace"))
    events = read_events(folder.events)
    if report is None and folder.report.is_file():
        report = folder.finished_report()
    shared: dict[str, Any] = {
        "plan": _plan(folder),
        "environment": _environment(folder),
        "command": _text(folder.path / "command.txt"),
        "search_end": _last(events, "search_stopped", "reason"),
    }
    if report is not None:
        told = {name: getattr(report, name) for name in TuneReport.model_fields if name in Story.model_fields}
        return Story(state=RunState.FINISHED, **{**told, **shared})
    trials = tuple(folder.finished_trials())
    searched = [one for one in trials if one.share >= 1.0]
    baselines = [one for one in trials if one.purpose == "verify" and one.family == BASELINE_NAME]
    state, reason = _state(folder, events)
    return Story(
        state=state,
        reason=reason,
        graph=short_name(str(spec.get("graph", folder.path.name))),
        metric_name=next((one.measured.metric_name for one in trials if one.measured.metric is not None), "accuracy"),
        budget_seconds=spec.get("budget_seconds"),
        elapsed_seconds=max((float(event.get("elapsed_seconds", 0.0)) for event in events), default=0.0),
        target=spec.get("goal", {}).get("target") or evaluations_target(searched, BASELINE_NAME),
        winner=folder.winner() if folder.best.is_file() else None,
        baseline=baselines[0] if baselines else None,
        trials=trials,
        **shared,
    )


def _state(folder: RunFolder, events: list[dict[str, Any]]) -> tuple[RunState, str | None]:
    """Who holds the lock is at work; else the last event says whether it failed."""
    with contextlib.suppress(OSError):
        try:
            with folder.locked():
                pass
        except RunLockedError:
            return RunState.RUNNING, None
    if events and events[-1]["event"] == "failed":
        return RunState.FAILED, str(events[-1].get("reason"))
    return RunState.STOPPED, None


def _plan(folder: RunFolder) -> Plan | None:
    with contextlib.suppress(GnnfitError):
        return Plan.load(folder.plan)
    return None


def _environment(folder: RunFolder) -> dict[str, Any]:
    """That of the final training, else what the run was started with."""
    for file in (folder.final / "environment.json", folder.path / "manifest.json"):
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
    return {}


def _text(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _last(events: list[dict[str, Any]], kind: str, name: str) -> str | None:
    found = [event.get(name) for event in events if event["event"] == kind]
    return str(found[-1]) if found else None
