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

FUSED = (GCN, SAGE, GIN, APPNP)
ALL = (*FUSED, Sage("max"), GAT, GATV2)
SIZES = ((2_000, 20_000), (6_000, 60_000))
"""Nodes and edges: tensors that caches hold, and tensors in memory of their own."""
COLUMNS, DEPTH = 64, 2


def whole_steps() -> list[Step]:
    """Every size of every pair of architecture and representation, one after the other."""
    pairs = [(one, True) for one in FUSED] + [(one, False) for one in ALL]
    return [step_of(one, fused, *size, COLUMNS, DEPTH) for one, fused in pairs for size in SIZES]


def sharing_seconds(steps: Sequence[Step], taken: Sequence[float], price: Price, step_seconds: float) -> float:
    """Of an operator that threads share, beside its work, from steps whose tensors are no new memory: a line through what
    they took over their price, by shared operators a second of it. Its other end is the factor that ``step_factors`` finds.

    Alone an operator finds the others still awake after its last turn: what it takes in a step is seen in steps only.
    """
    points = []
    for step, seconds in zip(steps, taken, strict=True):
        if step.name.endswith("csr"):
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


def step_factors(steps: Sequence[Step], taken: Sequence[float], price: Price, step_seconds: float) -> dict[str, Grid]:
    """Measured over priced beside dense products, by architecture and representation; axis the price.

    Args:
        steps: whole ones.
        taken: seconds of each.
        price: of operations.
        step_seconds: of a step beside them.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for step, seconds in zip(steps, taken, strict=True):
        expected, dense = parts(step, price)
        factor = max(seconds - step_seconds - dense, 0.1 * expected) / expected
        points.setdefault(step.name, []).append((expected, factor))
    grids = {name: _grid(sorted(several)) for name, several in points.items()}
    return {
        name: one
        for kind in ("csr", "coo")
        for name, one in pulled({name: grid for name, grid in grids.items() if name.endswith(kind)}).items()
    }


def _grid(points: Sequence[tuple[float, float]]) -> Grid:
    return Grid(axes=(tuple(price for price, _ in points),), values=tuple(factor for _, factor in points))


def pulled(grids: dict[str, Grid]) -> dict[str, Grid]:
    """Half the way to their median, size by size: one of them alone may have met other work."""
    middle = [statistics.median(values) for values in zip(*(one.values for one in grids.values()), strict=True)]
    return {
        name: one.model_copy(
            update={"values": tuple((value * of) ** 0.5 for value, of in zip(one.values, middle, strict=True))}
        )
        for name, one in grids.items()
    }
