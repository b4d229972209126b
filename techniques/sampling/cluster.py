"""Cluster-GCN (Chiang et al., KDD 2019): METIS parts as batches, so that most neighbours are in the same batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import inputs, masked_loss
from techniques.sampling.batches import (
    SubgraphBatches,
    at_least_one,
    has_sparse_features,
    needs_node_labels,
    prefetch_knob,
    reaches_context,
    subgraph_scratch_bytes,
)
from techniques.sampling.graph_saint import SCAN_SECONDS_PER_EDGE
from techniques.sampling.metis_memory import metis_bytes
from techniques.sampling.random_node import num_parts_knob, parts_for_nodes
from techniques.sampling.shapes import HopSizes
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

NODES_PER_BATCH = 8192
PARTS_PER_BATCH = 8
KEPT_EDGES = (0.4, 0.7, 0.9)
"""Share of its edges that a node keeps inside its own part: low, expected, high. METIS says how many when it has cut."""
METIS_SECONDS_PER_EDGE = Range(0.2e-6, 2e-6, 12e-6)
"""Little where there are communities to find, much on random graphs in many parts (2 to 16 thousand parts of 10 M edges)."""
METIS_LEFT = 0.25
"""What of METIS's memory stays in the heap at most: training finds room in it."""
MOST_CUT_EDGES, MOST_CUT_WORK = 3_000_000, 140e6
"""Entries of the symmetric graph (or nodes, where there are more), and these times parts, up to which a plan has METIS cut the graph at
hand and so knows the parts of the run: at most 1.6 s of one core on 22 graphs and 2 s on random ones, where it finds nothing."""


@dataclass(frozen=True)
class ClusterBatches(SubgraphBatches):
    """``parts_per_batch`` of ``num_parts`` METIS parts, with the edges between them."""

    kernel = "subgraph"
    num_parts: int
    parts_per_batch: int
    basis: ClassVar[str] = "sizes of parts from counts"
    quick_to_draw: ClassVar[bool] = True

    def counted(self, graph: GraphFacts) -> HopSizes:
        """Nodes are even by construction; of the edges, those inside a part and a fair share of the others."""
        share = min(1.0, self.parts_per_batch / min(self.num_parts, graph.num_nodes))
        nodes = graph.num_nodes * share
        _, expected, most = (graph.num_edges * share * (kept + (1 - kept) * share) for kept in KEPT_EDGES)
        return HopSizes([nodes], [expected], [min(1.05 * nodes, graph.num_nodes)], [most])

    def can_draw(self, graph: GraphFacts) -> bool:
        size = max(symmetric_entries(graph), graph.num_nodes)  # nodes count where most of them are isolated
        quick = size <= MOST_CUT_EDGES and size * self.num_parts <= MOST_CUT_WORK
        return quick and find_spec("pymetis") is not None

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        """Parts as the default seed cuts them."""
        import numpy as np

        cut = graph.metis_cut(self.num_parts)
        chosen = np.random.default_rng(index).permutation(cut.nodes.size)[: self.parts_per_batch]
        return DrawnHops((int(cut.nodes[chosen].sum()),), (cut.edges_within(chosen),))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        steps = math.ceil(min(self.num_parts, graph.num_nodes) / self.parts_per_batch)
        return steps, min(self.num_parts, graph.num_nodes) / self.parts_per_batch

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        return subgraph_scratch_bytes(graph, shape)

    def held_bytes(self, graph: GraphFacts) -> float:
        """The nodes of every part."""
        return 8 * graph.num_nodes

    def prepare_seconds(self, graph: GraphFacts) -> Range:
        return METIS_SECONDS_PER_EDGE * float(graph.num_edges)

    def edges_looked_at(self, graph: GraphFacts, shape: StepShape) -> float:
        """All edges of the parts' nodes; those that lead out are dropped."""
        return shape.input_edges + shape.input_nodes * graph.mean_degree * SCAN_SECONDS_PER_EDGE / self.seconds_per_edge

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        metis = metis_bytes(graph.num_nodes, symmetric_entries(graph), min(self.num_parts, graph.num_nodes))
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(metis, 0.3))
        left = Range(0.0, 0.0, METIS_LEFT * metis)
        return super().forecast(so_far.hold(Phase.PREPARE, Place.HOST, "heap left by METIS", left))

    def build(self, job: Job) -> Job:
        from techniques.sampling.subgraphs import cluster_batches

        return cluster_batches(job, self)


def symmetric_entries(graph: GraphFacts) -> float:
    """What METIS is given: both directions of every edge."""
    return graph.num_edges * (1.0 if graph.undirected else 2.0)


class Cluster:
    """Keeps neighbours together and needs no edge weights; the cut edges of a part are lost in every step."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "cluster"
    text = "METIS parts: neighbours stay together, batches of even size; partitioning takes time once"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        at_least_one(spec.settings, "parts_per_batch")
        reached = reaches_context(facts, setting_int(spec.settings, "layers"))
        return needs_node_labels(facts) or reached or parts_for_nodes(facts, spec) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        parts = max(2 * PARTS_PER_BATCH, math.ceil(PARTS_PER_BATCH * facts.graph.num_nodes / NODES_PER_BATCH))
        joined = "parts joined in one step"
        return (
            num_parts_knob(facts.graph, parts),
            Knob(name="parts_per_batch", text=joined, default=PARTS_PER_BATCH, choices=(4, 8, 16)),
            prefetch_knob(),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = ClusterBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            num_parts=at_least_one(spec.settings, "num_parts"),
            parts_per_batch=at_least_one(spec.settings, "parts_per_batch"),
        )
        return (batches,)

    def recipe(self, spec: JobSpec) -> str:
        return f"""\
from techniques.sampling.loader import ClusterData, ClusterLoader
# torch_geometric.loader has the same two where pyg-lib or torch-sparse is installed.
parts = ClusterData(data, num_parts={spec.settings["num_parts"]})
loader = ClusterLoader(parts, batch_size={spec.settings["parts_per_batch"]}, shuffle=True)


{masked_loss(inputs(spec))}"""


CLUSTER = Cluster()
