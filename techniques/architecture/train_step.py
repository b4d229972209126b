"""A training step: its memory, its operations, and the model and optimiser that take it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.chunks import RANKED_AGAINST, RANKED_EDGES
from techniques.architecture.forward import with_norm
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.ledger import ADAM_BYTES_PER_PARAMETER, StepCost, step_cost
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.operations.passes import Operations
from techniques.architecture.operations.step import training_step
from techniques.architecture.readout import Readout
from techniques.base import Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, SOURCE_BYTES, GraphFacts
from techniques.forecast import BATCH_LABELS, Forecast, Level, Phase, Place, Range
from techniques.hardware.allocator import (
    LIVE_ERROR,
    METRICS_BYTES,
    METRICS_TIMES,
    conversion_slack,
    independent,
    least_of,
    resident,
    rows_slack,
    set_slack,
)
from techniques.hardware.overlap import spend_steps
from techniques.hardware.rates import Rates
from techniques.hardware.reclaim import free_bytes
from techniques.job import Job
from techniques.step_shape import StepShape

BF16_BYTES = 2
"""Of the copy of a weight that a step in bf16 makes."""
BF16_SCRATCH = Range(0.0, 0.15, 0.45)
"""What products in bfloat16 keep on a CPU, over a step's live bytes: oneDNN's copies and a program for every shape (GraphSAGE and GAT
on amazon_computers, whole and sampled: 0.13 to 0.45; GCN and SGC on amazon_photo: nothing)."""
COUNTED_SIZES = Range(-0.2, 0.0, 0.2)
"""By which share of its live bytes a sampled step on the host is off where sizes of batches come from counts alone: degrees and what
neighbours share are assumed (126 sampled candidates on 23 graphs: 29 % too much to 33 % too little, 90 %). Devices have a wider range."""
SAMPLED_NONZEROS_ERROR = 0.12
"""How many non-zeros the rows of a batch have depends on which nodes it reaches (8 % fewer where seeds are drawn class by class on
coauthor_cs)."""
UPDATE_BYTES = 16
"""Per parameter, on a GPU: its gradient, the same with weight decay, and two on the way to the denominator, of all at once."""


@dataclass(frozen=True)
class TrainStep:
    """Forward, loss, backward, optimiser step."""

    architecture: LayerKind
    plan: NetworkPlan
    speed: Rates
    shapes_vary: bool
    accumulates: bool = False
    """Gradients stay from batch to batch."""
    stage: Stage = Stage.STEP

    def forecast(self, so_far: Forecast) -> Forecast:
        assert so_far.shape is not None and so_far.largest_shape is not None
        mean_shape = so_far.shape
        largest = self._cost(so_far, so_far.largest_shape)
        mean = largest if mean_shape is so_far.largest_shape else self._cost(so_far, mean_shape)
        seen = largest if so_far.seen_shape is None else self._cost(so_far, so_far.seen_shape)
        so_far = self._remembered(so_far, mean, seen, self._needs(so_far, seen, largest))
        so_far = so_far.changed(parameters=mean.parameters + self.plan.table_size)
        operations = self._operations(so_far, mean_shape)
        free, fused = free_bytes(self._live_bytes(mean), mean.blocks), so_far.fused or so_far.dense
        seconds = self.speed.training_seconds(operations, self.architecture.step_kind, fused, free)
        steps = so_far.full_steps_per_epoch
        return spend_steps(so_far, self.speed, seconds).changed(
            gemm_flops_per_epoch=Range.within(mean.gemm_flops * steps, 0.02),
            aggregation_flops_per_epoch=Range.within(
                mean.aggregation_flops * steps,
                SAMPLED_NONZEROS_ERROR if self.plan.sparse_input and so_far.loader is not None else 0.02,
            ),
        )

    def _remembered(self, so_far: Forecast, mean: StepCost, seen: StepCost, needs: Range) -> Forecast:
        """Parameters, the worst moment of the largest step, and what its optimiser and the judging leave behind."""
        place = self.speed.place
        per_parameter = ADAM_BYTES_PER_PARAMETER + (BF16_BYTES if self.plan.bf16 else 0)
        table_bytes = ADAM_BYTES_PER_PARAMETER * self.plan.table_size
        parameters = Range.within(per_parameter * mean.parameters + table_bytes, 0.02)
        so_far = so_far.hold(Phase.PREPARE, place, "parameters", parameters)
        so_far = so_far.hold(Phase.PREPARE, place, "best weights", best_weights(mean.parameters + self.plan.table_size))
        if self.plan.readout is Readout.PAIRS:
            so_far = so_far.hold(Phase.PREPARE, Place.HOST, "ranked targets", _ranked_targets(so_far.facts.graph))
        so_far = so_far.spike(Phase.TRAIN, place, needs)
        all_at_once = UPDATE_BYTES * (mean.parameters + self.plan.table_size)
        updating = mean.updating_bytes if place is Place.HOST else all_at_once
        so_far = so_far.spike(Phase.TRAIN, place, Range.within(updating, 0.3))
        if self.plan.bf16 and place is Place.HOST:
            held = {**so_far.held, (place, "scratch of bf16"): BF16_SCRATCH * self._live_bytes(seen)}
            so_far = so_far.changed(held=held).spike(Phase.TRAIN, place, needs)
        if place is Place.HOST:
            # Batches go before a model is judged, and freed heap is given back: what is left behind is no peak by itself.
            metrics = least_of(METRICS_BYTES, METRICS_TIMES * self._live_bytes(seen))
            so_far = so_far.changed(held={**so_far.held, (Place.HOST, "metrics"): metrics})
        return so_far

    def _live_bytes(self, step: StepCost) -> float:
        """Of one step, with what kernels take on the host."""
        return step.activation_bytes + (step.workspace_bytes if self.speed.place is Place.HOST else 0.0)

    def _needs(self, so_far: Forecast, seen: StepCost, largest: StepCost) -> Range:
        """Resident bytes of the largest step of a few epochs; at most at least those expected of the 99th percentile."""
        needs = self._resident(so_far, seen)
        if so_far.level is Level.COUNTS and so_far.loader is not None and self.speed.place is Place.HOST:
            needs = independent(needs, COUNTED_SIZES * self._live_bytes(seen))
        if seen is largest:
            return needs
        return Range(needs.low, needs.expected, max(needs.high, self._resident(so_far, largest).expected))

    def _resident(self, so_far: Forecast, step: StepCost) -> Range:
        """Resident bytes of one step."""
        place, live = self.speed.place, self._live_bytes(step)
        if self.plan.readout is Readout.GRAPHS and place is Place.HOST and self.shapes_vary:
            return independent(LIVE_ERROR * live, set_slack(live + _batch_bytes(so_far), step.blocks))
        needs = resident(live, step.blocks, place, self.shapes_vary)
        if place is not Place.HOST:
            return needs
        if so_far.rows_vary:
            needs = independent(needs, rows_slack(live, step.blocks))
        return needs + conversion_slack(step.sparse_blocks)

    def _operations(self, so_far: Forecast, shape: StepShape) -> Operations:
        return training_step(
            self.plan.sizes(so_far, shape),
            self.architecture.layer_operations,
            shape.seeds,
            self.plan.readout,
            self.plan.num_classes,
            so_far.parameters,
            norms=self.architecture.norms_per_layer if self.plan.norm else 0,
            checkpoint_layers=self.plan.checkpoint_layers,
        )

    def _cost(self, so_far: Forecast, shape: StepShape) -> StepCost:
        sizes = self.plan.sizes(so_far, shape)
        layers = [(size, with_norm(self.plan, size, self.architecture.layer_cost(size))) for size in sizes]
        return step_cost(
            layers,
            shape.seeds,
            self.plan.readout,
            self.plan.num_classes,
            self.plan.table_size,
            checkpoint_layers=self.plan.checkpoint_layers,
            accumulates=self.accumulates,
        )

    def build(self, job: Job) -> Job:
        import torch

        from techniques.architecture.optimizer import adam

        training = job.spec.training
        torch.manual_seed(training.seed)
        model = self.architecture.build_network(self.plan).to(job.need("device"))
        return replace(job, model=model, optimizer=adam(model, training))  # type: ignore[arg-type]


def best_weights(parameters: int) -> Range:
    """Bytes of the copy that is kept of the best weights."""
    return Range.exact(FLOAT_BYTES * parameters)


def _ranked_targets(graph: GraphFacts) -> Range:
    """Bytes of the random targets that held-out edges are ranked against, ids as the graph's own."""
    ranked = sum(min(one or 0, RANKED_EDGES) for one in (graph.labels.val, graph.labels.test))
    return Range(0.9, 1.0, INDEX_BYTES / SOURCE_BYTES) * (SOURCE_BYTES * RANKED_AGAINST * ranked)


def _batch_bytes(so_far: Forecast) -> float:
    """What is held of batches on the host."""
    return sum(amount.expected for (_, label), amount in so_far.held.items() if label in BATCH_LABELS)
