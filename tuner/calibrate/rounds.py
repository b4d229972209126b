"""Rounds of short measurements, thread counts in turn: other work comes and goes, and one of the rounds may miss it.

Of every point the round with the fewest seconds counts; how far the slowest lies above it is said beside the rates.
"""

from __future__ import annotations

import statistics
import time
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
from tuner.calibrate.reclaimed import measure_reclaimed
from tuner.calibrate.step import Step
from tuner.calibrate.steps import sharing_seconds, step_factors, whole_steps
from tuner.calibrate.sums import measure_sums
from tuner.calibrate.timing import seconds_of

ROUNDS, FEWEST_ROUNDS, ROUNDS_SECONDS = 3, 2, 21.0
"""Another round is made where it is expected to end in time: a calibration is not to take minutes on slow machines."""
TINY_SECONDS = 0.02
"""Spent on each step of a graph of 40 nodes, a round."""
WHOLE_SECONDS = 0.02
"""Spent on each whole step, a round, or one turn."""


class Round(NamedTuple):
    """What one round took with one number of threads."""

    grids: dict[Kind, Grid]
    touch: Grid
    tiny: tuple[float, ...]
    """Seconds of steps on a graph of 40 nodes, which are hardly more than their operators."""
    whole: tuple[float | None, ...]
    """Seconds of whole steps, where they are timed."""


def measure_rates(threads: Sequence[int], tell: Callable[[str], None]) -> tuple[ThreadRates, ...]:
    """Rates with each number of threads."""
    tell("memory that is taken back")
    torch.set_num_threads(max(threads))
    reclaimed = measure_reclaimed()
    tiny, whole = tiny_steps(), whole_steps()
    rounds: dict[int, list[Round]] = {count: [] for count in threads}
    began = time.perf_counter()
    for number in range(ROUNDS):
        if number >= FEWEST_ROUNDS and (time.perf_counter() - began) * (number + 1) / number > ROUNDS_SECONDS:
            break
        for count, found in rounds.items():
            tell(f"{count} thread{'s' * (count > 1)}, round {number + 1} of at most {ROUNDS}")
            torch.set_num_threads(count)
            found.append(_round(tiny, whole))
    found_rates = (_rates(count, found, tiny, whole) for count, found in rounds.items())
    return tuple(rates.model_copy(update={"reclaimed_seconds": reclaimed}) for rates in found_rates)


def _round(tiny: Sequence[Step], whole: Sequence[Step]) -> Round:
    grids = measure_products() | measure_sums() | measure_elements()
    few = tuple(seconds_of(step.work, TINY_SECONDS) for step in tiny)
    many = tuple(_whole_seconds(step) if step.timed else None for step in whole)
    return Round(grids, measure_touch(), few, many)


def _whole_seconds(step: Step) -> float:
    """In the memory that its first turn has got: a run gets it once."""
    return seconds_of(step.work, WHOLE_SECONDS, least=2, warm=False)


def _rates(threads: int, rounds: Sequence[Round], tiny: Sequence[Step], whole: Sequence[Step]) -> ThreadRates:
    """What is kept of the rounds; overheads and factors follow from its prices."""
    found = ThreadRates(
        threads=threads,
        grids={kind: fewest([one.grids[kind] for one in rounds]) for kind in rounds[0].grids},
        touch=middle([one.touch for one in rounds]),
        operator_seconds=1e-12,
        step_seconds=1e-12,
        varied=varied(rounds),
    )
    few = [min(taken) for taken in zip(*(one.tiny for one in rounds), strict=True)]
    operator, step = overhead(tiny, few, CalibratedPrices(found).seconds)
    found = found.model_copy(update={"operator_seconds": operator, "step_seconds": step})
    taken = [min(filter(None, several), default=None) for several in zip(*(one.whole for one in rounds), strict=True)]
    if threads > 1:
        sharing = sharing_seconds(whole, taken, CalibratedPrices(found).seconds, step)
        found = found.model_copy(update={"sharing_seconds": sharing})
    return found.model_copy(update={"steps": step_factors(whole, taken, CalibratedPrices(found).seconds, step)})


def fewest(grids: Sequence[Grid]) -> Grid:
    """Point by point the round with the fewest seconds."""
    return _merged(grids, min)


def middle(grids: Sequence[Grid]) -> Grid:
    """Their median: differences of two measurements err either way."""
    return _merged(grids, statistics.median)


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
    yield from filter(None, one.whole)
