"""Neighbour sampling (Hamilton et al., NeurIPS 2017): a few neighbours per hop around a batch of seed nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.hetero.typed import is_typed
from techniques.base import USABLE, Knob, Part, Slot, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts
from techniques.job import Job, JobSpec, setting_int, setting_ints
from techniques.recipe_parts import inputs, seed_order
from techniques.sampling.batches import (
    SampledBatches,
    has_sparse_features,
    needs_node_labels,
    prefetch_knob,
    reaches_context,
    whole_epochs,
)
from techniques.sampling.last_batch import smaller_last_batch
from techniques.sampling.seeds import OrderedSeeds, distinct_seeds, draws_balanced, seed_order_knob, seeds_per_step
from techniques.sampling.shapes import HopSizes, hop_sizes, step_shape
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

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
class NeighborBatches(SampledBatches):
    """Batches drawn by our kernel behind PyG's ``NodeLoader``."""

    batch_size: int
    fanouts: tuple[int, ...]
    trim: bool
    balanced: bool

    def counted(self, graph: GraphFacts) -> HopSizes:
        return hop_sizes(graph, distinct_seeds(graph, self.batch_size, self.balanced), self.fanouts)

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        hops = graph.neighbor.sample(graph.seeds(self.batch_size, self.balanced, index), self.fanouts, index)
        return DrawnHops(tuple(hops.num_sampled_nodes), tuple(hops.num_sampled_edges))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return whole_epochs(graph.num_train, self.batch_size)

    def last_batch(self, graph: GraphFacts) -> HopSizes | None:
        return smaller_last_batch(self, graph)

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        """A position for every node, and a mark for every neighbour of the largest hub."""
        return FLOAT_BYTES * graph.num_nodes + graph.degrees.max

    def shape(self, graph: GraphFacts, nodes: list[float], edges: list[float]) -> StepShape:
        found, total = step_shape(nodes, edges, self.trim), sum(nodes)
        # Whoever takes all nodes has chosen none.
        return replace(found, reached=(total - nodes[0]) * max(1.0 - total / graph.num_nodes, 0.0))

    def block_copies(self) -> int:
        return len(self.fanouts)

    def build(self, job: Job) -> Job:
        from techniques.sampling.loading import neighbor_batches

        return neighbor_batches(job, self)


class Neighbor:
    """Memory is bounded by the batch, not by the graph; the aggregation is an estimate (source, technique 4)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "neighbor"
    text = "a few neighbours per hop: memory bounded by the batch, converges in few epochs"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        refused = needs_node_labels(facts) or one_fanout_per_layer(facts, spec)
        return refused or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (batch_size_knob(), *hop_knobs(facts), seed_order_knob(facts), prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        if is_typed(spec):
            from techniques.sampling.hetero_batches import neighbor_parts

            return neighbor_parts(facts, spec)
        batches = NeighborBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            batch_size=seeds_per_step(facts, spec),
            fanouts=setting_ints(spec.settings, "fanouts"),
            trim=bool(spec.settings["trim"]),
            balanced=draws_balanced(spec),
        )
        return (OrderedSeeds(batches.balanced), batches)

    def recipe(self, spec: JobSpec) -> str:
        imported, order = seed_order(spec)
        return f"""\
{imported}
from techniques.sampling.loader import NeighborLoader
# torch_geometric.loader has the same NeighborLoader where pyg-lib or torch-sparse is installed.
loader = NeighborLoader(
    data,
    num_neighbors={list(setting_ints(spec.settings, "fanouts"))},
    input_nodes=data.train_mask,
    batch_size={spec.settings["batch_size"]},
    {order},
)


def loss_of(batch):
    out = model({inputs(spec)})[: batch.batch_size]
    return criterion(out, batch.y[: batch.batch_size]), len(out)"""


def batch_size_knob() -> Knob:
    """Seeds of one step."""
    return Knob(name="batch_size", text="seeds per step", default=1024, choices=(256, 512, 1024, 2048, 4096))


def hop_knobs(facts: Facts) -> tuple[Knob, ...]:
    """How far and how wide neighbours are sampled."""
    layers = facts.model.layers or 2
    fanouts = FANOUT_CHOICES.get(layers, (default_fanouts(layers),))
    trim = "skip computation that later layers do not need"
    own = facts.model.architecture == "custom"  # its layers are the user's: they see whole batches
    return (
        Knob(name="fanouts", text="neighbours per hop, hop 1 first", default=fanouts[0], choices=fanouts),
        Knob(name="trim", text=trim, default=not own, choices=(True, False), tuned=False),
    )


def one_fanout_per_layer(facts: Facts, spec: JobSpec) -> Verdict | None:
    """A refusal where hops and layers do not match, or fewer hops are sampled than are wanted."""
    fanouts = setting_ints(spec.settings, "fanouts")
    layers = setting_int(spec.settings, "layers")
    if len(fanouts) != layers:
        text = f"{layers} layers need {layers} fanouts, got {len(fanouts)}"
        return refuse("fanouts", fanouts, "one fanout per layer", "PyG NeighborLoader", text)
    return reaches_context(facts, layers)


NEIGHBOR = Neighbor()
