"""How far a run may go beyond its budget to finish what it has begun."""

from __future__ import annotations


def overrun_seconds(budget: float) -> float:
    """The kill, and the report, come within 5 % or 10 s."""
    return 0.8 * max(0.05 * budget, 10.0)


def seconds_to_end(budget: float, elapsed: float) -> float:
    """Until whatever runs must have ended; below 0 where a slow start has used up more than that."""
    return budget - elapsed + overrun_seconds(budget)
