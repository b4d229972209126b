"""How long something takes in training, in a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable

POINT_SECONDS = 0.004
"""Spent on one point of a grid in each round, or one turn where that takes longer."""


def seconds_of(
    work: Callable[[], object], budget_seconds: float = POINT_SECONDS, least: int = 1, *, warm: bool = True
) -> float:
    """Fewest seconds of a call, after one that is not counted: other work only ever makes it longer. Not ``warm``, all count:
    what finds its data wherever others left it."""
    if warm:
        work()
    fewest, turns, began = float("inf"), 0, time.perf_counter()
    while turns < least or time.perf_counter() - began < budget_seconds:
        start = time.perf_counter()
        work()
        fewest, turns = min(fewest, time.perf_counter() - start), turns + 1
    return max(fewest, 1e-9)


def average_seconds_of(work: Callable[[], object], turns: int) -> float:
    """The mean of so many calls, for what is slow now and then by its nature."""
    began = time.perf_counter()
    for _ in range(turns):
        work()
    return (time.perf_counter() - began) / turns
