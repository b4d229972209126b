"""Whole training steps beside the price of their operations: what operators take after one another, not one by one.

Dense products are bound by arithmetic and take the same either way: the factors are of the rest.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from techniques.architecture.appnp import APPNP
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.sage import SAGE, Sage
from techniques.hardware.grid import Grid
from techniques.hardware.operations import DENSE
from techniques.hardware.prices import is_shared
from tuner.calibrate.overhead import slope
from tuner.calibrate.step import Price, Step, step_of

Point = tuple[float, float | None]
"""Price of a step, and what it took over it, if it was timed."""

FUSED = (GCN, SAGE, GIN, APPNP)
ALL = (*FUSED, Sage("max"), GAT, GATV2)
SIZES = ((2_000, 20_000), (6_000, 60_000), (20_000, 200_000))
"""Nodes and edges: tensors that caches hold, rows per entry in memory of their own, and more of it than caches hold."""
TIMED_LARGE = {True: (GCN, SAGE, GIN), False: (GCN, SAGE, GAT)}
"""Of the largest size these are timed, fused or row by row, and the others taken to be like them: all would take four times as long."""
COLUMNS, DEPTH = 64, 2


def whole_steps() -> list[Step]:
    """Every size of every pair of architecture and representation, one after the other."""
    pairs = [(one, True) for one in FUSED] + [(one, False) for one in ALL]
    return [
        step_of(one, fused, *size, COLUMNS, DEPTH)._replace(timed=size != SIZES[-1] or one in TIMED_LARGE[fused])
        for one, fused in pairs
        for size in SIZES
    ]


def sharing_seconds(steps: Sequence[Step], taken: Sequence[float | None], price: Price, step_seconds: float) -> float:
    """Of an operator that threads share, beside its work, from steps whose tensors are no new memory: a line through what
    they took over their price, by shared operators a second of it. Its other end is the factor that ``step_factors`` finds.
    The largest size is left out: memory counts there more than sharing.

    Alone an operator finds the others still awake after its last turn: what it takes in a step is seen in steps only.
    """
    points = []
    for place, (step, seconds) in enumerate(zip(steps, taken, strict=True), 1):
        if step.name.endswith("csr") and seconds is not None and place % len(SIZES):
            expected, dense = parts(step, price)
            shared = sum(map(is_shared, step.operations))
            points.append((shared / expected, (seconds - step_seconds - dense) / expected))
    return max(slope(points), 0.0)


def parts(step: Step, price: Price) -> tuple[float, float]:
    """Seconds of what is not a dense product, and of what is."""
    return (
        price([one for one in step.operations if one.kind not in DENSE]),
        price([one for one in step.operations if one.kind in DENSE]),
    )


def step_factors(
    steps: Sequence[Step], taken: Sequence[float | None], price: Price, step_seconds: float
) -> dict[str, Grid]:
    """Measured over priced beside dense products, by architecture and representation; axis the price.

    Args:
        steps: whole ones.
        taken: seconds of each; ``None`` where it is like the others of its size.
        price: of operations.
        step_seconds: of a step beside them.
    """
    points: dict[str, dict[str, list[Point]]] = {"csr": {}, "coo": {}}
    for step, seconds in zip(steps, taken, strict=True):
        expected, dense = parts(step, price)
        factor = None if seconds is None else max(seconds - step_seconds - dense, 0.1 * expected) / expected
        points[step.name[-3:]].setdefault(step.name, []).append((expected, factor))
    return {name: one for several in points.values() for name, one in pulled(several).items()}


def pulled(points: dict[str, list[Point]]) -> dict[str, Grid]:
    """Half the way to their median, size by size: one of them alone may have met other work. Those that were not timed are at it."""
    sizes = zip(*(of_one for of_one in points.values()), strict=True)
    middle = [statistics.median([factor for _, factor in size if factor is not None]) for size in sizes]
    return {
        name: _grid([(price, ((factor or of) * of) ** 0.5) for (price, factor), of in zip(of_one, middle, strict=True)])
        for name, of_one in points.items()
    }


def _grid(points: Sequence[tuple[float, float]]) -> Grid:
    prices, factors = zip(*sorted(points), strict=True)
    return Grid(axes=(prices,), values=factors)
