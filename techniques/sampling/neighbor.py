"""Neighbour sampling (Hamilton et al., NeurIPS 2017): a few neighbours per hop around a batch of seed nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Settings, Slot, Stage, Verdict, refuse
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range, StepShape
from techniques.job import Job, JobSpec, setting_int, setting_ints
from techniques.sampling.shapes import expected_hops, largest_hops, mean_hops, step_shape

SAMPLE_SECONDS_PER_EDGE = 40e-9
"""Own kernel, one thread, choose + gather + relabel (benchmark: tests/benchmarks/sampling.py)."""
COPY_BYTES_PER_SECOND = 2e9
"""Feature rows gathered into a fresh batch, one thread."""
SAMPLED_EDGE_BYTES = 40
"""Local ids of both ends, twice, and positions while a batch is being made."""
COUNTS_ERROR = 0.25
"""Batch sizes from the degree histogram alone are this uncertain."""
FANOUT_CHOICES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((10,), (25,), (5,)),
    2: ((10, 5), (10, 10), (25, 10), (5, 5)),
    3: ((10, 5, 5), (15, 10, 5), (5, 5, 5), (10, 10, 5)),
}


def default_fanouts(layers: int) -> tuple[int, ...]:
    """One fanout per layer, decreasing: hop 1 first, as PyG's ``num_neighbors``."""
    if layers in FANOUT_CHOICES:
        return FANOUT_CHOICES[layers][0]
    return (10,) + (5,) * (layers - 1)


@dataclass(frozen=True)
class ShuffledSeeds:
    """Train nodes in a fresh random order every epoch."""

    stage: Stage = Stage.SEEDS

    def forecast(self, so_far: Forecast) -> Forecast:
        return so_far.hold(Phase.PREPARE, Place.HOST, "seeds", Range.exact(16 * so_far.facts.graph.num_train))

    def build(self, job: Job) -> Job:
        import torch

        train = job.masks["train"].nonzero().flatten()
        return replace(job, seed_order=lambda: torch.randperm(train.numel()))


@dataclass(frozen=True)
class SampledBatches:
    """Batches drawn by our kernel behind PyG's ``NodeLoader``, made ahead of time by a background thread."""

    batch_size: int
    fanouts: tuple[int, ...]
    trim: bool
    prefetch: int
    sparse_features: bool
    stage: Stage = Stage.BATCH

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        seeds = min(self.batch_size, graph.num_train)
        mean, largest, error = self._shapes(so_far, seeds)
        steps = math.ceil(graph.num_train / self.batch_size)
        so_far = replace(
            so_far,
            shape=mean,
            largest_shape=largest,
            steps_per_epoch=steps,
            full_steps_per_epoch=graph.num_train / seeds,
        )
        scratch = FLOAT_BYTES * graph.num_nodes * (2 if self.prefetch else 1)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "sampler", Range.within(scratch, 0.1))
        bytes_each = self._batch_bytes(so_far, mean)
        alive = 1 + min(self.prefetch, steps - 1)
        so_far = so_far.hold(Phase.TRAIN, Place.HOST, "batches", Range.within(bytes_each * alive, error + 0.05))
        if alive > 1:
            making = Range.within(SAMPLED_EDGE_BYTES * mean.input_edges, error + 0.5)
            so_far = so_far.hold(Phase.TRAIN, Place.HOST, "sampling", making)
        return so_far.spend(Phase.TRAIN, self._wait_seconds(so_far, mean, bytes_each) * so_far.full_steps_per_epoch)

    def _shapes(self, so_far: Forecast, seeds: int) -> tuple[StepShape, StepShape, float]:
        if so_far.draw is None:
            nodes, edges = expected_hops(so_far.facts.graph, seeds, self.fanouts)
            shape = step_shape(nodes, edges, self.trim)
            return shape, shape, COUNTS_ERROR
        drawn = so_far.draw(seeds, self.fanouts)
        return step_shape(*mean_hops(drawn), self.trim), step_shape(*largest_hops(drawn), self.trim), 0.03

    def _batch_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        graph = so_far.facts.graph
        per_node = FLOAT_BYTES * graph.features.width
        if self.sparse_features:
            per_node = math.ceil(8 * graph.features.nonzeros / graph.num_nodes) + 4
        labels = FLOAT_BYTES * graph.labels.num_classes if graph.labels.multi_label else INDEX_BYTES
        return shape.input_nodes * (per_node + labels) + self._block_bytes(so_far, shape)

    def _block_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        """COO layers are views of one ``edge_index``; every CSR layer has arrays of its own."""
        layers = shape.layers if so_far.fused else shape.layers[:1]
        return sum(so_far.edge_bytes * layer.num_edges + so_far.row_bytes * layer.num_sources for layer in layers)

    def _wait_seconds(self, so_far: Forecast, shape: StepShape, batch_bytes: float) -> Range:
        seconds = SAMPLE_SECONDS_PER_EDGE * shape.input_edges + batch_bytes / COPY_BYTES_PER_SECOND
        hidden = self.prefetch > 0 and so_far.facts.hardware.cores > 1
        return Range.factor(seconds * (0.3 if hidden else 1.0), 3)

    def build(self, job: Job) -> Job:
        from techniques.sampling.loading import sampled_batches

        return sampled_batches(job, self)


@dataclass(frozen=True)
class Neighbor:
    """Memory is bounded by the batch, not by the graph; the aggregation is an estimate (source, technique 4)."""

    slot: Slot = Slot.SAMPLING
    name: str = "neighbor"
    text: str = "a few neighbours per hop: memory bounded by the batch, converges in few epochs"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        fanouts = setting_ints(spec.settings, "fanouts")
        layers = setting_int(spec.settings, "layers")
        if len(fanouts) != layers:
            text = f"{layers} layers need {layers} fanouts, got {len(fanouts)}"
            return refuse("fanouts", fanouts, "one fanout per layer", "PyG NeighborLoader", text)
        if facts.goal.context_hops is not None and facts.goal.context_hops > layers:
            text = f"{layers} hops are sampled, {facts.goal.context_hops} are wanted"
            return refuse("context", facts.goal.context_hops, "hops sampled = layers", "source, technique 4", text)
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        layers = facts.model.layers or 2
        fanouts = FANOUT_CHOICES.get(layers, (default_fanouts(layers),))
        return (
            Knob(name="batch_size", text="seed nodes per step", default=1024, choices=(256, 512, 1024, 2048, 4096)),
            Knob(name="fanouts", text="neighbours per hop, hop 1 first", default=fanouts[0], choices=fanouts),
            Knob(
                name="trim",
                text="skip computation that later layers do not need",
                default=True,
                choices=(True, False),
                tuned=False,
            ),
            Knob(name="prefetch", text="batches made ahead by a thread", default=2, low=0, high=16, tuned=False),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = SampledBatches(
            batch_size=_at_least_one(spec.settings, "batch_size"),
            fanouts=setting_ints(spec.settings, "fanouts"),
            trim=bool(spec.settings["trim"]),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=spec.options[Slot.REPRESENTATION_FEATURES] == "csr",
        )
        return (ShuffledSeeds(), batches)

    def recipe(self, spec: JobSpec) -> str:
        fanouts, size = list(setting_ints(spec.settings, "fanouts")), spec.settings["batch_size"]
        return (
            "from torch_geometric.loader import NeighborLoader  # needs pyg-lib\n"
            f"loader = NeighborLoader(data, num_neighbors={fanouts}, batch_size={size}, shuffle=True,\n"
            "                        input_nodes=data.train_mask)"
        )


def _at_least_one(settings: Settings, name: str) -> int:
    value = setting_int(settings, name)
    if value < 1:
        raise OptionError(f"{name} must be at least 1, got {value}", f"Write --set {name}=1024")
    return value


NEIGHBOR = Neighbor()
