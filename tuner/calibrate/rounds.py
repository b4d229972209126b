"""Rounds of short measurements, thread counts in turn: other work comes and goes, and one of the rounds may miss it.

Of every point the round with the fewest seconds counts; how far the slowest lies above it is said beside the rates.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from techniques.hardware.calibration import ThreadRates
from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from techniques.hardware.prices import CalibratedPrices
from tuner.calibrate.elements import measure_elements, measure_touch
from tuner.calibrate.overhead import overhead, tiny_steps
from tuner.calibrate.products import measure_products
from tuner.calibrate.step import Step
from tuner.calibrate.steps import step_factors, whole_steps
from tuner.calibrate.sums import measure_sums
from tuner.calibrate.timing import seconds_of

ROUNDS = 3
TINY_SECONDS = 0.03
"""Spent on each step of a graph of 40 nodes, a round."""


class Round(NamedTuple):
    """What one round took with one number of threads."""

    grids: dict[Kind, Grid]
    touch: Grid
    tiny: tuple[float, ...]
    """Seconds of steps on a graph of 40 nodes, which are hardly more than their operators."""
    whole: tuple[float, ...]
    """Seconds of whole steps."""


def measure_rates(threads: Sequence[int], tell: Callable[[str], None]) -> tuple[ThreadRates, ...]:
    """Rates with each number of threads."""
    tiny, whole = tiny_steps(), whole_steps()
    rounds: dict[int, list[Round]] = {count: [] for count in threads}
    for number in range(ROUNDS):
        for count, found in rounds.items():
            tell(f"{count} thread{'s' * (count > 1)}, round {number + 1} of {ROUNDS}")
            torch.set_num_threads(count)
            found.append(_round(tiny, whole))
    return tuple(_rates(count, found, tiny, whole) for count, found in rounds.items())


def _round(tiny: Sequence[Step], whole: Sequence[Step]) -> Round:
    grids = measure_products() | measure_sums() | measure_elements()
    few = tuple(seconds_of(step.work, TINY_SECONDS) for step in tiny)
    return Round(grids, measure_touch(), few, tuple(seconds_of(step.work, 0.0) for step in whole))


def _rates(threads: int, rounds: Sequence[Round], tiny: Sequence[Step], whole: Sequence[Step]) -> ThreadRates:
    """What is kept of the rounds; overheads and factors follow from its prices."""
    found = ThreadRates(
        threads=threads,
        grids={kind: fewest([one.grids[kind] for one in rounds]) for kind in rounds[0].grids},
        touch=average([one.touch for one in rounds]),
        operator_seconds=1e-12,
        step_seconds=1e-12,
        varied=varied(rounds),
    )
    few = [min(taken) for taken in zip(*(one.tiny for one in rounds), strict=True)]
    operator, step = overhead(tiny, few, CalibratedPrices(found).seconds)
    found = found.model_copy(update={"operator_seconds": operator, "step_seconds": step})
    taken = [statistics.median(several) for several in zip(*(one.whole for one in rounds), strict=True)]
    return found.model_copy(update={"steps": step_factors(whole, taken, CalibratedPrices(found).seconds, step)})


def fewest(grids: Sequence[Grid]) -> Grid:
    """Point by point the round with the fewest seconds."""
    return _merged(grids, min)


def average(grids: Sequence[Grid]) -> Grid:
    """Their mean: differences of two measurements err either way."""
    return _merged(grids, statistics.mean)


def _merged(grids: Sequence[Grid], choose: Callable[[tuple[float, ...]], float]) -> Grid:
    values = tuple(choose(several) for several in zip(*(one.values for one in grids), strict=True))
    return grids[0].model_copy(update={"values": values})


def varied(rounds: Sequence[Round]) -> float:
    """How many times longer the slowest round took than the fastest: the median of all points."""
    spreads = [max(several) / min(several) for several in zip(*map(_points, rounds), strict=True)]
    return float(statistics.median(spreads))


def _points(one: Round) -> Iterator[float]:
    for kind in sorted(one.grids):
        yield from one.grids[kind].values
    yield from one.tiny
    yield from one.whole
