"""A made-up world whose every learning curve is known, and a search in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from planner.api import make_plan
from planner.pins import Pins
from planner.proposal import BASELINE_NAME
from planner.records import Plan
from techniques.base import Slot
from techniques.facts import Facts
from tuner.bench import SEARCH_SHARE, Bench
from tuner.parts import Fidelity, ladder
from tuner.records import Evaluation, Measurement, TrialState
from tuner.replay import cut
from tuner.search import Search
from tuner.space import Point, Space, families
from tuner.study import Study

START_SECONDS = 0.5
LIMIT, LONGEST = 9.0, 18.0
PLANS: dict[str, Plan] = {}
"""One for each world that is planned for."""


class World:
    """Learning curves by formula: the fastest at a learning rate of 0.02 and few hidden units, seconds on a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked: list[tuple[str, Fidelity, float | None]] = []
        self.out_of_memory: set[str] = set()
        self.top: Callable[[Point], float] = lambda point: 0.9

    def pace(self, point: Point) -> float:
        """Seconds until two thirds are learnt."""
        training, hidden = point.spec.training, point.spec.settings.get("hidden", 64)
        slow = 4.0 if point.family == BASELINE_NAME else 1.0
        slow *= 1.5 if point.spec.options[Slot.SAMPLING] != "full_batch" else 1.0
        return slow * 0.3 * (1 + math.log10(training.learning_rate / 0.02) ** 2 * 4) * (float(str(hidden)) / 32) ** 0.5

    def __call__(
        self, number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None
    ) -> Measurement:
        self.asked.append((point.spec.model_dump_json(), fidelity, target))
        if point.family in self.out_of_memory:
            self.seconds += START_SECONDS
            return Measurement(state=TrialState.OUT_OF_MEMORY, reason="used too much", wall_seconds=START_SECONDS)
        steps = [0.15 * one for one in range(1, int(LONGEST / 0.15) + 1)]
        history = tuple(
            Evaluation(epoch=epoch, seconds=t, loss=1.0, metric=self.top(point) * (1 - math.exp(-t / self.pace(point))))
            for epoch, t in enumerate(steps, 1)
        )
        whole = Measurement(
            state=TrialState.COMPLETE,
            reason="stopped by time",
            metric=history[-1].metric,
            history=history,
            peak_host_bytes=10**6,
            wall_seconds=START_SECONDS + history[-1].seconds,
        )
        found = cut(whole, fidelity.seconds, target, fidelity.race)
        self.seconds += found.wall_seconds
        return found


def search_in(
    world: World,
    facts: Facts,
    pins: Pins | None = None,
    budget: float = 120.0,
    shares: tuple[float, ...] = (),
    study: Any = None,
    trials: Any = (),
    max_trials: int | None = None,
    fits: Callable[[Any], bool] | None = None,
    others: Any = list,
) -> tuple[Bench, Space, Search, Plan]:
    """Bench, space, search and plan; the budget is the search's share."""
    asked = facts.model_dump_json() + repr(pins)
    if asked not in PLANS:
        PLANS[asked] = make_plan(facts, pins or Pins())
    plan = PLANS[asked]
    assert plan.best is not None
    space = Space(facts, families(plan.candidates, plan.baseline), pins or Pins())
    figures = plan.best.forecast
    too_large = figures.model_copy(update={"peak_host_bytes": figures.peak_host_bytes * 1e6})
    bench = Bench(
        facts,
        ladder(LIMIT, shares),
        world,
        lambda: world.seconds,
        budget / SEARCH_SHARE,
        lambda spec: figures if fits is None or fits(spec) else too_large,
        trials=trials,
        others=others,
    )
    return bench, space, Search(bench, space, study or Study(None), max_trials), plan
