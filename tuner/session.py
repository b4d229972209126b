"""One session of a run: search, verification, final training, report.

Every measurement is a trial folder that is kept once it is finished; resuming walks the same steps and skips what is
there.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import dataclass
from typing import Any

from planner.api import pins_of
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from planner.proposal import BASELINE_NAME
from planner.records import Plan
from techniques.errors import InputError, NoTrialSucceededError, RunLockedError
from techniques.remote.source.folder import FolderGraph
from tuner.bench import (
    FINAL_SHARE,
    SEARCH_SHARE,
    VERIFY_SHARE,
    Bench,
)
from tuner.budget import seconds_to_end
from tuner.events import EventLog, Listener
from tuner.final import final_measurement
from tuner.folder import RunFolder, fingerprint, write_text
from tuner.history import remember
from tuner.ingest import ingest
from tuner.live import HANG_SECONDS, Live, told
from tuner.parts import MIN_TRIAL_SECONDS, Part, full_seconds, ladder, parts_of
from tuner.planning import Wanted, choose, graph_name, ingested, kept_plan, planned, refuse_changed_graph
from tuner.records import SearchSummary, Trial, TrialState, TuneReport, Winner
from tuner.report import write_report
from tuner.runner import Runner
from tuner.search import Search
from tuner.space import Point, Space, families
from tuner.study import Study, masked
from tuner.subsample import compared
from tuner.verify import standings, verify

SHARES = {"search": SEARCH_SHARE, "verification": VERIFY_SHARE, "final training": FINAL_SHARE, "report": 1.0}
POLL_SECONDS = 0.2


@dataclass
class Session:
    """A run in this process: ``prepare`` or ``join``, then ``go`` or ``help``."""

    folder: RunFolder
    plan: Plan
    graph: FolderGraph
    log: EventLog
    space: Space
    study: Study
    budget_seconds: float
    max_trials: int | None
    seed: int = 0

    @staticmethod
    def prepare(
        folder: RunFolder,
        graph: Any,
        wanted: Wanted,
        budget_seconds: float,
        trials: int | None,
        resume: bool,
        listener: Listener,
        study: str | None = None,
        begun: float | None = None,
    ) -> Session:
        """Ingest the graph and plan for it, or load what an earlier session made of them; the budget's clock runs from ``begun``
        (``EventLog``).

        Raises:
            NothingFitsError: the plan has no candidate.
            InputError: a resumed run was asked for something else, or its graph has changed.
        """
        name = graph_name(graph)
        asked = _asked(name, wanted, budget_seconds, trials, study)
        wanted.pins()  # a slot that does not exist is an error before anything is written
        folder.start(asked, shlex.join(["gnnfit", *sys.argv[1:]]), resume)
        log = EventLog(folder.events, listener, begun)
        stored = ingested(graph, folder)
        begun_before = folder.plan.is_file()
        if begun_before:
            made = kept_plan(folder.plan)
            refuse_changed_graph(graph, made, folder)
        else:
            made = planned(stored, graph, wanted)
            choose(made, None)
            made.save(folder.plan)
        log.add("started", graph=name, budget_seconds=budget_seconds, folder=str(folder.path))
        log.add("planned", verdict=made.verdict.value, best=made.best.name if made.best else None)
        if not begun_before and log.elapsed_seconds >= budget_seconds:
            log.add("budget_used", budget_seconds=budget_seconds)
        space = Space(made.facts, families(made.candidates, made.baseline), wanted.pins(made))
        shared = study_of(folder, study)
        shared.same_machine(machine_fingerprint(inspect_machine()))
        return Session(folder, made, stored, log, space, shared, budget_seconds, trials)

    @staticmethod
    def join(folder: RunFolder, study: str | None, listener: Listener) -> Session:
        """Take part in a run that another process, here or on a machine that shares the folder, has started.

        Raises:
            InputError: it has not planned yet, or this machine is of another kind.
        """
        if not folder.plan.is_file():
            raise InputError(f"{folder.path} has no plan yet", "Join it once it has started to search")
        asked, made = folder.asked(), kept_plan(folder.plan)
        wanted = asked.get("study")
        if study is not None and masked(study) != wanted:
            where = wanted or "the journal of its folder"
            raise InputError(f"the study of this run is in {where}, not in {masked(study)}", "Leave --study out")
        if wanted is not None and study is None and "***" in wanted:
            raise InputError(f"the run's study is in {wanted}, without its password", "Give --study with the password")
        shared = study_of(folder, study or wanted)
        shared.same_machine(machine_fingerprint(inspect_machine()))
        space = Space(made.facts, families(made.candidates, made.baseline), pins_of(None, None, made))
        log = EventLog(folder.events, listener)
        log.add("joined", owner=shared.owner, folder=str(folder.path))
        graph = ingest(made.facts.graph.source, folder.graph)
        return Session(
            folder, made, graph, log, space, shared, asked["budget_seconds"], asked.get("trials"), os.getpid()
        )

    def go(self) -> TuneReport:
        """All steps; a finished run is not run again."""
        if self.folder.report.is_file():
            return self.folder.finished_report()
        with Runner() as runner:
            bench, parts = self._bench(runner)
            summary = self._search(bench)
            self._wait_for_others(bench)
            winner = self._verified(bench)
            final = self._train(runner, bench, winner)
            return self._report(bench, self.folder.winner(), final, parts, summary)

    def help(self) -> TuneReport | None:
        """Search beside the process that leads the run; finish the run in its place if it is gone by then."""
        with Runner() as runner:
            bench, _ = self._bench(runner)
            self._search(bench)
        if self.folder.report.is_file():
            return self.folder.finished_report()
        try:
            with self.folder.locked():
                return self.go()
        except RunLockedError:
            return None

    def _bench(self, runner: Runner) -> tuple[Bench, list[Part]]:
        seconds = full_seconds(self.budget_seconds)
        parts = parts_of(self.graph, self.plan, seconds, self.folder.path, self.log.add)
        live = self._live(runner, parts)
        bench = Bench(
            self.plan.facts,
            ladder(seconds, [part.share for part in parts]),
            live.measure,
            lambda: self.log.elapsed_seconds,
            self.budget_seconds,
            live.forecast,
            keep=live.keep,
            growth=live.growth,
            others=live.others,
            outlook=live.outlook,
        )
        bench.refresh()
        return bench, parts

    def _live(self, runner: Runner, parts: list[Part]) -> Live:
        by_share = {part.share: part for part in parts}
        return Live(runner, self.folder, self.plan, self.graph, self.log, self.budget_seconds, by_share)

    def _search(self, bench: Bench) -> SearchSummary:
        search = Search(bench, self.space, self.study, self.max_trials, self.seed)
        stopped = search.run()
        if self.study.over is None:
            self.study.end(stopped)
            self.log.add("search_stopped", reason=stopped, trials=len(bench.trials))
        return search.summary(stopped, SHARES)

    def _wait_for_others(self, bench: Bench) -> None:
        """Trials that other processes are at are theirs to finish, within the time that verification can wait."""
        while self.study.running() and bench.left(VERIFY_SHARE) > MIN_TRIAL_SECONDS:
            time.sleep(POLL_SECONDS)
        bench.refresh()

    def _verified(self, bench: Bench) -> Winner:
        """The winner, written down; a resumed run keeps the one that it has."""
        if self.folder.best.is_file():
            return self.folder.winner()
        winner = verify(bench, self.study, self.plan, self.space.defaults())
        write_text(self.folder.best, winner.model_dump_json(indent=1))
        self.log.add("winner", family=winner.family, reason=winner.reason)
        return winner

    def _train(self, runner: Runner, bench: Bench, winner: Winner) -> Trial:
        """Train the winner on the whole graph; step down to the next verified candidate if it fails after all."""
        order = [(winner.family, winner.spec)]
        order += [(one.family, one.spec) for _, one in standings(bench, self.plan) if one.spec != winner.spec]
        reason: str | None = None
        for family, spec in order:
            beside = bench.overhead(spec)
            seconds = max(bench.left(FINAL_SHARE) - beside, MIN_TRIAL_SECONDS)
            needs, wall = beside + MIN_TRIAL_SECONDS, seconds_to_end(self.budget_seconds, bench.clock())
            if needs > wall:
                if spec == winner.spec and self._tried(bench, winner) is not None:
                    left = f"{max(wall, 0.0):.0f} s are left for it"
                    return self._untrained(bench, winner, f"it takes {needs:.0f} s at least, {left}")
                wall = needs + HANG_SECONDS
            self.log.add("final_started", family=family, seconds=round(seconds, 1))
            measured = final_measurement(
                runner, self.folder, self.plan.facts, spec, str(self.graph.path), seconds, None, self._tell_epoch, wall
            )
            if measured.state is TrialState.COMPLETE:
                if spec != winner.spec:
                    told_why = f"next verified: {winner.family} failed on the whole graph"
                    taken = Winner(family=family, spec=spec, reason=told_why)
                    write_text(self.folder.best, taken.model_dump_json(indent=1))
                self.log.add("final_finished", **told(measured, None))
                figures = bench.forecast(spec)
                predicted = Point(family, spec).candidate(figures)
                remember(self.plan.facts, spec, figures, measured)
                return Trial(
                    number=0, purpose="final", family=family, spec=spec, predicted=predicted, measured=measured
                )
            reason = measured.reason
            if measured.state is TrialState.TIMED_OUT and bench.left(1.0) <= 0:
                return self._untrained(bench, winner, reason or "no time is left")
            self.log.add("stepped_down", family=family, reason=reason)
        raise NoTrialSucceededError(f"final training failed: {reason}", f"See {self.folder.final}/log.txt")

    def _untrained(self, bench: Bench, winner: Winner, reason: str) -> Trial:
        """What a trial of the winner reached, where the budget has no room for its final training."""
        known = self._tried(bench, winner)
        if known is None:
            raise NoTrialSucceededError(f"final training failed: {reason}", f"See {self.folder.final}/log.txt")
        self.log.add("final_skipped", family=winner.family, reason=reason)
        measured = known.measured.model_copy(update={"reason": "stopped by time"})
        return known.model_copy(update={"number": 0, "purpose": "final", "measured": measured, "score": None})

    @staticmethod
    def _tried(bench: Bench, winner: Winner) -> Trial | None:
        """The last complete trial of the winner on the whole graph."""
        trials = (bench.known(purpose, winner.spec) for purpose in ("verify", "search"))
        done = (one for one in trials if one is not None and one.share >= 1.0)
        return next((one for one in done if one.measured.state is TrialState.COMPLETE), None)

    def _tell_epoch(self, event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            self.log.add("epoch", **{name: event[name] for name in ("epoch", "loss", "metric", "best")})

    def _report(
        self, bench: Bench, winner: Winner, final: Trial, parts: list[Part], summary: SearchSummary
    ) -> TuneReport:
        baselines = [trial for _, trial in standings(bench, self.plan) if trial.family == BASELINE_NAME]
        calibration = self.plan.facts.hardware.calibration
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
            trials=tuple(one.model_copy(update={"score": bench.score(one)}) for one in bench.trials),
            subsample=compared(self.graph, parts[-1].graph) if parts else {},
            search=summary,
            calibration=calibration.date if calibration else None,
        )
        write_report(self.folder, report)
        self.log.add("finished", folder=str(self.folder.path))
        return report


def study_of(folder: RunFolder, url: str | None) -> Study:
    """The run's study: in a journal of its own, or in a database under a name that says which run it is."""
    if url is None:
        return Study(folder.journal)
    return Study(url, f"gnnfit {folder.path.name} {fingerprint(folder.asked())}")


def _asked(name: str, wanted: Wanted, budget_seconds: float, trials: int | None, study: str | None) -> dict[str, Any]:
    """What the user asked for, as it stands in ``spec.toml``."""
    given = {"trials": trials, "study": study and masked(study)}
    asked = {"graph": name, "budget_seconds": float(budget_seconds)}
    return asked | {key: value for key, value in given.items() if value is not None} | wanted.described()
