"""What a hypervisor that takes free memory back costs training: blocks are made, read and let go as steps do, from report to report."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from techniques.hardware.reclaim import REPORT_SECONDS

BLOCK_BYTES, BLOCKS = 2**24, 24
FREE_BYTES = BLOCK_BYTES * BLOCKS / 2
"""At any moment, in the mean: blocks are made one by one, and let go one by one."""
REPORTS = 3
"""What one report takes is chance: 0 to 3.1 ns a byte in 21 of them, 0.9 in the median. The middle one of so many counts."""
USUAL_TIMES = 1.5
"""A turn that takes so many times the middle one has met a report: the others hardly differ."""
FIRST_SECONDS = 0.4
"""Not counted: turns in memory that nobody has touched for long, if ever."""


def measure_reclaimed() -> float:
    """Seconds per byte that is free when a report comes; next to nothing where nobody takes memory back."""
    _turns(FIRST_SECONDS)
    return reclaimed_seconds([_turns(REPORT_SECONDS) for _ in range(REPORTS)])


def reclaimed_seconds(reports: Sequence[Sequence[float]]) -> float:
    """What the turns that met a report took beyond the others, per byte: the middle one of several reports."""
    usual = statistics.median(turn for turns in reports for turn in turns)
    beyond = [sum(turn - usual for turn in turns if turn > USUAL_TIMES * usual) for turns in reports]
    return statistics.median(beyond) / FREE_BYTES


def _turns(seconds: float) -> list[float]:
    turns, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds:
        turns.append(_turn())
    return turns


def _turn() -> float:
    began, blocks = time.perf_counter(), []
    for _ in range(BLOCKS):
        blocks.append(torch.empty(BLOCK_BYTES // 4).zero_())
    while blocks:
        blocks.pop().sum()
    return time.perf_counter() - began
