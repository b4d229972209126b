"""A real training step on a random graph, beside the operations that a forecast counts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.step import training_step
from techniques.architecture.optimizer import adam
from techniques.architecture.readout import Readout
from techniques.hardware.operations import Operation
from techniques.job import Training
from techniques.representation.block import Block
from techniques.sampling.blocks import hop_blocks
from techniques.step_shape import LayerShape, StepShape
from tuner.accumulation import Steps

if TYPE_CHECKING:
    from techniques.architecture.built_in import BuiltIn

Price = Callable[[list[Operation]], float]
"""Seconds of operations."""


class Step(NamedTuple):
    """``name`` as ``ThreadRates.steps`` has it."""

    name: str
    work: Callable[[], None]
    operations: list[Operation]
    timed: bool = True
    """Whether a calibration takes the time for it."""


def step_of(architecture: BuiltIn, fused: bool, nodes: int, edges: int, columns: int, depth: int) -> Step:
    """A step with everything of a run's but the making of its batch."""
    widths = (columns,) * (depth + 1)
    heads = 4 if architecture.name in ("gat", "gatv2") else 1
    plan = NetworkPlan(widths, heads, transform_first=False, sparse_input=False, dropout=0.5, num_classes=columns)
    model: Any = architecture.build_network(plan)
    optimizer = adam(model, Training())
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
    operations = list(training_step(sizes, layer, nodes, Readout.NODES, columns, parameters))
    return Step(f"{architecture.step_kind}/{'csr' if fused else 'coo'}", step, operations)


def _block(nodes: int, edges: int, *, fused: bool) -> Block:
    edge_index = torch.stack([torch.randint(nodes, (edges,)), torch.randint(nodes, (edges,)).sort().values])
    return next(iter(hop_blocks(edge_index, [nodes, nodes], [edges], fused=fused, trim=False)))
