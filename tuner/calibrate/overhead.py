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
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(launched, beyond, strict=True))
    slope /= sum((x - mean_x) ** 2 for x in launched)
    slope = max(min(slope, mean_y / mean_x), 1e-7)
    return slope, max(mean_y - slope * mean_x, 1e-6)


def _launched(operations: Sequence[Operation]) -> float:
    return sum(one.inner if one.kind is Kind.LAUNCH else 1.0 for one in operations)
