"""Ranges as people read them."""

from __future__ import annotations

from planner.quantities import format_bytes, format_seconds
from techniques.forecast import Range


def range_bytes(value: Range) -> str:
    """Such as ``1.90-2.40 GiB``."""
    return _span(format_bytes(int(value.low)), format_bytes(int(value.high)))


def range_seconds(value: Range) -> str:
    """Such as ``400-900 ms``."""
    return _span(format_seconds(value.low), format_seconds(value.high))


def _span(low: str, high: str) -> str:
    """From one quantity to another; a unit that both have is said once."""
    least, most = low.split(" "), high.split(" ")
    if len(least) == len(most) == 2 and least[1] == most[1]:
        return f"{least[0]}-{high}"
    return f"{low}-{high}"
