"""A run as its folder tells it: ``events.jsonl`` folded into one record, with the forecasts of its trials.

The folder's files are JSON documents, and reading them is all that the screen knows of a run: it works for a run of this
wizard, of a command line and of another machine that shares the disk alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LOG_LINES = 200


@dataclass(frozen=True)
class TrialLine:
    """One trial: what was expected of it and what was measured; ``None`` is unknown."""

    number: int
    purpose: str
    family: str
    state: str = "running"
    reason: str | None = None
    metric: float | None = None
    epoch_seconds: float | None = None
    peak_host_bytes: int | None = None
    expected_epoch_seconds: float | None = None
    expected_host_bytes: float | None = None


@dataclass(frozen=True)
class Story:
    """What has happened so far."""

    graph: str = ""
    budget_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    step: str = "starting"
    planned: str = ""
    part: float | None = None
    trials: tuple[TrialLine, ...] = ()
    epochs: tuple[float, ...] = ()
    """Validation metric after every epoch of the final training."""
    winner: str = ""
    why: str = ""
    finished: bool = False

    @property
    def best(self) -> TrialLine | None:
        """The trial with the best validation metric."""
        return max(
            (one for one in self.trials if one.metric is not None), key=lambda one: one.metric or 0.0, default=None
        )

    @property
    def bests(self) -> tuple[float, ...]:
        """Best validation metric after each finished trial."""
        found: list[float] = []
        for one in self.trials:
            if one.metric is not None:
                found.append(max(one.metric, found[-1] if found else one.metric))
        return tuple(found)


def told(story: Story, event: dict[str, Any]) -> Story:
    """The story after one more event; kinds that say nothing here change nothing but the clock."""
    story = replace(story, elapsed_seconds=max(story.elapsed_seconds, event.get("elapsed_seconds", 0.0)))
    match event.get("event"):
        case "started":
            ended = tuple(replace(one, state="interrupted") if one.state == "running" else one for one in story.trials)
            budget = event["budget_seconds"]
            return replace(story, graph=event["graph"], budget_seconds=budget, step="planning", trials=ended)
        case "planned":
            return replace(story, planned=str(event["best"]), step="search")
        case "subsample":
            return replace(story, part=event["share"])
        case "trial_started":
            line = TrialLine(event["number"], event["purpose"], event["family"])
            return replace(story, trials=(*_without(story, line.number), line), step=line.purpose)
        case "trial_finished":
            return replace(story, trials=(*_without(story, event["number"]), _finished(event)))
        case "winner":
            return replace(story, winner=event["family"], why=event["reason"])
        case "final_started":
            return replace(story, step="final training", epochs=())
        case "epoch":
            return replace(story, epochs=(*story.epochs, event["metric"]))
        case "finished":
            return replace(story, step="finished", finished=True)
    return story


def _without(story: Story, number: int) -> tuple[TrialLine, ...]:
    return tuple(one for one in story.trials if one.number != number)


def _finished(event: dict[str, Any]) -> TrialLine:
    known = ("number", "purpose", "family", "state", "reason", "metric", "epoch_seconds", "peak_host_bytes")
    return TrialLine(**{name: event.get(name) for name in known})  # type: ignore[arg-type]


class RunReader:
    """Follows one run folder; reads only what is new."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.story = folder, Story()
        self._offset = 0

    def read(self) -> Story:
        """The story up to now; torn and strange lines are left out."""
        for event in self._new_events():
            try:
                self.story = told(self.story, event)
            except (KeyError, TypeError):
                continue
        self.story = replace(self.story, trials=tuple(self._with_forecast(one) for one in self.story.trials))
        return self.story

    def _new_events(self) -> Iterable[dict[str, Any]]:
        file = self.folder / "events.jsonl"
        try:
            with file.open("rb") as lines:
                lines.seek(self._offset)
                whole, newline, _ = lines.read().rpartition(b"\n")
        except OSError:
            return
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event

    def _with_forecast(self, line: TrialLine) -> TrialLine:
        """A finished trial with what was expected of it, read once."""
        if line.state == "running" or line.expected_host_bytes is not None:
            return line
        try:
            trial = json.loads((self.folder / "trials" / f"{line.number:04d}" / "trial.json").read_text("utf-8"))
            forecast = trial["predicted"]["forecast"]
            epoch, peak = (float(forecast[name]["expected"]) for name in ("epoch_seconds", "peak_host_bytes"))
        except (OSError, ValueError, KeyError, TypeError):
            return line
        return replace(line, expected_epoch_seconds=epoch, expected_host_bytes=peak)


def log_tail(file: Path, lines: int = LOG_LINES) -> list[str]:
    """The last lines of a log; none where there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - 64 * 1024))
            return log.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []
