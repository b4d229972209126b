"""GraphSAINT (Zeng et al., ICLR 2020): every step trains a full network on a small random subgraph."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import (
    EDGE_WEIGHTED,
    inputs,
    masked_loss,
    saint_adjacency,
    saint_loss,
    sums_neighbors,
    weighs_edges,
)
from techniques.sampling.batches import (
    SubgraphBatches,
    at_least_one,
    counted_once,
    has_sparse_features,
    needs_node_labels,
    prefetch_knob,
    reaches_context,
    subgraph_scratch_bytes,
)
from techniques.sampling.neighbor import batch_size_knob
from techniques.sampling.shapes import HopSizes
from techniques.sampling.subgraph_shapes import saint_edge_sizes, saint_node_sizes, saint_walk_sizes
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.sampling.drawn import DrawnGraph
    from techniques.sampling.kernels.machine_code import IntArray

NODE, EDGE, WALK = "node", "edge", "random_walk"
SAMPLER_CLASSES = {
    NODE: "GraphSAINTNodeSampler",
    EDGE: "GraphSAINTEdgeSampler",
    WALK: "GraphSAINTRandomWalkSampler",
}


@dataclass(frozen=True)
class SaintBatches(SubgraphBatches):
    """``batch_size`` nodes, edges or walks a step, drawn as algorithm 1 of the paper says."""

    kernel = "saint"
    sampler: str
    batch_size: int
    walk_length: int
    coverage: int
    num_steps: int

    def choose(self, colptr: NDArray[np.int64], row: IntArray, seed: int) -> NDArray[np.int64]:
        """Distinct nodes of one subgraph; a graph without edges is walked, which stays where it starts."""
        from techniques.sampling.kernels import saint_edges, saint_nodes, saint_walks

        num_nodes = len(colptr) - 1
        if self.sampler == WALK or not len(row):
            return saint_walks(colptr, row, num_nodes, self.batch_size, self.walk_length, seed)
        draw = saint_nodes if self.sampler == NODE else saint_edges
        return draw(colptr, row, num_nodes, self.batch_size, seed)

    @property
    def weighted(self) -> bool:
        return self.coverage > 0

    def counted(self, graph: GraphFacts) -> HopSizes:
        return saint_sizes(graph, self.sampler, self.batch_size, self.walk_length)

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        found = graph.subgraph.induced(self.choose(graph.colptr, graph.row, index))
        return DrawnHops((found.node.size,), (found.col_source.size,))

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return self.num_steps, float(self.num_steps)

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        return subgraph_scratch_bytes(graph, shape)

    def held_bytes(self, graph: GraphFacts) -> float:
        """A weight for every node and edge, and a degree for every node."""
        return FLOAT_BYTES * (2 * graph.num_nodes + graph.num_edges) if self.coverage else 0.0

    def forecast(self, so_far: Forecast) -> Forecast:
        """Weights come from counts of as many nodes and edges."""
        weights = self.held_bytes(so_far.facts.graph)
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(2 * weights, 0.1))
        so_far = super().forecast(so_far.changed(rows_vary=True))
        if not self.coverage:
            return so_far
        assert so_far.largest_shape is not None
        drawn = self.scratch_bytes(so_far.facts.graph, so_far.largest_shape)
        drawn += COUNTED_BYTES_PER_EDGE * so_far.largest_shape.input_edges
        return so_far.spike(Phase.PREPARE, Place.HOST, Range.exact(weights) + COUNTING_VARIES * drawn)

    def prepare_seconds(self, graph: GraphFacts) -> Range:
        looked_at = self.coverage * graph.num_nodes * max(graph.mean_degree, 1.0)
        return Range.factor(SCAN_SECONDS_PER_EDGE * looked_at, 3)

    def edges_looked_at(self, graph: GraphFacts, shape: StepShape) -> float:
        """All edges of the chosen nodes, twice; those that lead out are dropped."""
        return shape.input_edges + shape.input_nodes * graph.mean_degree * SCAN_SECONDS_PER_EDGE / self.seconds_per_edge

    def build(self, job: Job) -> Job:
        from techniques.sampling.subgraphs import saint_batches

        return saint_batches(job, self)


COUNTED_BYTES_PER_EDGE, COUNTING_VARIES = 24, Range(0.0, 1.0, 2.5)
"""Of a subgraph that is drawn to be counted, beside the sampler's own scratch: ends and places of its edges."""
SCAN_SECONDS_PER_EDGE = 5e-9
"""Looking an edge up twice to see whether both ends are chosen, one thread."""


def saint_sizes(graph: GraphFacts, sampler: str, batch_size: int, walk_length: int) -> HopSizes:
    """Expected sizes of one subgraph."""
    if sampler == WALK or not graph.num_edges:
        return saint_walk_sizes(graph, batch_size, walk_length)
    return (saint_node_sizes if sampler == NODE else saint_edge_sizes)(graph, batch_size)


class GraphSaint:
    """Gradients of less variance than neighbour sampling at the same batch; hubs are over-represented unless the
    losses and messages are weighted back (source, technique 4)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "graph_saint"
    text = "random subgraphs, weighted back: low gradient noise on large training sets, hubs drawn often"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        reached = reaches_context(facts, setting_int(spec.settings, "layers"))
        if refused := needs_node_labels(facts) or reached:
            return refused
        if spec.settings["sample_coverage"] and not sums_neighbors(spec):
            text = "GraphSAINT's edge weights do not reach attention or a maximum: only its losses are weighted back"
            return Verdict(usable=True, warnings=(text,))
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (
            Knob(
                name="saint_sampler",
                text="what a subgraph is drawn by: node, edge or random_walk",
                default=WALK,
                choices=(WALK, NODE, EDGE),
            ),
            batch_size_knob(),
            Knob(name="walk_length", text="steps of each random walk", default=2, choices=(2, 3, 4)),
            Knob(
                name="sample_coverage",
                text="times each node is drawn in advance to weight losses and messages back; 0 leaves them be",
                default=20,
                low=0,
                high=1000,
                tuned=False,
            ),
            prefetch_knob(),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        settings = spec.settings
        sampler, size = str(settings["saint_sampler"]), at_least_one(settings, "batch_size")
        if sampler not in (NODE, EDGE, WALK):
            raise OptionError(
                f"saint_sampler must be {NODE}, {EDGE} or {WALK}, got {sampler!r}", f"Write --set saint_sampler={WALK}"
            )
        length = at_least_one(settings, "walk_length")
        batches = SaintBatches(
            layers=setting_int(settings, "layers"),
            prefetch=setting_int(settings, "prefetch"),
            sparse_features=has_sparse_features(spec),
            sampler=sampler,
            batch_size=size,
            walk_length=length if sampler == WALK or not facts.graph.num_edges else 0,
            coverage=setting_int(settings, "sample_coverage"),
            num_steps=0,
        )
        nodes = sum(counted_once(batches, facts.graph).mean_nodes)
        batches = replace(batches, num_steps=math.ceil(facts.graph.num_nodes / max(nodes, 1.0)))
        return (batches,)

    def recipe(self, spec: JobSpec) -> str:
        settings = spec.settings
        name = SAMPLER_CLASSES[str(settings["saint_sampler"])]
        walk = f"\n    walk_length={settings['walk_length']}," if settings["saint_sampler"] == WALK else ""
        weighted = bool(settings.get(EDGE_WEIGHTED))
        weights = saint_adjacency(spec.options[Slot.ARCHITECTURE], weighted) if weighs_edges(spec) else ""
        loss = (saint_loss if settings["sample_coverage"] else masked_loss)(inputs(spec))
        return f"""\
from techniques.sampling.loader import {name}
{weights}# torch_geometric.loader has a {name}, too, where torch-sparse is installed; it weighs differently.
loader = {name}(
    data,
    batch_size={settings["batch_size"]},{walk}
    num_steps=num_steps,
    sample_coverage={settings["sample_coverage"]},
)


{loss}"""


GRAPH_SAINT = GraphSaint()
