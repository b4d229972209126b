"""How long something takes, in a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable

POINT_SECONDS = 0.03
"""Spent on one point of a grid, or three turns where they take longer."""
LOW = 0.3
"""Quantile of turns: below the median, since what disturbs a measurement only ever makes it longer."""


def seconds_of(work: Callable[[], object], budget_seconds: float = POINT_SECONDS, least: int = 3) -> float:
    """Seconds of one call, after one that is not counted."""
    work()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < least or time.perf_counter() - began < budget_seconds:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return max(sorted(taken)[int(LOW * len(taken))], 1e-9)
