"""Measurements of one candidate in several rounds: when they are enough, and what they say together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from techniques.forecast import Phase

Row = dict[str, Any]
ROUNDS_AGREE = 0.1
"""Epoch times of two rounds that differ by less need no third."""
MEASURED = ("measured", "baseline", "epoch_seconds", "wall_seconds", *(f"{phase.value}_measured" for phase in Phase))
"""What is the median of the rounds."""


def agree(rows: Sequence[Row], number: int) -> bool:
    """Whether a candidate needs no round of this number: it has more, or two epoch times that are alike, or none to compare."""
    times = sorted(float(row["epoch_seconds"]) for row in rows if row.get("epoch_seconds"))
    alike = any(late / early - 1 < ROUNDS_AGREE for early, late in pairwise(times))
    return len(rows) >= number or alike or not times


def together(rows: Sequence[Row]) -> Row:
    """One row of a candidate's rounds: the median of what was measured, and the forecasts, which are all the same."""
    found = dict(rows[0])
    for name in MEASURED if len(rows) > 1 else ():
        values = [float(row[name]) for row in rows if row.get(name)]
        found[name] = str(statistics.median(values)) if values else ""
    return found
