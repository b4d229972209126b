"""The trials of a run, scored: what the search and the verification know, whoever measured it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from planner.costing import fits
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, ForecastFigures
from techniques.facts import Facts, Objective
from techniques.job import JobSpec
from tuner.parts import Fidelity
from tuner.race import SLOWER, Frontier, Race
from tuner.records import Measurement, Trial
from tuner.scoring import MISSED, PERFECT, TOLERANCE, evaluations_target, score
from tuner.space import Point

SEARCH_SHARE, VERIFY_SHARE, FINAL_SHARE = 0.55, 0.75, 0.97
"""Of the budget: search until here, verification until here, final training until here, report the rest."""
SLACK = 2.0
"""Where no target is asked for, a trial may train so many times as long as the best took: it may show a better quality."""
FIRST_CAP_SECONDS = 0.2
"""No trial is stopped before: a first epoch on a small graph is mostly warming up."""
FIRST_SHARE, GROWTH = 1 / 6, 2.0
"""Until a trial has reached the target, none but who leads trains longer than the larger of this share of a full trial and so many
times the age at which the best quality yet was seen: the first few are cheap, and whoever leads is followed."""
HOPELESS = 1.2
"""A candidate whose first evaluation is expected so many times later than a trial may last is not tried."""


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
        outlook: the same from counts alone, quick enough for hundreds of points; by default ``forecast``.
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
        outlook: Callable[[JobSpec], ForecastFigures] | None = None,
    ) -> None:
        self.facts, self.ladder, self.clock, self.budget_seconds = facts, tuple(ladder), clock, budget_seconds
        self.forecast, self.keep, self.growth, self._measure = forecast, keep, growth, measure
        self.trials, self._others = list(trials), others
        self._targets: dict[tuple[float, int], float | None] = {}
        self._scores: dict[tuple[int, float | None], float | None] = {}
        self._outlook, self._outlooks = outlook or forecast, dict[str, ForecastFigures]()
        self._frontiers: dict[tuple[float, int], Frontier] = {}
        self._ratios: dict[int, float | None] = {}

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

    def outlook(self, spec: JobSpec) -> ForecastFigures:
        """What is expected of a spec on the whole graph from counts alone: to compare many."""
        key = spec.model_dump_json()
        if key not in self._outlooks:
            self._outlooks[key] = self._outlook(spec)
        return self._outlooks[key]

    def too_slow(self, spec: JobSpec) -> bool:
        """Whether the first evaluation is forecast so late that the race is over by then; forecasts are corrected by what this
        run has measured."""
        ratio = self._first_ratio()
        seconds = self.outlook(spec).first_evaluation_seconds
        return ratio is not None and ratio * seconds > HOPELESS * self.fidelity(self.top).seconds

    def _first_ratio(self) -> float | None:
        """First evaluations on the whole graph over their forecast; ``None`` before there is one: something has to be tried."""
        if len(self.trials) not in self._ratios:
            whole = [one for one in self.trials if one.share >= 1.0 and one.measured.history]
            found = [one.measured.history[0].seconds / self.outlook(one.spec).first_evaluation_seconds for one in whole]
            self._ratios = {len(self.trials): statistics.median(found) if found else None}
        return self._ratios[len(self.trials)]

    def predicted(self, point: Point) -> Candidate:
        """A point with its forecast, under the name of the plan's candidate that it varies."""
        return point.candidate(self.forecast(point.spec))

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

    @property
    def final_target(self) -> float | None:
        """The target, where no trial can raise it any more: the user asks for it, or it is all but perfect."""
        target = self.target
        final = self.facts.goal.target is not None or (target is not None and target >= PERFECT - TOLERANCE)
        return target if final else None

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
        if value is None or value >= MISSED or self.objective is not Objective.TIME or value < 0:
            return value
        return value * self.growth_of(trial)

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
        """A rung of the ladder, with the race that its trials are in; nothing on the whole graph trains on once it has lost."""
        rung_of, seconds = self.ladder[rung], self.ladder[rung].seconds
        if rung_of.whole and self.objective is Objective.TIME and self.best is not None:
            slack = SLACK if self.final_target is None else 1.0
            seconds = min(seconds, max(slack * self.best, FIRST_CAP_SECONDS))
        return Fidelity(rung_of.share, seconds, self.race(rung_of))

    def frontier(self, share: float) -> Frontier:
        """The best that trials on this share of the graph have learnt, by age."""
        key = share, len(self.trials)
        if key not in self._frontiers:
            self._frontiers = {kept: one for kept, one in self._frontiers.items() if kept[1] == len(self.trials)}
            self._frontiers[key] = Frontier.of(one.measured.history for one in self.trials if one.share == share)
        return self._frontiers[key]

    def race(self, rung: Fidelity) -> Race | None:
        """What a trial must keep up with, once anything has been learnt."""
        frontier = self.frontier(rung.share)
        if not frontier.seconds:
            return None
        goal = self.goal_seconds(rung.share)
        bound = max(SLOWER * goal, FIRST_CAP_SECONDS if self.objective is Objective.TIME else rung.seconds)
        target = self.target_at(rung.share)
        reached = target is not None and frontier.metrics[-1] >= target
        cap = rung.seconds if reached else max(FIRST_SHARE * rung.seconds, GROWTH * frontier.seconds[-1])
        # Almost the best of a part is no target: who settles below it there may be the quickest to the target on the whole graph.
        wanted = target if rung.whole and self.objective is not Objective.ACCURACY else None
        return Race(
            frontier=frontier,
            goal_seconds=goal,
            bound_seconds=bound,
            cap_seconds=cap,
            target=wanted,
            limit_seconds=rung.seconds,
        )

    def goal_seconds(self, share: float) -> float:
        """Age at which the frontier has reached the target, or its end where none is set; where nobody has, it lies beyond the
        longest that anybody has trained."""
        frontier, target = self.frontier(share), self.target_at(share)
        if target is None or self.objective is Objective.ACCURACY:
            return frontier.seconds[-1]
        ages = (one.measured.history[-1].seconds for one in self.trials if one.share == share and one.measured.history)
        return frontier.age(target) or max(ages)

    def growth_of(self, trial: Trial) -> float:
        return 1.0 if trial.share >= 1.0 else self.growth(trial.spec, trial.share)

    def measure(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, rung: int | None, stop_at_target: bool
    ) -> Trial:
        """Measure one point and keep it."""
        early = stop_at_target and self.objective is not Objective.ACCURACY
        target = self.final_target if early and fidelity.whole else None
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
