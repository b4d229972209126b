"""One session of a run: search, verification, final training, report.

Every measurement is a trial folder that is kept once it is finished; resuming walks the same steps and skips what is
there.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.api import pins_of
from planner.proposal import BASELINE_NAME, Pins
from planner.records import Plan
from techniques.base import SettingValue
from techniques.errors import NoTrialSucceededError
from techniques.facts import Goal
from techniques.remote.source.folder import FolderGraph
from tuner.bench import FINAL_SHARE, MIN_TRIAL_SECONDS, Bench, as_candidate, told
from tuner.events import EventLog, Listener
from tuner.final import final_measurement
from tuner.folder import RunFolder, fingerprint
from tuner.ingest import ingest
from tuner.planning import choose, graph_name, planned, refuse_changed_graph
from tuner.records import Trial, TrialState, TuneReport, Winner
from tuner.report import write_report
from tuner.runner import Runner
from tuner.search import search
from tuner.space import families
from tuner.subsample import character, subsample
from tuner.verify import standings, verify

TRIALS_TO_CONVERGE = 4
"""A candidate that needs longer than this many trials to converge is searched on a part of the graph."""
MIN_PART = 0.02


@dataclass
class Session:
    """A run in this process: ``prepare``, then ``go``."""

    folder: RunFolder
    plan: Plan
    graph: FolderGraph
    log: EventLog
    pins: Pins
    budget_seconds: float
    max_trials: int | None

    @staticmethod
    def prepare(
        folder: RunFolder,
        graph: Any,
        *,
        plan: Plan | str | Path | None,
        trials: int | None,
        budget_seconds: float,
        resume: bool,
        model: str | None,
        goal: Goal | None,
        fix: Mapping[str, str] | None,
        set: Mapping[str, SettingValue] | None,
        listener: Listener,
    ) -> Session:
        """Ingest the graph and plan for it, or load what an earlier session made of them.

        Raises:
            NothingFitsError: the plan has no candidate.
            InputError: a resumed run was asked for something else, or its graph has changed.
        """
        name = graph_name(graph)
        asked = _asked(name, plan, trials, budget_seconds, model, goal, fix, set)
        pins_of(fix, set)  # a slot that does not exist is an error before anything is written
        folder.start(asked, shlex.join(["gnnfit", *sys.argv[1:]]), resume)
        log = EventLog(folder.events, listener)
        stored = ingest(graph, folder.graph)
        if folder.plan.is_file():
            made = Plan.load(folder.plan)
            refuse_changed_graph(graph, made)
        else:
            made = planned(stored, graph, plan=plan, model=model, goal=goal, fix=fix, set=set)
            choose(made, None)
            made.save(folder.plan)
        log.add("started", graph=name, budget_seconds=budget_seconds, folder=str(folder.path))
        log.add("planned", verdict=made.verdict.value, best=made.best.name if made.best else None)
        return Session(folder, made, stored, log, pins_of(fix, set, made), budget_seconds, trials)

    def go(self) -> TuneReport:
        """All steps; a finished run is not run again."""
        if self.folder.report.is_file():
            return self.folder.finished_report()
        with Runner() as runner:
            bench = Bench(runner, self.folder, self.plan, self.graph, self.log, self.budget_seconds)
            part = self._part(bench)
            search(bench, families(self.plan.candidates, self.plan.baseline), self.pins, self.max_trials)
            winner = verify(bench)
            final = self._train(bench, winner)
            return self._report(bench, winner, final, part)

    def _part(self, bench: Bench) -> dict[str, float | str]:
        """Search on a part of the graph where the whole one would leave time for too few epochs."""
        assert self.plan.best is not None
        converge = self.plan.best.forecast.seconds_to_converge
        wanted = TRIALS_TO_CONVERGE * bench.trial_seconds
        if converge <= wanted or self.plan.facts.goal.hierarchy is not None:
            return {}  # a hierarchy is one of the whole graph
        share = max(wanted / converge, MIN_PART)
        bench.search_on(subsample(self.graph, share, self.folder.path / "part"))
        whole, part = character(self.graph), character(bench.trial_graph)
        found: dict[str, float | str] = {f"whole_{name}": value for name, value in whole.items()}
        found |= {f"part_{name}": value for name, value in part.items()}
        self.log.add("subsample", share=share, **found)
        return found

    def _train(self, bench: Bench, winner: Winner) -> Trial:
        """Train the winner on the whole graph; step down to the next verified candidate if it fails after all."""
        order = [(winner.family, winner.spec)]
        order += [(trial.family, trial.spec) for _, trial in standings(bench) if trial.spec != winner.spec]
        reason: str | None = None
        for family, spec in order:
            seconds = max(bench.left(FINAL_SHARE), MIN_TRIAL_SECONDS)
            self.log.add("final_started", family=family, seconds=round(seconds, 1))
            measured = final_measurement(
                bench.runner, self.folder, self.plan.facts, spec, str(self.graph.path), seconds, None, self._tell_epoch
            )
            if measured.state is TrialState.COMPLETE:
                self.log.add("final_finished", **told(measured, None))
                predicted = as_candidate(family, spec, bench.forecast(spec))
                return Trial(
                    number=0, purpose="final", family=family, spec=spec, predicted=predicted, measured=measured
                )
            reason = measured.reason
            self.log.add("stepped_down", family=family, reason=reason)
        raise NoTrialSucceededError(f"final training failed: {reason}", f"See {self.folder.final}/log.txt")

    def _tell_epoch(self, event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            self.log.add("epoch", **{name: event[name] for name in ("epoch", "loss", "metric", "best")})

    def _report(self, bench: Bench, winner: Winner, final: Trial, part: dict[str, float | str]) -> TuneReport:
        baselines = [trial for _, trial in standings(bench) if trial.family == BASELINE_NAME]
        report = TuneReport(
            graph=self.plan.facts.graph.name,
            metric_name=final.measured.metric_name,
            budget_seconds=self.budget_seconds,
            elapsed_seconds=self.log.elapsed_seconds,
            stopped_by_budget=final.measured.reason == "stopped by time",
            target=bench.target,
            winner=winner,
            baseline=baselines[0] if baselines else None,
            final=final,
            trials=tuple(one.model_copy(update={"score": bench.score(one.measured)}) for one in bench.trials),
            subsample=part,
        )
        write_report(self.folder, report)
        self.log.add("finished", folder=str(self.folder.path))
        return report


def _asked(
    name: str,
    plan: Plan | str | Path | None,
    trials: int | None,
    budget_seconds: float,
    model: str | None,
    goal: Goal | None,
    fix: Mapping[str, str] | None,
    set: Mapping[str, SettingValue] | None,
) -> dict[str, Any]:
    """What the user asked for, as it stands in ``spec.toml``."""
    asked: dict[str, Any] = {"graph": name, "budget_seconds": float(budget_seconds)}
    planned_by = fingerprint(plan.to_json()) if isinstance(plan, Plan) else plan and os.fspath(plan)
    given = (("plan", planned_by), ("trials", trials), ("model", model))
    asked |= {key: value for key, value in given if value is not None}
    wanted = (goal or Goal()).model_dump(mode="json", exclude_none=True)
    settings = {key: list(value) if isinstance(value, tuple) else value for key, value in (set or {}).items()}
    return asked | {"goal": wanted, "fix": dict(fix or {}), "set": settings}
