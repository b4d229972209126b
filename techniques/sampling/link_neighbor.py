"""Neighbour sampling around the ends of training edges and of random pairs, for link prediction (PyG LinkNeighborLoader)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from techniques.base import USABLE, Knob, Part, Slot, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts, Task
from techniques.job import Job, JobSpec, setting_int, setting_ints
from techniques.recipe_parts import inputs
from techniques.sampling.batches import SampledBatches, at_least_one, has_sparse_features, prefetch_knob, whole_epochs
from techniques.sampling.last_batch import smaller_last_batch
from techniques.sampling.neighbor import batch_size_knob, hop_knobs, one_fanout_per_layer
from techniques.sampling.seeds import OrderedSeeds
from techniques.sampling.shapes import HopSizes, hop_sizes, step_shape
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph


@dataclass(frozen=True)
class LinkBatches(SampledBatches):
    """Batches of ``batch_size`` training edges and ``negatives`` random pairs for each."""

    batch_size: int
    fanouts: tuple[int, ...]
    trim: bool
    negatives: int

    def counted(self, graph: GraphFacts) -> HopSizes:
        """The ends are distinct nodes: an end of an edge is found in proportion to its degree, that of a random pair
        uniformly; both are taken as uniform here."""
        ends = 2 * self._pairs(graph)
        distinct = graph.num_nodes * -math.expm1(-ends / graph.num_nodes)
        return hop_sizes(graph, distinct, self.fanouts)

    def _pairs(self, graph: GraphFacts) -> int:
        return min(self.batch_size, graph.num_train) * (1 + self.negatives)

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        ends = graph.pairs(self.batch_size, self.batch_size * self.negatives, index)
        hops = graph.neighbor.sample(ends, self.fanouts, index)
        return DrawnHops(tuple(hops.num_sampled_nodes), tuple(hops.num_sampled_edges))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return whole_epochs(graph.num_train, self.batch_size)

    def last_batch(self, graph: GraphFacts) -> HopSizes | None:
        return smaller_last_batch(self, graph)

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        """A position for every node, and a mark for every neighbour of the largest hub."""
        return FLOAT_BYTES * graph.num_nodes + graph.degrees.max

    def seeds(self, graph: GraphFacts, nodes: float) -> float:
        return self._pairs(graph)

    def shape(self, graph: GraphFacts, nodes: list[float], edges: list[float]) -> StepShape:
        return StepShape(step_shape(nodes, edges, self.trim).layers, self._pairs(graph))

    def block_copies(self) -> int:
        return len(self.fanouts)

    def build(self, job: Job) -> Job:
        from techniques.sampling.loading import link_batches

        return link_batches(job, self)


class LinkNeighbor:
    """Mini-batches for link-level tasks (source, technique 4); a link's logit is the dot product of its two ends."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "link_neighbor"
    text = "edges as seeds, with random non-edges: for link prediction"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        if facts.task is not Task.LINK:
            text = "its seeds are edges, and the task is one of labels"
            return refuse("task", facts.task.value, "link-level tasks only", "source, technique 4", text)
        return one_fanout_per_layer(facts, spec) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        negatives = Knob(name="negatives", text="random pairs per training edge", default=1, choices=(1, 2, 4))
        return (batch_size_knob(), *hop_knobs(facts), negatives, prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = LinkBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            batch_size=at_least_one(spec.settings, "batch_size"),
            fanouts=setting_ints(spec.settings, "fanouts"),
            trim=bool(spec.settings["trim"]),
            negatives=at_least_one(spec.settings, "negatives"),
        )
        return (OrderedSeeds(imbalanced=False), batches)

    def recipe(self, spec: JobSpec) -> str:
        return f"""\
from techniques.sampling.loader import LinkNeighborLoader
train_edges = data.train_edge_index
del data.train_edge_index  # or every batch would carry it
# torch_geometric.loader has the same LinkNeighborLoader where pyg-lib or torch-sparse is installed.
loader = LinkNeighborLoader(
    data,
    num_neighbors={list(setting_ints(spec.settings, "fanouts"))},
    edge_label_index=train_edges,
    neg_sampling=dict(mode="binary", amount={spec.settings["negatives"]}),
    batch_size={spec.settings["batch_size"]},
    shuffle=True,
)


def loss_of(batch):
    out = model({inputs(spec)})
    source, target = batch.edge_label_index
    logits = (out[source] * out[target]).sum(1)
    return criterion(logits, batch.edge_label), len(logits)"""


LINK_NEIGHBOR = LinkNeighbor()
