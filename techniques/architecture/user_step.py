"""A training step of the user's module, and its evaluation: what their trace says that they need."""

from __future__ import annotations

import math
from dataclasses import dataclass

from techniques.architecture.ledger import ADAM_BYTES_PER_PARAMETER
from techniques.architecture.operations.traced import traced_operations
from techniques.architecture.train_step import best_weights
from techniques.architecture.user_plan import SEEDS_PER_BATCH, UserPlan, neighborhoods
from techniques.base import Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES
from techniques.forecast import BATCH_LABELS, Forecast, Phase, Place, Range
from techniques.hardware.allocator import resident
from techniques.hardware.overlap import spend_steps
from techniques.hardware.rates import Rates
from techniques.hardware.reclaim import free_bytes
from techniques.job import Job
from techniques.own_model import Trace, largest

TYPICAL_TENSORS = 6
"""A pass without gradients is taken for so many tensors of one size: the allocator treats small ones differently."""
STEP_ERROR = 0.1
"""Of small real steps: shapes that depend on values follow other neighbourhoods than those that were looked at."""
OTHER_KNOBS = 3.0
"""Knobs may have values that were not traced: figures may be so many times off."""
BULK_FACTOR = 1.5
"""Of seconds, where amounts of work are known but not its shapes."""
FORWARD_SHARE = 1 / 3
"""Of a training step, for a forward pass alone."""


@dataclass(frozen=True)
class UserStep:
    """Forward, loss, backward and optimiser step of the user's module; bytes, FLOPs and seconds from its trace."""

    trace: Trace
    plan: UserPlan
    speed: Rates
    shapes_vary: bool
    other_knobs: bool
    accumulates: bool
    """Gradients stay from batch to batch."""
    stage: Stage = Stage.STEP

    def forecast(self, so_far: Forecast) -> Forecast:
        assert so_far.shape is not None and so_far.largest_shape is not None
        mean, largest_shape, trace, place = so_far.shape, so_far.largest_shape, self.trace, self.speed.place
        # Gradients are among the live bytes of a step, and there before it where they are accumulated.
        per_parameter = ADAM_BYTES_PER_PARAMETER + (FLOAT_BYTES if self.accumulates else 0)
        held = Range.within(per_parameter * trace.parameters, 0.02)
        held = Range(held.low / OTHER_KNOBS, held.expected, held.high * OTHER_KNOBS) if self.other_knobs else held
        so_far = so_far.hold(Phase.PREPARE, place, "parameters", held)
        so_far = so_far.hold(Phase.PREPARE, place, "best weights", best_weights(trace.parameters))
        so_far = so_far.resting_on(f"your module traced on {trace.method}")
        size = (largest_shape.input_nodes, largest_shape.input_edges, largest_shape.seeds)
        live = step_bytes(trace, place, *size)
        blocks = [max(block.at(*size), 0.0) for block in trace.blocks]
        needs = resident(live, blocks, place, self.shapes_vary)
        so_far = so_far.spike(Phase.TRAIN, place, _uncertain(needs, trace, self.other_knobs))
        steps, size = so_far.full_steps_per_epoch, (mean.input_nodes, mean.input_edges, mean.seeds)
        flops = trace.gemm_flops(*size)
        free = free_bytes(live, blocks)
        seconds = self.speed.training_seconds(traced_operations(trace, *size), "custom", fused=False, free=free)
        off = BULK_FACTOR * (OTHER_KNOBS if self.other_knobs else 1.0)
        so_far = spend_steps(so_far, self.speed, seconds, off)
        counted = Range.factor(flops * steps, OTHER_KNOBS) if self.other_knobs else Range.within(flops * steps, 0.02)
        return so_far.changed(gemm_flops_per_epoch=counted, parameters=trace.parameters)

    def build(self, job: Job) -> Job:
        from techniques.architecture.user_module import build_network

        return build_network(job, self.plan)


@dataclass(frozen=True)
class UserEvaluation:
    """Logits of nodes by forward passes alone: of the whole graph, or of whole neighbourhoods batch by batch."""

    trace: Trace
    plan: UserPlan
    speed: Rates
    other_knobs: bool
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        so_far = so_far.drop(Place.HOST, *BATCH_LABELS)
        nodes, edges, batches = float(graph.num_nodes), float(graph.num_edges), 1
        rows = 0.0
        if self.plan.evaluation == "neighbourhoods":
            nodes, edges = neighborhoods(graph, self.plan.hops)
            batches = math.ceil(graph.num_nodes / SEEDS_PER_BATCH)
            rows = FLOAT_BYTES * nodes * graph.features.width
        live = largest(self.trace.infer, nodes, edges) + 2 * INDEX_BYTES * edges + rows
        live += FLOAT_BYTES * graph.num_nodes * (self.plan.columns or 1)
        needs = resident(live, _blocks(live), place, shapes_vary=batches > 1)
        so_far = so_far.spike(Phase.EVALUATE, place, _uncertain(needs, self.trace, self.other_knobs))
        forward = traced_operations(self.trace, nodes, edges, 0.0, share=FORWARD_SHARE)
        seconds = batches * self.speed.seconds(forward)
        off = BULK_FACTOR * (OTHER_KNOBS if self.other_knobs else 1.0)
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, off * self.speed.time_factor))

    def build(self, job: Job) -> Job:
        from techniques.architecture.user_module import build_predict

        return build_predict(job, self.plan)


def step_bytes(trace: Trace, place: Place, nodes: float, edges: float, seeds: float) -> float:
    """Live bytes of a training step at their peak; on the host with what kernels take for themselves."""
    live = largest(trace.train, nodes, edges, seeds)
    return live if place is Place.DEVICE else max(live, largest(trace.kernels, nodes, edges, seeds))


def _blocks(live_bytes: float) -> list[float]:
    return [live_bytes / TYPICAL_TENSORS] * TYPICAL_TENSORS


def _uncertain(found: Range, trace: Trace, other_knobs: bool) -> Range:
    """Fake tensors are exact; small steps as far off as at the size they were checked at, or more."""
    error = trace.checked_error if trace.method == "fake tensors" else max(trace.checked_error, STEP_ERROR)
    off = OTHER_KNOBS if other_knobs else 1.0
    return Range(found.low / (1 + error) / off, found.expected, found.high * (1 + error) * off)
