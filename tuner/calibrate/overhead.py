"""What a step takes beside its work: operators that do next to nothing, and the loop around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from techniques import option
from techniques.base import Slot
from techniques.hardware.operations import Kind, Operation
from tuner.calibrate.step import Price, Step, step_of

ARCHITECTURES = ("gcn", "sage", "gin", "gat")
DEPTHS = (1, 4)
NODES, EDGES, COLUMNS = 40, 120, 8


def tiny_steps() -> list[Step]:
    """Steps of one and of four layers on a graph of 40 nodes."""
    return [_tiny(name, depth) for name in ARCHITECTURES for depth in DEPTHS]


def _tiny(name: str, depth: int) -> Step:
    architecture: Any = option(Slot.ARCHITECTURE, name)
    return step_of(architecture, name != "gat", NODES, EDGES, COLUMNS, depth)


def overhead(steps: Sequence[Step], taken: Sequence[float], price: Price) -> tuple[float, float]:
    """Seconds of an operator and of a step: a line through what steps took beyond their work, over their operators.

    Args:
        steps: tiny ones.
        taken: seconds of each.
        price: what the work itself takes, overhead apart.
    """
    launched = [_launched(step.operations) for step in steps]
    beyond = [seconds - price(step.operations) for step, seconds in zip(steps, taken, strict=True)]
    mean_x, mean_y = sum(launched) / len(steps), sum(beyond) / len(steps)
    operator = max(min(slope(list(zip(launched, beyond, strict=True))), mean_y / mean_x), 1e-7)
    return operator, max(mean_y - operator * mean_x, 1e-6)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line of least squares through points."""
    mean_x, mean_y = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    apart = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / apart


def _launched(operations: Sequence[Operation]) -> float:
    return sum(one.inner if one.kind is Kind.LAUNCH else 1.0 for one in operations)
