"""How long something takes, in a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable

POINT_SECONDS = 0.03
"""Spent on one point of a grid, or three turns where they take longer."""


def seconds_of(work: Callable[[], object], budget_seconds: float = POINT_SECONDS, least: int = 3) -> float:
    """Seconds of the quickest call, after one that is not counted: what disturbs a measurement only ever makes it longer."""
    work()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < least or time.perf_counter() - began < budget_seconds:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return max(min(taken), 1e-9)
