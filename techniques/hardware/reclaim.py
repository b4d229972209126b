"""Free memory that a hypervisor takes back while a step does not use it, and that costs far more than touching to get again.

Tensors that are mapped one by one are handed back when they are freed, and mapped again by the next operator. In a virtual
machine with free page reporting (Linux, ``mm/page_reporting.c``) the pages that happen to be free when the kernel reports
are the host's, who clears others page by page. Measured here: epochs of GAT on amazon_photo took 1.0 s of processor time, and
2.4 s where 500 MB were reported meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from techniques.facts import FLOAT_BYTES
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import MAPPED_BYTES, heap_share
from techniques.hardware.operations import Kind, Operation

if TYPE_CHECKING:
    from techniques.hardware.rates import Rates

REPORT_SECONDS = 2.0
"""From report to report while pages are freed (``PAGE_REPORTING_DELAY``)."""
FREE_SHARE = 0.4
"""Of a step's mapped bytes at its peak that are free at any moment: what is kept for the backward pass grows and shrinks. Epochs of 243
candidates are forecast alike with 0.35 to 0.65 times 0.9 ns a byte, the median of 21 reports, and worse by two or three points of 20
with half of it or twice as much (``tests/benchmarks/accuracy.py``)."""
MOST_REPORTED_BYTES = 2.0**30
"""At one time: a sixteenth of the free memory, of some sixteen GiB."""


def free_bytes(live_bytes: float, blocks: Sequence[float]) -> float:
    """Of mapped tensors of a step that has ``live_bytes`` at its peak, at any moment."""
    return min(FREE_SHARE * live_bytes * (1.0 - heap_share(blocks)), MOST_REPORTED_BYTES)


def mapped_bytes(operations: Iterable[Operation]) -> float:
    """Of new tensors that are mapped one by one."""
    made = (FLOAT_BYTES * one.rows * one.columns for one in operations if one.fresh and one.kind is not Kind.LAUNCH)
    return sum(one for one in made if one >= MAPPED_BYTES)


def slowdown(seconds: float, mapped: float, free: float, seconds_per_byte: float) -> float:
    """How many times longer steps take that make ``mapped`` bytes in so many seconds, ``free`` of them reported at a time.

    Between two reports no byte is lost twice, and none that is not made again.
    """
    if not seconds or not seconds_per_byte:
        return 1.0
    every = 1.0 + seconds_per_byte * mapped / seconds
    left = 1.0 - seconds_per_byte * free / REPORT_SECONDS
    return min(every, 1.0 / left) if left > 0.0 else every


def refilled(so_far: Forecast, speed: Rates) -> Forecast:
    """An epoch begins on a heap that was given back before the last evaluation, which took long enough for a report or not."""
    if speed.place is not Place.HOST or speed.measured is None or not speed.measured.reclaimed_seconds:
        return so_far
    given_back = so_far.phases[Phase.TRAIN].host_peak_bytes.expected - so_far.held_bytes(Place.HOST).expected
    reported = min(1.0, so_far.phases[Phase.EVALUATE].seconds.expected / REPORT_SECONDS)
    seconds = speed.measured.reclaimed_seconds * reported * min(max(given_back, 0.0), MOST_REPORTED_BYTES)
    return so_far.spend(Phase.TRAIN, Range.factor(seconds, speed.time_factor))
