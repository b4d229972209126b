"""The trials of a run, scored: what the search and the verification know, whoever measured it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from planner.costing import fits
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, ForecastFigures
from techniques.facts import Facts, Objective
from techniques.job import JobSpec
from tuner.parts import RUNGS, Fidelity
from tuner.records import Measurement, Trial
from tuner.scoring import MISSED, evaluations_target, score
from tuner.space import Point

SEARCH_SHARE, VERIFY_SHARE, FINAL_SHARE = 0.55, 0.75, 0.97
"""Of the budget: search until here, verification until here, final training until here, report the rest."""
TRIAL_SHARE = 1 / 20
"""Of the budget, for one trial of full length."""
MIN_TRIAL_SECONDS = 2.0
MAX_TRIAL_SECONDS = 1800.0
MIN_RUNG_SECONDS = 0.5
"""Starting a trial takes about as long: shorter ones save nothing."""
SLACK = 2.0
"""A trial that has trained so many times as long as the best took cannot win; up to there it may show a better quality."""
FIRST_CAP_SECONDS = 0.2
GAP_WEIGHT = 5.0
"""How many times e longer a miss by 1.0 of the metric counts for the model: 0.1 short is 1.6 times as long."""


class Measure(Protocol):
    """Measures one spec: in a child process, or by looking it up in a table."""

    def __call__(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None
    ) -> Measurement: ...


class Bench:
    """Trials of this process and of others, past and present.

    Args:
        measure: how a spec is measured.
        clock: seconds of the budget that are used.
        forecast: what the planner expects of a spec on the whole graph.
        keep: called with every trial that was measured here.
        growth: how many times as long a step takes on the whole graph as on a part of this share.
        others: trials that other processes have finished meanwhile.
    """

    def __init__(
        self,
        facts: Facts,
        ladder: Sequence[Fidelity],
        measure: Measure,
        clock: Callable[[], float],
        budget_seconds: float,
        forecast: Callable[[JobSpec], ForecastFigures],
        trials: Iterable[Trial] = (),
        keep: Callable[[Trial], None] = lambda trial: None,
        growth: Callable[[JobSpec, float], float] = lambda spec, share: 1.0,
        others: Callable[[], list[Trial]] = list,
    ) -> None:
        self.facts, self.ladder, self.clock, self.budget_seconds = facts, tuple(ladder), clock, budget_seconds
        self.forecast, self.keep, self.growth, self._measure = forecast, keep, growth, measure
        self.trials, self._others = list(trials), others
        self._targets: dict[tuple[float, int], float | None] = {}
        self._scores: dict[tuple[int, float | None], float | None] = {}

    def refresh(self) -> None:
        """Learn of what other processes have measured."""
        known = {one.number for one in self.trials}
        self.trials += [one for one in self._others() if one.number not in known]

    @property
    def top(self) -> int:
        """The rung of full trials: the whole graph, full length."""
        return len(self.ladder) - 1

    @property
    def objective(self) -> Objective:
        return self.facts.goal.optimize

    def left(self, share: float) -> float:
        """Seconds until this share of the budget is used."""
        return self.budget_seconds * share - self.clock()

    def overhead(self, spec: JobSpec | None = None) -> float:
        """Seconds of a trial beside its training: starting, loading, preparing; of this spec, if that is known."""
        done = [one for one in self.trials if one.share >= 1.0 and one.measured.history]
        same = [one for one in done if one.spec == spec] or done
        beside = [
            one.measured.wall_seconds - min(one.measured.history[-1].seconds, one.limit_seconds or 0.0) for one in same
        ]
        return max(statistics.median(beside), 0.0) if beside else 0.0

    def fits(self, spec: JobSpec) -> bool:
        return fits(self.facts, self.forecast(spec))

    def predicted(self, point: Point) -> Candidate:
        """A point with its forecast, under the name of the plan's candidate that it varies."""
        return as_candidate(point.family, point.spec, self.forecast(point.spec))

    @property
    def target(self) -> float | None:
        """What a candidate must reach on the whole graph.

        What the user asks for; else the baseline's best, or almost the best of all if that is higher, once a full trial
        has shown what is to be had.
        """
        if self.facts.goal.target is not None:
            return self.facts.goal.target
        whole = [one for one in self.trials if one.share >= 1.0]
        if all(one.rung not in (None, self.top) or one.measured.metric is None for one in whole):
            return None
        return evaluations_target(whole, BASELINE_NAME)

    def target_at(self, share: float) -> float | None:
        """On a part of the graph: almost the best that was reached there."""
        key = share, len(self.trials)
        if key not in self._targets:
            seen = [one for one in self.trials if one.share == share]
            self._targets[key] = self.target if share >= 1.0 else evaluations_target(seen, "")
        return self._targets[key]

    def score(self, trial: Trial) -> float | None:
        """Smaller is better; ``None`` is infeasible. Seconds on a part count as what they would be on the whole graph."""
        key = trial.number, self.target_at(trial.share)
        if key not in self._scores:
            self._scores[key] = score(trial.measured, key[1], self.objective)
        value = self._scores[key]
        if value is None or trial.share >= 1.0 or value >= MISSED or self.objective is not Objective.TIME or value < 0:
            return value
        return value * self.growth(trial.spec, trial.share)

    def reached(self, trial: Trial) -> bool:
        """Whether it has come to the target: training longer would not change its score, unless accuracy is the goal."""
        value = None if self.objective is Objective.ACCURACY else self.score(trial)
        return value is not None and value < MISSED and self.target_at(trial.share) is not None

    def scored(self, trials: Iterable[Trial]) -> list[tuple[float, Trial]]:
        """Feasible trials, best first."""
        found = [(self.score(one), one) for one in trials]
        return sorted(((value, one) for value, one in found if value is not None), key=lambda pair: pair[0])

    def at(self, rung: int) -> list[Trial]:
        """Search trials of one rung."""
        return [one for one in self.trials if one.purpose == "search" and one.rung == rung]

    def whole(self) -> list[Trial]:
        """Search trials on the whole graph, whatever their length."""
        return [one for one in self.trials if one.purpose == "search" and one.share >= 1.0]

    def known(self, purpose: str, spec: JobSpec) -> Trial | None:
        """The furthest trial that has measured this already."""
        found = [one for one in self.trials if one.purpose == purpose and one.spec == spec]
        return max(found, key=lambda one: -1 if one.rung is None else one.rung, default=None)

    @property
    def best(self) -> float | None:
        """The best score on the whole graph, where the target was reached."""
        ranked = self.scored(self.whole())
        return ranked[0][0] if ranked and ranked[0][0] < MISSED and self.target_at(1.0) is not None else None

    def fidelity(self, rung: int) -> Fidelity:
        """A rung of the ladder; nothing on the whole graph trains on once it has lost the race."""
        rung_of = self.ladder[rung]
        if rung_of.whole and self.objective is Objective.TIME and self.best is not None:
            return Fidelity(1.0, min(rung_of.seconds, max(SLACK * self.best, FIRST_CAP_SECONDS)))
        return rung_of

    def value(self, trial: Trial) -> float:
        """A trial's score as the model sees it: logarithms of seconds and bytes, misses by how far they miss."""
        value = self.score(trial)
        if value is None:
            return math.inf
        if value >= MISSED:
            miss = 0.5 + GAP_WEIGHT * (value / MISSED - 1.0)
            if self.objective is Objective.MEMORY:
                return math.log(max(trial.measured.peak_host_bytes + trial.measured.peak_device_bytes, 1)) + 1.0 + miss
            return math.log((trial.limit_seconds or 1.0) * self._growth(trial)) + miss
        return math.log(max(value, 1e-9)) if value > 0 else value

    def _growth(self, trial: Trial) -> float:
        return 1.0 if trial.share >= 1.0 else self.growth(trial.spec, trial.share)

    def measure(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, rung: int | None, stop_at_target: bool
    ) -> Trial:
        """Measure one point and keep it."""
        early = stop_at_target and self.objective is not Objective.ACCURACY
        target = self.facts.goal.target if early and fidelity.whole else None
        measured = self._measure(number, purpose, point, fidelity, target)
        trial = Trial(
            number=number,
            purpose=purpose,
            family=point.family,
            spec=point.spec,
            predicted=self.predicted(point),
            measured=measured,
            share=fidelity.share,
            rung=rung,
            limit_seconds=fidelity.seconds,
        )
        self.trials.append(trial)
        scored = trial.model_copy(update={"score": self.score(trial)})
        self.trials[-1] = scored
        self.keep(scored)
        return scored


def full_seconds(budget_seconds: float) -> float:
    """How long a full trial trains at most."""
    return min(max(budget_seconds * TRIAL_SHARE, MIN_TRIAL_SECONDS), MAX_TRIAL_SECONDS)


def ladder(seconds: float, parts: Sequence[float] = (), target: float | None = None) -> tuple[Fidelity, ...]:
    """Rungs from the cheapest to full trials: parts of the graph, or of the time where the whole graph is quick.

    Where a target is asked for, no trial is as short as a ninth of a full one: it tells who learns fast, not who gets
    there (``tests/benchmarks/regret.py``: with such trials 20 %, without them all of the searches reached it).
    """
    if parts:
        below = tuple(Fidelity(share, max(seconds * share, MIN_RUNG_SECONDS)) for share in sorted(parts))
        return (*below, Fidelity(1.0, seconds))
    shares = RUNGS if target is None else RUNGS[1:]
    return tuple(
        Fidelity(1.0, seconds * share) for share in shares if share == 1.0 or seconds * share >= MIN_RUNG_SECONDS
    )


def as_candidate(family: str, spec: JobSpec, figures: ForecastFigures) -> Candidate:
    """A spec with its forecast, under the name of the plan's candidate that it varies."""
    return Candidate(
        name=family, options=spec.options, settings=spec.settings, training=spec.training, forecast=figures
    )
