"""Whole training steps beside the price of their operations: what operators take after one another, not one by one."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from techniques.architecture.appnp import APPNP
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.sage import SAGE, Sage
from techniques.hardware.grid import Grid
from techniques.hardware.operations import Operation
from tuner.calibrate.overhead import step_of
from tuner.calibrate.timing import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from techniques.architecture.built_in import BuiltIn

FUSED = (GCN, SAGE, GIN, APPNP)
ALL = (*FUSED, Sage("max"), GAT, GATV2)
SIZES = ((2_000, 20_000), (12_000, 150_000))
"""Nodes and edges: tensors that caches hold, and tensors in memory of their own."""
COLUMNS, DEPTH = 64, 2
WORK_SECONDS = 0.15


def measure_steps(seconds: Callable[[list[Operation]], float], step_seconds: float) -> dict[str, Grid]:
    """Measured over priced, by architecture and representation; axis the price.

    Args:
        seconds: the price of operations.
        step_seconds: of a step beside them.
    """
    fused = {f"{one.step_kind}/csr": _grid(one, True, seconds, step_seconds) for one in FUSED}
    return pulled(fused) | pulled({f"{one.step_kind}/coo": _grid(one, False, seconds, step_seconds) for one in ALL})


def pulled(grids: dict[str, Grid]) -> dict[str, Grid]:
    """Half the way to their median, size by size: one of them alone may have met other work."""
    middle = [statistics.median(values) for values in zip(*(one.values for one in grids.values()), strict=True)]
    return {
        name: one.model_copy(
            update={"values": tuple((value * of) ** 0.5 for value, of in zip(one.values, middle, strict=True))}
        )
        for name, one in grids.items()
    }


def _grid(architecture: BuiltIn, fused: bool, seconds: Callable[[list[Operation]], float], step_seconds: float) -> Grid:
    points: list[tuple[float, float]] = []
    for nodes, edges in SIZES:
        work, operations = step_of(architecture, fused, nodes, edges, COLUMNS, DEPTH)
        price = seconds(operations)
        points.append((price, max(seconds_of(work, WORK_SECONDS) - step_seconds, 0.1 * price) / price))
    points.sort()
    return Grid(axes=(tuple(price for price, _ in points),), values=tuple(factor for _, factor in points))
