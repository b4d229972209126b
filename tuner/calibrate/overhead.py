"""What a step takes beside its work: operators that do next to nothing, and the loop around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from techniques import option
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.step import training_step
from techniques.architecture.readout import Readout
from techniques.base import Slot
from techniques.hardware.operations import Kind, Operation
from techniques.representation.block import Block
from techniques.sampling.blocks import hop_blocks
from techniques.step_shape import LayerShape, StepShape
from tuner.accumulation import Steps
from tuner.calibrate.timing import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from techniques.architecture.built_in import BuiltIn

ARCHITECTURES = ("gcn", "sage", "gin", "gat")
DEPTHS = (1, 4)
NODES, EDGES, COLUMNS = 40, 120, 8


def measure_overhead(seconds: Callable[[list[Operation]], float]) -> tuple[float, float]:
    """Seconds of an operator and of a step: a line through steps on a graph of 40 nodes, over their operators.

    Args:
        seconds: what the work itself takes of operations, overhead apart.
    """
    points = [_point(name, depth, seconds) for name in ARCHITECTURES for depth in DEPTHS]
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    slope = max(min(slope, mean_y / mean_x), 1e-7)
    return slope, max(mean_y - slope * mean_x, 1e-6)


def _point(name: str, depth: int, seconds: Callable[[list[Operation]], float]) -> tuple[float, float]:
    architecture: Any = option(Slot.ARCHITECTURE, name)
    work, operations = step_of(architecture, name != "gat", NODES, EDGES, COLUMNS, depth)
    launched = sum(one.inner if one.kind is Kind.LAUNCH else 1.0 for one in operations)
    return launched, seconds_of(work, 0.2) - seconds(operations)


def step_of(
    architecture: BuiltIn, fused: bool, nodes: int, edges: int, columns: int, depth: int
) -> tuple[Callable[[], None], list[Operation]]:
    """A training step on a random graph, and the operations that a forecast counts of it."""
    widths = (columns,) * (depth + 1)
    heads = 4 if architecture.name in ("gat", "gatv2") else 1
    plan = NetworkPlan(widths, heads, transform_first=False, sparse_input=False, dropout=0.5, num_classes=columns)
    model: Any = architecture.build_network(plan)
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=1e-4)
    block = _block(nodes, edges, fused=fused)
    batch = Batch(torch.rand(nodes, columns), (block,) * depth, torch.randint(columns, (nodes,)))

    def step() -> None:
        model.train()
        steps = Steps(model, optimizer, 1)
        loss = loss_of(model.logits(batch), batch.y, None)
        steps.add(loss, nodes)
        float(loss.detach())
        steps.finish()

    shape = StepShape((LayerShape.homogeneous(nodes, nodes, edges),) * depth, nodes)
    sizes = shape_sizes(shape, widths, fused, transform_first=False, heads=heads)
    parameters = sum(one.numel() for one in model.parameters())
    layer = architecture.layer_operations
    return step, list(training_step(sizes, layer, nodes, Readout.NODES, columns, parameters))


def _block(nodes: int, edges: int, *, fused: bool) -> Block:
    edge_index = torch.stack([torch.randint(nodes, (edges,)), torch.randint(nodes, (edges,)).sort().values])
    return next(iter(hop_blocks(edge_index, [nodes, nodes], [edges], fused=fused, trim=False)))
