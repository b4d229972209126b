"""A table of measurements, searched again and again by the product's own search; run by ``regret.py``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from planner.catalog import machine
from planner.inspect.estimate import from_counts
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, ForecastFigures
from techniques.facts import Facts, Objective
from techniques.job import JobSpec
from tuner.bench import SEARCH_SHARE, Bench
from tuner.parts import ladder
from tuner.records import Measurement
from tuner.replay import Lookup, Table, TablePlaces, cut
from tuner.scoring import MISSED, evaluations_target, score, target_seconds
from tuner.search import Search
from tuner.space import Point
from tuner.study import Study

REFERENCE = "reference"
MISSED_REGRET = MISSED / 1e6


class Replayed:
    """A table that is searched again and again; ``again`` are regrets of rows by place that were measured in turn."""

    def __init__(self, file: Path, share: float, own_target: bool, again: Mapping[int, float] | None = None) -> None:
        found, self.again = Table(file).rows, again or {}
        self.rows = [row for row in found if not row.family.startswith(REFERENCE)]
        self.references = [row.measurement(1.0) for row in found if row.family.startswith(REFERENCE)]
        self.full = [row.measurement(1.0) for row in self.rows]
        self.cost = sum(one.wall_seconds for one in self.full)
        self.load = float(np.median([row.load for row in self.rows]))
        self.budget, self.own_target = share * self.cost, own_target
        trials = [Done(row.family, one) for row, one in zip(self.rows, self.full, strict=True)]
        self.target = evaluations_target(trials, BASELINE_NAME)
        self._forecasts = {row.spec.model_dump_json(): row.forecast for row in self.rows}
        self.facts = Facts(graph=from_counts(1, 1, directed=False), hardware=machine("laptop-16gb"))
        assert self.target is not None, "nothing in the table was measured to its end"

    def forecast(self, spec: JobSpec) -> ForecastFigures:
        """As the table keeps it."""
        return self._forecasts[spec.model_dump_json()]

    def searched(self, seed: int) -> tuple[float, float, float, float]:
        """Regret, seconds, trials, and the winner's place in the table."""
        lookup = Lookup(self.rows)
        goal = self.facts.goal.model_copy(update={"target": None if self.own_target else self.target})
        bench = Replay(
            self.facts.model_copy(update={"goal": goal}),
            ladder(self.rows[0].seconds),
            lookup,
            lambda: lookup.seconds,
            self.budget / SEARCH_SHARE,
            forecast=self.forecast,
        )
        Search(bench, TablePlaces(self.rows), Study(None), seed=seed).run()
        winner = bench.scored(bench.whole())[0][1].spec
        place = next(place for place, row in enumerate(self.rows) if row.spec == winner)
        return self.regret(place, bench.target), lookup.seconds, len(bench.trials), place

    def random(self, seed: int) -> tuple[float, float]:
        """Rows in random order, each until the target or its limit, for the same seconds; the best of them wins."""
        spent, best = 0.0, len(self.rows)
        for place in np.random.default_rng(seed).permutation(len(self.rows)):
            spent += cut(self.full[place], self.rows[place].seconds, self.target).wall_seconds
            if spent > self.budget:
                break
            if best == len(self.rows) or self.regret(place, self.target) < self.regret(best, self.target):
                best = int(place)
        return (self.regret(best, self.target) if best < len(self.rows) else float("inf")), spent

    def regret(self, place: int, target: float | None) -> float:
        """How much longer than the best of the table a row takes to the target: measured again, or else by the table alone."""
        if place in self.again:
            return self.again[place]
        found = [score(one, target, Objective.TIME) for one in self.full]
        best = min(one for one in found if one is not None)
        value = found[place]
        return float("inf") if value is None else value / best - 1.0

    def speed_up(self, places: Any) -> str:
        """PyG's defaults with their best learning rate over the winner: seconds to the defaults' best validation."""
        if self.usual is None:
            return "-"
        goal, slow = self.usual
        fast = [target_seconds(self.full[int(place)], goal) for place in places]
        return times(slow, float(np.median([one if one is not None else np.inf for one in fast])))

    @property
    def usual(self) -> tuple[float, float] | None:
        """The best validation metric of PyG's defaults, and their seconds to it."""
        if not self.references:
            return None
        best = max(self.references, key=lambda one: one.metric or 0.0)
        goal = max(one.metric for one in best.history)  # as tables keep it: rounded, unlike ``best.metric``
        seconds = target_seconds(best, goal)
        assert seconds is not None
        return goal, seconds


class Done(NamedTuple):
    """What a target is found from."""

    family: str
    measured: Measurement


class Replay(Bench):
    """A table's points are known to fit: they were measured."""

    def fits(self, spec: JobSpec) -> bool:
        return True

    def predicted(self, point: Point) -> Candidate:
        return Candidate.model_construct(name=point.family, forecast=self.forecast(point.spec))


def quantile(regrets: np.ndarray, level: float) -> float:
    """By linear interpolation, also between those that missed the target, which are infinite."""
    ranked = np.sort(regrets)
    place = level * (len(ranked) - 1)
    low, share = ranked[int(place)], place % 1
    return float(low if share == 0 or np.isinf(low) else low + share * (ranked[int(place) + 1] - low))


def times(slow: float, fast: float) -> str:
    """How many times as long; ``missed`` where the quick one did not come to it."""
    return f"{slow / fast:.1f}x" if math.isfinite(fast) else "missed"


def percent(regret: float) -> str:
    """Of the best; ``missed`` where the target was not reached."""
    return "missed" if regret > MISSED_REGRET else f"{regret:.1%}"
