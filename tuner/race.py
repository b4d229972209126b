"""Racing: a trial is over once it has fallen so far behind what others had learnt at its age that it cannot be expected to win.

Others are known by their frontier, the best validation metric that any of them had at each age. A trial with metric ``m`` after
``t`` seconds stands where the frontier stood after ``f`` seconds. If it goes on as slowly as it has, the goal, which the
frontier has reached after ``g`` seconds, takes it ``t g / f``; if it is as quick as the frontier from now on, ``t + g - f``. What is
expected lies between the two: how slow a trial begins says little (full batches learn late, and overtake), so its pace counts for
nothing at first, and for a half, as in a geometric mean, from a quarter of the goal's age on.

Who leads for a while may settle below the target all the same: a trial whose own curve cannot come to it in time is stopped, too.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from techniques.record import Record

if TYPE_CHECKING:
    from tuner.records import Evaluation

SLOWER = 1.8
"""So many times as long as the best may a trial be expected to take: curves cross. Like the two numbers below it was chosen on four
tables of ``tests/benchmarks/regret.py`` and one without its best row, and tried on a sixth: at 1.5 what wins in the end is stopped in two of
them, at 2.2 a quarter fewer trials are made."""
PACE_SHARE, PACE_FROM = 0.5, 0.25
MOST_GAIN = 3.0
"""So many times what a trial has learnt since half its age may it learn whenever its age doubles: one that could not come to the target
so before its time is over is stopped. Of the trials of seven tables that reach their target this stops 2 of 114, which take nine tenths
of their time and more; of all seconds it saves 1 to 27 %. With twice as much it would stop 6."""
FEWEST_SEEN, LEARNT, SETTLED_FROM = 3, 0.5, 1 / 6
"""It is judged so after as many evaluations since half its age, once it has come half the way to the target (full batches stay at the start
for long) and not before this share of its time."""


class Frontier(Record):
    """The best metric by age: both grow."""

    seconds: tuple[float, ...] = ()
    metrics: tuple[float, ...] = ()

    @staticmethod
    def of(histories: Iterable[Sequence[Evaluation]]) -> Frontier:
        """Of trials that have begun at the same state of knowledge: none."""
        seconds: list[float] = []
        metrics: list[float] = []
        for one in sorted((one for history in histories for one in history), key=lambda one: one.seconds):
            if not metrics or one.metric > metrics[-1]:
                seconds.append(one.seconds)
                metrics.append(one.metric)
        return Frontier(seconds=tuple(seconds), metrics=tuple(metrics))

    def age(self, metric: float) -> float | None:
        """Seconds after which somebody had at least this metric; ``None`` if nobody had."""
        place = bisect_left(self.metrics, metric)
        return self.seconds[place] if place < len(self.seconds) else None

    def expected_seconds(self, history: Sequence[Evaluation], goal_seconds: float) -> float:
        """Until the goal, for a trial with this history; its own best counts as a part of the frontier."""
        best, own = best_of(history)
        age = self.age(best)
        return expected_seconds(history[-1].seconds, own if age is None else min(age, own), goal_seconds)


def best_of(history: Sequence[Evaluation]) -> tuple[float, float]:
    """The best metric of a trial, and the age at which it had it first."""
    best = max(one.metric for one in history)
    return best, next(one.seconds for one in history if one.metric == best)


def expected_seconds(seconds: float, age: float, goal_seconds: float) -> float:
    """Until the goal, for a trial that stands after ``seconds`` where the frontier stood at ``age``."""
    at_its_pace = seconds * goal_seconds / max(age, 1e-9)
    from_here_at_best = seconds + max(goal_seconds - age, 0.0)
    weight = PACE_SHARE * min(seconds / (PACE_FROM * max(goal_seconds, 1e-9)), 1.0)
    expected = math.exp(
        weight * math.log(max(at_its_pace, 1e-9)) + (1.0 - weight) * math.log(max(from_here_at_best, 1e-9))
    )
    return max(expected, seconds)


def out_of_reach(history: Sequence[Evaluation], start: float, target: float, limit_seconds: float) -> bool:
    """Whether a trial learns too little by now to come to the target before its time is over; ``start`` is a metric of nothing
    learnt."""
    seconds, best = history[-1].seconds, max(one.metric for one in history)
    early = [one.metric for one in history if one.seconds <= seconds / 2.0]
    judged = early and len(history) - len(early) >= FEWEST_SEEN and seconds >= SETTLED_FROM * limit_seconds
    if not judged or best - start < LEARNT * (target - start) or seconds >= limit_seconds:
        return False
    return best + MOST_GAIN * (best - max(early)) * math.log2(limit_seconds / seconds) < target


class Race(Record):
    """What a trial must keep up with."""

    frontier: Frontier
    goal_seconds: float
    """Age at which the frontier reaches the goal; its end where none is set, the longest trained where nobody has reached it."""
    bound_seconds: float
    """A trial that is expected to take longer to the goal is stopped."""
    cap_seconds: float
    """A trial of this age is stopped unless it leads."""
    target: float | None = None
    """What a trial is to reach within its time, if that is known already."""
    limit_seconds: float = math.inf
    """Time of a full trial."""

    def lost(self, history: Sequence[Evaluation]) -> bool:
        """Whether a trial with this history is to be stopped; one that leads sets its own goal, and is stopped once it has learnt
        nothing for too long."""
        if self.target is not None and out_of_reach(history, self.frontier.metrics[0], self.target, self.limit_seconds):
            return True
        best, own = best_of(history)
        leads = best > self.frontier.metrics[-1]
        goal = max(self.goal_seconds, own) if leads else self.goal_seconds
        if self.frontier.expected_seconds(history, goal) > self.bound_seconds * goal / self.goal_seconds:
            return True
        return history[-1].seconds >= self.cap_seconds and not leads
