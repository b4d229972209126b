"""The search: trials race, the best third on a part of the graph goes on to more of it, new points where a model expects most.

A trial is stopped once it cannot be expected to win (``tuner.race``). Successive halving without waiting (ASHA; Li et al.,
MLSys 2020) over parts of the graph; the plan's ranking comes first. The model starts from the forecast: what it learns is how
many steps a point needs (of the forecast's seconds), or how its memory differs from the forecast. All that is known is in the bench and in the study: a search that was killed, or that another process joins,
goes on from there.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from planner.proposal import BASELINE_NAME
from techniques.base import Slot
from techniques.facts import Objective
from techniques.job import JobSpec
from tuner.bench import SEARCH_SHARE, Bench
from tuner.parts import MIN_TRIAL_SECONDS
from tuner.records import RungSummary, SearchSummary, Trial
from tuner.space import Point, Vary
from tuner.study import Study
from tuner.surrogate import Surrogate, encoded, expected_improvement
from tuner.values import doubt, prior, value

ETA = 3
"""One of so many trials goes on to the next rung."""
DRAWS, NEIGHBOURS, BEST_VARIED, MOST_POOLED = 24, 4, 5, 300
"""New points for the model to choose from, by the step: drawn, and near each of the best; the newest stay in its choice."""
LEAST_GAIN = 0.01
"""An improvement that counts: what repeated measurements of one point differ by at best."""
LEAST_ACCURACY_GAIN = 0.001
FEWEST_STALE, MOST_STALE = 40, 120
"""Trials without such an improvement: after the first so many the model is asked whether all that are left are worth it, after
the others it is over whatever the model says."""
EXPLORE_EVERY = 6
"""One proposal of so many is drawn at random: the model may be wrong."""
FAR_BEHIND = 1.0
"""Of the plan's candidates, those that are forecast to take e times as long as another, or as many bytes, are not tried first."""
WORST = 4.0
"""How bad the bad ones are matters little: so many times e longer than the best is bad enough."""
PART_SHARE = 0.6
"""Of the search's time: until then new points are looked for on parts of the graph, then the whole one decides."""


class Places(Protocol):
    """Where points come from: a space to draw from, or the rows of a table."""

    def first(self) -> list[Point]: ...
    def draw(self, rng: np.random.Generator, count: int, vary: Vary) -> list[Point]: ...
    def near(self, point: Point, rng: np.random.Generator, vary: Vary) -> Point: ...


class Step(NamedTuple):
    """What to measure next, and at which rung."""

    point: Point
    rung: int


class Seen(NamedTuple):
    """A measured point, its value, and how far off that may be."""

    point: Point
    value: float
    doubt: float


class Search:
    """One process's part in the search of a run; processes that share it should differ in their seed."""

    def __init__(
        self, bench: Bench, places: Places, study: Study, max_trials: int | None = None, seed: int = 0
    ) -> None:
        self.bench, self.places, self.study, self.max_trials, self.seed = bench, places, study, max_trials, seed
        self.refused: set[str] = set()
        """Points that cannot fit, as JSON."""
        self.late: set[str] = set()
        """Points that a better one would have beaten before their first evaluation, by forecast."""
        self.expected: float | None = None
        """The improvement that the model expects of its best proposal."""
        self._busy: set[str] = set()
        self._pools: dict[Vary, dict[str, Point]] = {}
        self._redraws = 0

    def run(self) -> str:
        """Measure until it is over; why it is."""
        self.study.reclaim({one.number: one.score for one in self.bench.trials})
        while True:
            step = self.next()
            if isinstance(step, str):
                return step
            self.measure(step)

    def measure(self, step: Step) -> Trial | None:
        """Claim and measure one step; ``None`` where another process has it."""
        number = self.study.claim("search", step.point, f"rung {step.rung}")
        if number is None:
            self._busy.add(_key(step.point.spec, step.rung))
            return None
        fidelity = self.bench.fidelity(step.rung)
        left = self.bench.left(SEARCH_SHARE) - self.bench.overhead()
        fidelity = fidelity._replace(seconds=min(fidelity.seconds, max(left, MIN_TRIAL_SECONDS)))
        trial = self.bench.measure(number, "search", step.point, fidelity, step.rung, stop_at_target=True)
        self.study.tell(number, self.bench.score(trial), {"family": trial.family, "metric": trial.measured.metric})
        return trial

    def next(self) -> Step | str:
        """What to measure next, or why nothing is."""
        self.bench.refresh()
        self._busy = self.study.busy("search")
        over = self.study.over or self._used_up()
        if over is not None:
            return over
        step = next(self._first(), None) or next(self._promoted(), None)
        if step is not None:
            return step
        step = next(self._proposed(), None)
        if step is None:  # all that was drawn is measured, or left out: others may be better
            self._pools.clear()
            self._redraws += 1
            step = next(self._proposed(), None)
        if step is None:
            return "every point that fits, and is not too late, has been measured"
        return self._worth_it() or step

    def _used_up(self) -> str | None:
        searched = sum(1 for one in self.bench.trials if one.purpose == "search")
        if self.max_trials is not None and searched >= self.max_trials:
            return f"{self.max_trials} trials were asked for"
        # However slow the start was, the plan's first choice is measured.
        if searched and self.bench.left(SEARCH_SHARE) <= max(self.bench.overhead(), MIN_TRIAL_SECONDS / 2):
            return f"its share of the budget, {SEARCH_SHARE:.0%}, is used"
        return None

    def _worth_it(self) -> str | None:
        """Why more trials are not worth it, or ``None``."""
        stale = self.stale()
        if stale >= MOST_STALE:
            return f"no improvement of {LEAST_GAIN:.0%} in the last {stale} trials"
        least = LEAST_ACCURACY_GAIN if self.bench.objective is Objective.ACCURACY else LEAST_GAIN
        asked = self.bench.facts.goal.target is not None and self.bench.objective is not Objective.ACCURACY
        missed = asked and self.bench.best is None  # what was asked for is worth more than what is left of the budget
        if missed or self.expected is None or stale < FEWEST_STALE:
            return None
        left = self._left(MOST_STALE - stale)
        gain = left * self.expected  # none of them is expected to bring more than the next
        if gain >= least:
            return None
        text = f"{gain:.4f}" if self.bench.objective is Objective.ACCURACY else f"{gain:.1%}"
        return f"no improvement in the last {stale} trials, and what the next {left} could bring is {text} at most"

    def _left(self, most: int) -> int:
        """Trials that there is time for; one at least is what was asked about."""
        walls = [one.measured.wall_seconds for one in self.bench.trials if one.purpose == "search"]
        typical = max(statistics.median(walls), 1e-3)
        return max(1, min(most, int(self.bench.left(SEARCH_SHARE) / typical)))

    def stale(self) -> int:
        """Trials since the last that was better than all before it at its share of the graph."""
        best: dict[float, float] = {}
        stale = 0
        least = LEAST_ACCURACY_GAIN if self.bench.objective is Objective.ACCURACY else LEAST_GAIN
        for one in (one for one in self.bench.trials if one.purpose == "search"):
            found = value(self.bench, one)
            stale += 1
            if found < best.get(one.share, math.inf) - least:
                stale = 0
            best[one.share] = min(found, best.get(one.share, math.inf))
        return stale

    def _first(self) -> Iterator[Step]:
        """The plan's candidates, lowest rung first, but for those that are forecast to be far slower than the best of them: these
        wait for the model's choice.

        Where no target is asked for its first choice is a full trial, which shows what is to be had.
        """
        points = self.places.first()
        priors = [prior(self.bench, point.spec) for point in points]
        furthest = min(priors, default=0.0) + FAR_BEHIND
        for place, (point, foreseen) in enumerate(zip(points, priors, strict=True)):
            behind = place > 0 and foreseen > furthest
            if not behind and self.bench.known("search", point.spec) is None:
                full = place == 0 and self.bench.facts.goal.target is None
                yield from self._free(point, self.bench.top if full else 0)

    def _promoted(self) -> Iterator[Step]:
        """The best third of a rung that is not at the next yet, highest rung first."""
        for rung in reversed(range(self.bench.top)):
            ranked = [one for _, one in self.bench.scored(self.bench.at(rung))]
            for one in self._survivors(ranked):
                furthest = self.bench.known("search", one.spec)
                if furthest is None or (furthest.rung or 0) <= rung:
                    yield from self._free(Point(one.family, one.spec), rung + 1)

    def _survivors(self, ranked: list[Trial]) -> list[Trial]:
        """The best third; also the best of each sampler, which a part of the graph cannot compare."""
        kept = ranked[: len(ranked) // ETA]
        if len(ranked) < 2 * ETA:
            return kept
        best = {one.spec.options[Slot.SAMPLING]: one for one in reversed(ranked)}
        return kept + [one for one in best.values() if one not in kept]

    def _proposed(self) -> Iterator[Step]:
        """New points, those with the largest expected improvement first; where parts of the graph are searched, late ones vary what
        only the whole graph can tell, as long as there is any."""
        if self.bench.ladder[0].whole:
            yield from self._varied(Vary.EVERYTHING, 0)
            return
        if self.bench.clock() > PART_SHARE * SEARCH_SHARE * self.bench.budget_seconds:
            yield from self._varied(Vary.ON_WHOLE, self.bench.top)
        yield from self._varied(Vary.ON_PART, 0)

    def _varied(self, vary: Vary, rung: int) -> Iterator[Step]:
        seen = self._observed(rung)
        rng = np.random.default_rng((self.seed, len(self.bench.trials), self._redraws))
        pool = self._pool(seen, rng, vary)
        if len(self.bench.trials) % EXPLORE_EVERY == EXPLORE_EVERY - 1 or len(seen) < 2:
            order = list(rng.permutation(len(pool)))
        else:
            order = self._ranked(seen, pool)
        for place in order:
            yield from self._free(pool[int(place)], rung)

    def _observed(self, rung: int) -> list[Seen]:
        """What is known at the share of the graph where new points are looked for."""
        share = self.bench.ladder[rung].share
        return [
            Seen(Point(one.family, one.spec), value(self.bench, one), doubt(self.bench, one))
            for one in self.bench.trials
            if one.purpose == "search" and one.share == share
        ]

    def _pool(self, seen: list[Seen], rng: np.random.Generator, vary: Vary) -> list[Point]:
        """What may be measured next: the plan's candidates, random points, variations of the best, and what these were before."""
        ranked = sorted(seen, key=lambda one: one.value)
        best = [one.point for one in ranked if one.point.family != BASELINE_NAME][:BEST_VARIED]
        drawn = [] if vary is Vary.ON_WHOLE else [*self.places.first(), *self.places.draw(rng, DRAWS, vary)]
        drawn += [self.places.near(one, rng, vary) for one in best for _ in range(NEIGHBOURS)]
        known = {one.point.spec.model_dump_json() for one in seen}
        pool = {one.spec.model_dump_json(): one for one in drawn} | self._pools.get(vary, {})
        self._pools[vary] = dict(list(pool.items())[:MOST_POOLED])
        return [one for key, one in self._pools[vary].items() if key not in known]

    def _ranked(self, seen: list[Seen], pool: list[Point]) -> list[int]:
        """Places of the pool, best expected improvement first."""
        finite = [one.value for one in seen if math.isfinite(one.value)]
        if not pool or not finite:
            return list(range(len(pool)))
        points = [*(one.point for one in seen), *pool]
        x, groups = encoded(points, [self.bench.outlook(one.spec) for one in points])
        foreseen = np.array([prior(self.bench, one.spec) for one in points])
        values = np.minimum([one.value for one in seen], min(finite) + WORST)
        doubts = np.array([one.doubt for one in seen])
        model = Surrogate(x[: len(seen)], values - foreseen[: len(seen)], groups, doubts)
        mean, deviation = model.predict(x[len(seen) :])
        gain = expected_improvement(mean + foreseen[len(seen) :], deviation, min(finite))
        order = [int(place) for place in np.argsort(-gain, kind="stable")]
        self.expected = float(gain[order[0]])
        return order

    def _free(self, point: Point, rung: int) -> Iterator[Step]:
        """The step, unless another process has it or the forecast says that it cannot fit."""
        key = point.spec.model_dump_json()
        if _key(point.spec, rung) in self._busy or key in self.refused:
            return
        if rung == self.bench.top and self.bench.too_slow(point.spec):  # asked first: it draws no batches
            self.late.add(key)
            return
        if not self.bench.fits(point.spec):
            self.refused.add(key)
            return
        yield Step(point, rung)

    def summary(self, stopped: str, shares: dict[str, float]) -> SearchSummary:
        """What was done, rung by rung."""
        rungs = tuple(
            RungSummary(
                share=one.share,
                seconds=one.seconds,
                trials=len(self.bench.at(place)),
                spent_seconds=round(sum(trial.measured.wall_seconds for trial in self.bench.at(place)), 2),
            )
            for place, one in enumerate(self.bench.ladder)
        )
        lost = sum(1 for one in self.bench.trials if one.purpose == "search" and one.measured.lost_race)
        return SearchSummary(
            stopped=stopped, rungs=rungs, lost=lost, skipped=len(self.refused), late=len(self.late), shares=shares
        )


def _key(spec: JobSpec, rung: int) -> str:
    from tuner.study import point_key

    return point_key("search", spec, f"rung {rung}")
