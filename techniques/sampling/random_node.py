"""A random split of the nodes in every epoch; each step trains on one part and the edges inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from techniques.base import USABLE, Knob, Part, Slot, Verdict, refuse
from techniques.facts import INDEX_BYTES, Facts, GraphFacts
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
from techniques.sampling.shapes import HopSizes
from techniques.sampling.subgraph_shapes import random_node_sizes
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

NODES_PER_PART = 8192
FEWEST_EDGES_PER_NODE = 1.0


@dataclass(frozen=True)
class RandomNodeBatches(SubgraphBatches):
    """All nodes, split at random into ``num_parts``."""

    kernel = "subgraph"
    num_parts: int

    def parts(self, num_nodes: int) -> int:
        """No more parts than nodes."""
        return min(self.num_parts, num_nodes)

    def counted(self, graph: GraphFacts) -> HopSizes:
        return random_node_sizes(graph, graph.num_nodes / self.parts(graph.num_nodes))

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        import numpy as np

        size = math.ceil(graph.num_nodes / self.parts(graph.num_nodes))
        nodes = np.random.default_rng(index).choice(graph.num_nodes, size=size, replace=False)
        return DrawnHops((size,), (graph.subgraph.induced(np.sort(nodes)).col_source.size,))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        parts = self.parts(graph.num_nodes)
        return parts, float(parts)

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        return subgraph_scratch_bytes(graph, shape)

    def held_bytes(self, graph: GraphFacts) -> float:
        """The order of the epoch."""
        return INDEX_BYTES * graph.num_nodes

    def edges_looked_at(self, graph: GraphFacts, shape: StepShape) -> float:
        """All edges of the part's nodes; those that lead out are dropped."""
        return shape.input_edges + shape.input_nodes * graph.mean_degree * SCAN_SECONDS_PER_EDGE / self.seconds_per_edge

    def build(self, job: Job) -> Job:
        from techniques.sampling.subgraphs import random_node_batches

        return random_node_batches(job, self)


class RandomNode:
    """The cheapest split there is: exact memory, no preparation, but only one edge in ``num_parts`` survives
    (PyG RandomNodeLoader)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "random_node"
    text = "random parts of the nodes: cheapest split, drops the edges between parts"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        reached = reaches_context(facts, setting_int(spec.settings, "layers"))
        if refused := needs_node_labels(facts) or reached or parts_for_nodes(facts, spec):
            return refused
        kept = facts.graph.mean_degree / at_least_one(spec.settings, "num_parts")
        if kept >= FEWEST_EDGES_PER_NODE:
            return USABLE
        return Verdict(usable=True, warnings=(f"a node keeps {kept:.2g} of its neighbours on average",))

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (num_parts_knob(facts.graph, max(2, math.ceil(facts.graph.num_nodes / NODES_PER_PART))), prefetch_knob())

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        batches = RandomNodeBatches(
            layers=setting_int(spec.settings, "layers"),
            prefetch=setting_int(spec.settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            num_parts=at_least_one(spec.settings, "num_parts"),
        )
        return (batches,)

    def recipe(self, spec: JobSpec) -> str:
        return f"""\
from techniques.sampling.loader import RandomNodeLoader
# torch_geometric.loader has a RandomNodeLoader, too; this one does not pass over all edges for every batch.
loader = RandomNodeLoader(data, num_parts={spec.settings["num_parts"]}, shuffle=True)


{masked_loss(inputs(spec))}"""


def parts_for_nodes(facts: Facts, spec: JobSpec) -> Verdict | None:
    """A refusal of more parts than nodes."""
    parts, nodes = at_least_one(spec.settings, "num_parts"), facts.graph.num_nodes
    if parts <= nodes:
        return None
    return refuse(
        "parts", f"{parts:,}", "at most one part per node", "PyG ClusterData", f"the graph has {nodes:,} nodes"
    )


def num_parts_knob(graph: GraphFacts, default: int) -> Knob:
    """Parts that the nodes are split into: around a default, never more than nodes."""
    choices = sorted({min(max(1, round(default * factor)), graph.num_nodes) for factor in (0.5, 1, 2, 4)})
    return Knob(
        name="num_parts",
        text="parts that the nodes are split into",
        default=min(default, graph.num_nodes),
        choices=tuple(choices),
    )


RANDOM_NODE = RandomNode()
