"""Ranges as bars of text against a limit: readable without colour, at any width of 6 and more."""

from __future__ import annotations

from techniques.forecast import Range

SURE, MAYBE, FREE, LIMIT, OVER = "█", "▒", "·", "│", "▶"


def bar(value: Range, limit: float, width: int) -> str:
    """``█████▒▒▒····│``: surely used, perhaps used, free, and the limit; ``▶`` where it runs over.

    Args:
        value: low to high, in the unit of the limit.
        limit: what the bar's length stands for; where it is 0, everything is over.
        width: characters, the limit's mark included.
    """
    cells = max(width - 1, 1)
    if limit <= 0:
        return OVER * width if value.high > 0 else FREE * cells + LIMIT
    low, high = (round(cells * min(part / limit, 1.0)) for part in (value.low, value.high))
    high = max(high, 1) if value.high > 0 else 0
    body = (SURE * low + MAYBE * (high - low)).ljust(cells, FREE)
    return body + (OVER if value.high > limit else LIMIT)


def share(part: float, whole: float, width: int) -> str:
    """``████····`` of one quantity."""
    filled = round(width * min(max(part / whole, 0.0), 1.0)) if whole > 0 else 0
    return (SURE * filled).ljust(width, FREE)


def spark(values: list[float], width: int) -> str:
    """``▁▃▅█``: the last ``width`` values, least to most."""
    shown = values[-width:]
    if not shown:
        return ""
    least, most = min(shown), max(shown)
    steps = "▁▂▃▄▅▆▇█"
    span = most - least
    return "".join(steps[round(7 * (one - least) / span)] if span else steps[3] for one in shown)
