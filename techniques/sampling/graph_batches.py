"""What batches of whole graphs have in common: their sizes, what they weigh, and how unevenly they cost."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from techniques.base import Verdict, refuse
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, GraphFacts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.graph_figures import GraphSetFacts
from techniques.job import Job
from techniques.sampling.batches import SubgraphBatches, whole_epochs
from techniques.sampling.hop_model import HopSizes
from techniques.step_shape import DrawnHops, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

HIGH = 2.326
"""Standard deviations below which 99 % of normal batches lie."""
EVALUATION_NODES = 8_192
"""Nodes of the graphs that are evaluated at once; a graph that has more is evaluated alone."""


@dataclass(frozen=True)
class GraphBatches(SubgraphBatches):
    """Batches that are block-diagonal graphs; every training graph is in one batch of an epoch."""

    drawable: ClassVar[bool] = False
    """The facts hold the sizes of the graphs themselves: nothing is drawn."""
    basis: ClassVar[str] = "sizes of the graphs of the set"
    from_counts: ClassVar[bool] = False
    seconds_per_edge: ClassVar[float] = 4e-9
    """Two runs to copy per graph (benchmark: tests/benchmarks/graph_batches.py)."""

    @abstractmethod
    def spread(self, sizes: GraphSetFacts, graph: GraphFacts) -> tuple[float, float]:
        """Standard deviations of a batch's nodes and edges."""

    @abstractmethod
    def graphs(self, graph: GraphFacts) -> float:
        """Graphs in a full batch, on average."""

    def counted(self, graph: GraphFacts) -> HopSizes:
        sizes = set_sizes(graph)
        count = self.graphs(graph)
        nodes, edges = count * sizes.nodes_mean, count * sizes.edges_mean
        deviations = self.spread(sizes, graph)
        high = [
            min(mean + HIGH * deviation, total)
            for mean, deviation, total in zip(
                (nodes, edges), deviations, (graph.num_nodes, graph.num_edges), strict=True
            )
        ]
        return HopSizes([nodes], [edges], [max(high[0], nodes)], [max(high[1], edges)])

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        raise NotImplementedError("sizes of graphs are facts")

    def seeds(self, graph: GraphFacts, nodes: float) -> float:
        """Graphs: every one carries a loss."""
        return max(1.0, nodes / max(set_sizes(graph).nodes_mean, 1e-9))

    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        return 0.0

    def held_bytes(self, graph: GraphFacts) -> float:
        """Where graphs begin, and the order of the epoch."""
        return INDEX_BYTES * (graph.num_graphs + 2 * graph.num_train)


@dataclass(frozen=True)
class FixedBatches(GraphBatches):
    """``batch_size`` graphs a step, in a fresh random order every epoch."""

    batch_size: int

    def graphs(self, graph: GraphFacts) -> float:
        return min(self.batch_size, graph.num_train)

    def spread(self, sizes: GraphSetFacts, graph: GraphFacts) -> tuple[float, float]:
        """Of a sample without replacement (Cochran, "Sampling Techniques", 1977, theorem 2.2)."""
        count = self.graphs(graph)
        scale = math.sqrt(count * max(1 - count / max(graph.num_graphs, 1), 0.0))
        return scale * sizes.nodes_deviation, scale * sizes.edges_deviation

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        return whole_epochs(graph.num_train, self.batch_size)

    def build(self, job: Job) -> Job:
        from techniques.sampling.graph_sets import graph_batches

        return graph_batches(job, self)


@dataclass(frozen=True)
class EvenBatches(GraphBatches):
    """As many steps as it takes for each to cost about ``batch_cost`` nodes or edges: a shuffled epoch cut where the
    running cost passes each multiple of its share."""

    cost: str
    batch_cost: int

    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        """From facts alone, so that what is forecast is what runs."""
        sizes = set_sizes(graph)
        total = graph.num_train * (sizes.nodes_mean if self.cost == "nodes" else sizes.edges_mean)
        steps = min(max(1, round(total / self.batch_cost)), max(graph.num_train, 1))
        return steps, float(steps)

    def graphs(self, graph: GraphFacts) -> float:
        return graph.num_train / self.steps(graph)[0]

    def spread(self, sizes: GraphSetFacts, graph: GraphFacts) -> tuple[float, float]:
        """A cut falls into a graph chosen by its cost and moves to its nearer end: each is off by a uniform share of up
        to half of it, and a batch by two of those. The other measure varies around the balanced one besides."""
        if self.steps(graph)[0] == 1:
            return 0.0, 0.0
        by_nodes = self.cost == "nodes"
        means, deviations = (
            (sizes.nodes_mean, sizes.edges_mean),
            (sizes.nodes_deviation, sizes.edges_deviation),
        )
        own, other = (0, 1) if by_nodes else (1, 0)
        mean = max(means[own], 1e-9)
        variation = deviations[own] / mean
        # E[cost^2] under the choice by cost, for log-normal costs: mean^2 (1 + v^2)^3.
        cut = 2 * mean**2 * (1 + variation**2) ** 3 / 12
        slope = means[other] / mean
        unexplained = (
            deviations[other] ** 2
            + (slope * deviations[own]) ** 2
            - 2 * slope * sizes.correlation * deviations[own] * deviations[other]
        )
        around = self.graphs(graph) * max(unexplained, 0.0)
        found = (math.sqrt(cut), math.sqrt(slope**2 * cut + around))
        return found if by_nodes else (found[1], found[0])

    def build(self, job: Job) -> Job:
        from techniques.sampling.graph_sets import even_batches

        return even_batches(job, self)


@dataclass(frozen=True)
class WholeSet(FixedBatches):
    """All training graphs as one batch that is built once."""

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        sizes = self.counted(graph)
        shape = self.shape(graph, sizes.mean_nodes, sizes.mean_edges)
        so_far = so_far.changed(shape=shape, largest_shape=shape, steps_per_epoch=1, full_steps_per_epoch=1.0)
        so_far = so_far.resting_on("the whole set as one batch")
        batch = self.batch_bytes(so_far, shape)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "batch", Range.within(batch, 0.05))
        making = FLOAT_BYTES * shape.input_edges + INDEX_BYTES * shape.input_nodes
        return so_far.spike(Phase.PREPARE, Place.HOST, Range.within(making, 0.5))

    def build(self, job: Job) -> Job:
        from techniques.sampling.graph_sets import whole_set

        return whole_set(job, self)


def set_sizes(graph: GraphFacts) -> GraphSetFacts:
    """Sizes of the graphs of a set."""
    assert graph.graph_set is not None, "a graph-level task has a set of graphs"
    return graph.graph_set


def relative_spread(batches: GraphBatches, graph: GraphFacts, cost: str = "nodes") -> float:
    """Standard deviation over mean of what a batch costs."""
    sizes = set_sizes(graph)
    deviation = batches.spread(sizes, graph)[0 if cost == "nodes" else 1]
    mean = batches.graphs(graph) * (sizes.nodes_mean if cost == "nodes" else sizes.edges_mean)
    return deviation / max(mean, 1e-9)


def needs_graph_labels(facts: Facts) -> Verdict | None:
    """The refusal of batches of graphs where nodes or links are predicted."""
    if facts.task is Task.GRAPH:
        return None
    text = "its batches are whole graphs with a label each; nodes and links need other samplers"
    return refuse("task", facts.task.value, "graph-level tasks only", "source, technique 4", text)
