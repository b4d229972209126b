"""How long something takes in training, in a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable

POINT_SECONDS = 0.03
"""Spent on one point of a grid, or four turns where they take longer."""


def seconds_of(work: Callable[[], object], budget_seconds: float = POINT_SECONDS, least: int = 4) -> float:
    """Lowest decile of the seconds of a call, after one that is not counted: other work only ever makes it longer. What a
    quick call finds in the caches, and a step does not, is for those to say that measure whole steps."""
    work()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < least or time.perf_counter() - began < budget_seconds:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return max(sorted(taken)[len(taken) // 10], 1e-9)
