"""Trials on this machine: measured in child processes while the machine's lock is held, kept in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.costing import cost
from planner.inspect.opened import drawer
from planner.records import ForecastFigures, Plan
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.remote.source.folder import FolderGraph
from tuner.bench import FINAL_SHARE
from tuner.budget import seconds_to_end
from tuner.events import EventLog
from tuner.folder import RunFolder
from tuner.history import remember
from tuner.machine import machine_lock
from tuner.parts import MIN_TRIAL_SECONDS, Fidelity, Part
from tuner.records import Limits, Measurement, Trial, TrialState, WorkRequest
from tuner.runner import Runner
from tuner.space import Point, changed

LONG_WAIT_SECONDS = 1.0
HANG_SECONDS = 8.0
"""Beyond what is left of the budget, a trial may take so long to load and prepare: then it hangs."""


def drawn_for(purpose: str, spec: JobSpec) -> JobSpec:
    """The spec with the random numbers of its trial. A verification draws others: with those of the search a lucky trial would be as
    lucky again."""
    return changed(spec, {"seed": spec.training.seed + 1}) if purpose == "verify" else spec


class Live:
    """What a bench needs of the world: measurements, forecasts, a place to keep trials."""

    def __init__(
        self,
        runner: Runner,
        folder: RunFolder,
        plan: Plan,
        graph: FolderGraph,
        log: EventLog,
        budget_seconds: float,
        parts: Mapping[float, Part],
    ) -> None:
        self.runner, self.folder, self.plan, self.log = runner, folder, plan, log
        self.budget_seconds, self.parts = budget_seconds, dict(parts)
        self.parts[1.0] = Part(1.0, graph, plan.facts)
        self._draw = drawer(graph, plan.facts.graph)
        self._seen: set[str] = set()
        self._answered = False
        """Whether anything has been measured on the whole graph."""
        self._growths: dict[tuple[str, float], float] = {}

    def measure(self, number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None) -> Measurement:
        """One trial, never longer than what is left of the budget once the machine is free."""
        before = self.log.elapsed_seconds
        with machine_lock(max(self._left(), 0.0)) as held:
            waited = self.log.elapsed_seconds - before
            if waited > LONG_WAIT_SECONDS or not held:
                self.log.add("waited", number=number, seconds=round(waited, 2), held=held)
            self.runner.start()  # not out of the trial's time
            self.log.add("trial_started", number=number, purpose=purpose, family=point.family, share=fidelity.share)
            return self.runner.measure(self._request(number, drawn_for(purpose, point.spec), fidelity, target))

    def _request(self, number: int, spec: JobSpec, fidelity: Fidelity, target: float | None) -> WorkRequest:
        part, left = self.parts[fidelity.share], self._left()
        limits = Limits(
            host_bytes=self.plan.facts.host_limit_bytes,
            seconds=min(fidelity.seconds, max(left, MIN_TRIAL_SECONDS)),
            target=target,
            race=fidelity.race,
            wall_seconds=self._wall(left, fidelity.seconds),
        )
        folder = str(self.folder.new_trial_folder(number))
        graph = str(part.graph.path)
        return WorkRequest(spec=spec, facts=part.facts, graph=graph, folder=folder, limits=limits, check_values=False)

    def _wall(self, left: float, training: float) -> float:
        """What a trial may take in all; one that hangs as the first of all has its time even beyond the budget's end: without it
        there would be no answer."""
        hangs = max(left, 0.0) + min(training, HANG_SECONDS) + HANG_SECONDS
        if not self._answered:
            return hangs
        return min(hangs, max(seconds_to_end(self.budget_seconds, self.log.elapsed_seconds), MIN_TRIAL_SECONDS))

    def keep(self, trial: Trial) -> None:
        """Write a finished trial down and tell of it."""
        self.folder.keep_trial(trial)
        if trial.share == 1.0:
            remember(self.plan.facts, trial.spec, trial.predicted.forecast, trial.measured)
        words = {"number": trial.number, "purpose": trial.purpose, "family": trial.family, "share": trial.share}
        self.log.add("trial_finished", **words, **told(trial.measured, trial.score))

    def others(self) -> list[Trial]:
        """Trials that have been written since the last look, by this process or another."""
        found = self.folder.trials_since(self._seen)
        self._answered |= any(one.share >= 1.0 and one.measured.state is TrialState.COMPLETE for one in found)
        return found

    def forecast(self, spec: JobSpec) -> ForecastFigures:
        """What the planner expects of a spec on the whole graph."""
        return cost(self.plan.facts, spec, self._draw)

    def outlook(self, spec: JobSpec) -> ForecastFigures:
        """The same from counts alone."""
        return cost(self.plan.facts, spec)

    def _left(self) -> float:
        return self.budget_seconds * FINAL_SHARE - self.log.elapsed_seconds

    def growth(self, spec: JobSpec, share: float) -> float:
        """How many times as long a step takes on the whole graph as on a part, by forecast."""
        key = spec.model_dump_json(), share
        if key not in self._growths:
            part = step_seconds(self.parts[share].facts, spec)
            self._growths[key] = step_seconds(self.plan.facts, spec) / max(part, 1e-9)
        return self._growths[key]


def step_seconds(facts: Facts, spec: JobSpec) -> float:
    """What a step is expected to take: learning is a matter of steps, on a part of the graph as on all of it."""
    figures = cost(facts, spec)
    return figures.epoch_seconds.expected / max(figures.steps_per_epoch, 1)


def told(measured: Measurement, value: float | None) -> dict[str, Any]:
    """A measurement as an event."""
    return {
        "state": measured.state.value,
        "reason": measured.reason,
        "metric": measured.metric,
        "score": value,
        "epoch_seconds": measured.epoch_seconds,
        "peak_host_bytes": measured.peak_host_bytes,
        "epochs": measured.epochs,
        "wall_seconds": round(measured.wall_seconds, 2),
    }
