"""What a forward pass over one batch needs where nothing is kept for a backward pass: batches of graphs, and ego graphs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from techniques.architecture.costs import LayerCost, normalised
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.step import inference
from techniques.facts import FLOAT_BYTES
from techniques.forecast import ZERO, Forecast, Range
from techniques.hardware.allocator import pass_resident
from techniques.step_shape import StepShape

if TYPE_CHECKING:
    from techniques.hardware.rates import Rates


class Forward(Protocol):
    """A network and the processor that it runs on."""

    @property
    def architecture(self) -> LayerKind: ...
    @property
    def plan(self) -> NetworkPlan: ...
    @property
    def speed(self) -> Rates: ...


def with_norm(plan: NetworkPlan, size: LayerSize, cost: LayerCost) -> LayerCost:
    """A layer's cost with the normalisation that follows it, if any."""
    return normalised(size, cost) if plan.norm else cost


def forward_resident(one: Forward, so_far: Forecast, shape: StepShape) -> Range:
    """The layer that needs most, beside its input."""
    peak = ZERO
    for size in one.plan.sizes(so_far, shape):
        cost = with_norm(one.plan, replace(size, bf16=False), one.architecture.layer_cost(size))
        floats = cost.inference + (0.0 if size.first else size.sources * size.columns_in)
        blocks = [FLOAT_BYTES * size.sources * columns for columns in (cost.gathered, size.columns_out)]
        peak = peak.maximum(pass_resident(FLOAT_BYTES * floats, blocks, one.speed.place, shapes_vary=True))
    return peak


def forward_seconds(one: Forward, so_far: Forecast, shape: StepShape) -> float:
    """How long the pass takes."""
    operations = inference(one.plan.sizes(so_far, shape), one.architecture.layer_operations)
    return one.speed.seconds(operations) + one.speed.step_seconds / 3
