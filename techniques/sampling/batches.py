"""What all sampled batches have in common: their shapes, what they weigh, and how long the trainer waits for them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from techniques.base import Knob, Settings, Slot, Stage, Verdict, refuse
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, SOURCE_BYTES, Facts, GraphFacts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import batch_slack
from techniques.job import Job, JobSpec, setting_int
from techniques.sampling.hop_model import largest_share
from techniques.sampling.shapes import HopSizes, drawn_sizes, epoch_mean
from techniques.step_shape import DrawnHops, LayerShape, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph

COPY_BYTES_PER_SECOND = 2e9
"""Feature rows gathered into a fresh batch, one thread."""
COUNTS_ERROR, MIXING_ERROR = 0.25, 0.15
"""Batch sizes from the degree histogram alone are this uncertain; and where it is known which degrees meet."""
DRAWN_ERROR = 0.03
TRIAL_EPOCHS = 2
"""Whose largest batch is expected; a run that goes on meets larger ones, which the high end covers."""
MAKING_FACTOR = 2.0
"""Of the seconds that making batches takes, either way."""


@dataclass(frozen=True)
class SampledBatches(ABC):
    """Batches made ahead of time by a background thread.

    Equal parts draw equal batches: the planner draws them once and remembers.
    """

    layers: int
    prefetch: int
    sparse_features: bool
    stage: ClassVar[Stage] = Stage.BATCH

    @abstractmethod
    def counted(self, graph: GraphFacts) -> HopSizes:
        """Expected sizes from the graph's facts alone."""

    @abstractmethod
    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        """Sizes of one batch drawn from the graph itself; ``index`` seeds it."""

    @abstractmethod
    def steps(self, graph: GraphFacts) -> tuple[int, float]:
        """Steps of an epoch, and how many full-sized steps they amount to."""

    @abstractmethod
    def scratch_bytes(self, graph: GraphFacts, shape: StepShape) -> float:
        """What each sampling thread keeps between batches of this shape."""

    @abstractmethod
    def build(self, job: Job) -> Job:
        """Fill ``job.batches``."""

    drawable: ClassVar[bool] = True
    quick_to_draw: ClassVar[bool] = False
    kernel: ClassVar[str] = "neighbor"
    """Whose measured rate counts on a calibrated machine."""

    def can_draw(self, graph: GraphFacts) -> bool:
        """Whether batches are drawn while planning, where the graph is at hand."""
        return self.drawable

    basis: ClassVar[str] = "sizes of batches from counts"
    """What ``counted`` rests on, and whether that is no more than counts."""
    from_counts: ClassVar[bool] = True
    making_bytes_per_edge: ClassVar[float] = 40
    """Local ids of both ends, twice, and positions while a batch is being made."""
    seconds_per_edge: ClassVar[float] = 40e-9
    """Choosing, gathering and relabelling an edge, one thread (benchmark: tests/benchmarks/sampling.py)."""

    def held_bytes(self, graph: GraphFacts) -> float:
        """What sampling keeps beside the structure for the whole run."""
        return 0.0

    def prepare_seconds(self, graph: GraphFacts) -> Range:
        """What it takes before the first epoch."""
        return Range.exact(0.0)

    def seeds(self, graph: GraphFacts, nodes: float) -> float:
        """Rows (or pairs) that carry the loss in a batch of so many nodes."""
        return nodes * graph.num_train / max(graph.num_nodes, 1)

    def edges_looked_at(self, graph: GraphFacts, shape: StepShape) -> float:
        """Edges that making a batch of this shape reads."""
        return shape.input_edges

    def shape(self, graph: GraphFacts, nodes: list[float], edges: list[float]) -> StepShape:
        """One step: by default the same nodes and edges in every layer."""
        layer = LayerShape.homogeneous(sum(nodes), sum(nodes), sum(edges))
        return StepShape((layer,) * self.layers, self.seeds(graph, sum(nodes)))

    def last_batch(self, graph: GraphFacts) -> HopSizes | None:
        """Counted sizes of an epoch's last batch, where it is smaller and an epoch has so few that this is felt."""
        return None

    def block_copies(self) -> int:
        """Layers whose edges are arrays of their own where neighbours are summed by a fused product."""
        return 1

    def sizes(self, so_far: Forecast) -> tuple[HopSizes, float]:
        """Sizes of a batch, drawn from the graph or counted from its facts, and their relative error."""
        graph = so_far.facts.graph
        if so_far.draw is not None and self.can_draw(graph):
            return drawn_sizes(so_far.draw(self)), DRAWN_ERROR
        return counted_once(self, graph), COUNTS_ERROR if graph.degrees.block_nodes is None else MIXING_ERROR

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        sizes, error = self.sizes(so_far)
        if so_far.draw is None or not self.can_draw(graph):
            so_far = so_far.resting_on(self.basis, counted=self.from_counts)
        else:
            so_far = so_far.resting_on(f"sizes of {len(so_far.draw(self))} batches drawn")
        largest = self.shape(graph, sizes.high_nodes, sizes.high_edges)
        steps, full_steps = self.steps(graph)
        full = mean = self.shape(graph, sizes.mean_nodes, sizes.mean_edges)
        if (last := self.last_batch(graph)) is not None:
            mean, full_steps = (
                self.shape(graph, *epoch_mean(sizes, counted_once(self, graph), last, steps)),
                float(steps),
            )
        seen = sizes.towards_high(largest_share(TRIAL_EPOCHS * steps))
        so_far = so_far.changed(
            shape=mean,
            seen_shape=self.shape(graph, *seen),
            largest_shape=largest,
            steps_per_epoch=steps,
            full_steps_per_epoch=full_steps,
        )
        threads = 2 if self.prefetch else 1
        scratch = threads * self.scratch_bytes(graph, largest)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "sampler", Range.within(self.held_bytes(graph), 0.1))
        so_far = so_far.hold(Phase.TRAIN, Place.HOST, "scratch of sampling", Range.within(scratch, 0.1))
        so_far = so_far.spend(Phase.PREPARE, self.prepare_seconds(graph))
        batch_bytes = self.batch_bytes(so_far, full)
        alive = 1 + min(self.prefetch, steps - 1)
        so_far = so_far.hold(Phase.TRAIN, Place.HOST, "batches", Range.within(batch_bytes * alive, error + 0.05))
        if alive > 1:
            making = Range.within(self.making_bytes_per_edge * mean.input_edges, error + 0.5)
            so_far = so_far.hold(Phase.TRAIN, Place.HOST, "sampling", making)
            heap = batch_slack(batch_bytes, alive)
            so_far = so_far.hold(Phase.TRAIN, Place.HOST, "heap of the sampling thread", heap)
        mean_bytes = batch_bytes if mean is full else self.batch_bytes(so_far, mean)
        seconds = full_steps * self.making_seconds(so_far, mean, mean_bytes)
        so_far = so_far.changed(making_seconds=seconds, made_ahead=self.prefetch > 0)
        return so_far.with_loader(Range.factor(seconds, MAKING_FACTOR), alive)

    def batch_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        graph = so_far.facts.graph
        rows = FLOAT_BYTES * graph.features.width * shape.input_nodes
        if self.sparse_features:
            rows = 8 * graph.nonzeros_of(shape.input_nodes, shape.reached) + 4 * shape.input_nodes
        labels = FLOAT_BYTES * graph.labels.num_classes if graph.labels.multi_label else INDEX_BYTES
        labels += FLOAT_BYTES * graph.labels.num_targets
        return rows + self._label_bytes(shape, labels) + self._block_bytes(so_far, shape)

    def _label_bytes(self, shape: StepShape, label: float) -> float:
        """Labels of all nodes of a neighbourhood, as PyG's loaders hand them out."""
        return shape.input_nodes * label

    def _block_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        """COO layers are views of one ``edge_index``."""
        layers = shape.layers[: self.block_copies()] if so_far.fused else shape.layers[:1]
        return sum(so_far.block_bytes(layer) for layer in layers)

    def making_seconds(self, so_far: Forecast, shape: StepShape, batch_bytes: float) -> float:
        """Making one batch, one thread: choosing edges, copying rows."""
        graph, measured = so_far.facts.graph, so_far.facts.hardware.calibration
        edges = self.edges_looked_at(graph, shape)
        if measured is None or not measured.rates:
            return self.seconds_per_edge * edges + batch_bytes / COPY_BYTES_PER_SECOND
        row = 8 * graph.features.nonzeros / graph.num_nodes if self.sparse_features else 4 * graph.features.width
        structure, fused = SOURCE_BYTES * graph.num_edges, so_far.fused
        edges *= (
            self.seconds_per_edge / SampledBatches.seconds_per_edge
        )  # kernels that were not measured, in proportion
        return measured.batch_seconds(self.kernel, fused, edges, structure, shape.input_nodes, row, graph.num_nodes)


_COUNTED: dict[tuple[SampledBatches, int], tuple[GraphFacts, HopSizes]] = {}
MOST_COUNTED = 256


def counted_once(batches: SampledBatches, graph: GraphFacts) -> HopSizes:
    """``batches.counted(graph)``, remembered: a plan asks for the same batches under every architecture.

    Facts hold dictionaries and have no hash, so they are told apart by identity; an entry keeps its facts alive.
    """
    key = (batches, id(graph))
    if key not in _COUNTED:
        if len(_COUNTED) >= MOST_COUNTED:
            _COUNTED.clear()
        _COUNTED[key] = (graph, batches.counted(graph))
    return _COUNTED[key][1]


@dataclass(frozen=True)
class SubgraphBatches(SampledBatches):
    """Batches whose layers share one block of an induced subgraph."""

    making_bytes_per_edge: ClassVar[float] = 12
    """One local id, and that of the other end or a place in the transpose."""

    def _label_bytes(self, shape: StepShape, label: float) -> float:
        """Labels and places of the rows that carry the loss."""
        return shape.seeds * (label + INDEX_BYTES)

    def _block_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        """The matrix of an undirected graph is its own transpose, unless its edges have weights that differ."""
        layer, plain = shape.layers[0], super()._block_bytes(so_far, shape)
        if so_far.dense:
            degrees = 0.0 if so_far.edge_weighted else layer.num_sources
            return plain + (FLOAT_BYTES * (degrees + shape.seeds) if self.weighted else 0.0)
        if self.weighted and so_far.edge_weighted:
            return plain + FLOAT_BYTES * shape.seeds  # the product of both weights takes the place of one
        if so_far.edge_weighted and so_far.fused and so_far.facts.graph.edge_weight_symmetric:
            return plain - FLOAT_BYTES * (2 * layer.num_edges + layer.num_sources)
        if so_far.edge_weighted:
            return plain
        if self.weighted:
            # One more value per edge, and a degree per node; COO has no value yet.
            return plain + FLOAT_BYTES * (layer.num_edges + layer.num_sources + shape.seeds)
        if so_far.fused and so_far.facts.graph.undirected:
            return plain - FLOAT_BYTES * (layer.num_edges + layer.num_sources)
        return plain

    @property
    def weighted(self) -> bool:
        """Whether edges and losses are weighted."""
        return False


def whole_epochs(num_items: int, batch_size: int) -> tuple[int, float]:
    """Steps of an epoch over so many seeds, and the full batches that they amount to."""
    return math.ceil(num_items / batch_size), num_items / min(batch_size, num_items)


def subgraph_scratch_bytes(graph: GraphFacts, shape: StepShape) -> float:
    """A position and some bits of a filter for every node; room for the edges of a subgraph, half of it to spare."""
    return 4.2 * graph.num_nodes + 1.5 * FLOAT_BYTES * shape.input_edges


def prefetch_knob() -> Knob:
    """How far ahead batches are made."""
    return Knob(name="prefetch", text="batches made ahead by a thread", default=2, low=0, high=16, tuned=False)


def has_sparse_features(spec: JobSpec) -> bool:
    return spec.options[Slot.REPRESENTATION_FEATURES] == "csr"


def at_least_one(settings: Settings, name: str) -> int:
    """A setting that counts something.

    Raises:
        OptionError: below 1.
    """
    value = setting_int(settings, name)
    if value < 1:
        raise OptionError(f"{name} must be at least 1, got {value}", f"Write --set {name}=1 or more")
    return value


def reaches_context(facts: Facts, layers: int) -> Verdict | None:
    """The refusal where fewer hops reach a prediction than are wanted: as many as there are layers."""
    wanted = facts.goal.context_hops
    if wanted is None or wanted <= layers:
        return None
    text = f"{layers} layers reach {layers} hops, {wanted} are wanted"
    return refuse("context", wanted, "hops that reach a prediction = layers", "source, technique 4", text)


def needs_one_graph(facts: Facts, fact: str, value: str, text: str) -> Verdict | None:
    """The refusal, with its reason ``text``, of what knows the nodes of one graph only, where every graph has a label."""
    if facts.task is not Task.GRAPH:
        return None
    return refuse(fact, value, "one graph, not a set of graphs", "gnnfit", text)


def needs_node_labels(facts: Facts) -> Verdict | None:
    """The refusal of samplers whose loss is one of nodes, where links are predicted."""
    if facts.task is Task.GRAPH:
        text = "its batches would tear graphs apart; graph_batch and dynamic_batch keep them whole"
        return refuse("task", "graph", "graph-level tasks batch whole graphs", "source, technique 4", text)
    if facts.task is not Task.LINK:
        return None
    text = "its batches carry node labels; link_neighbor draws edges and non-edges"
    return refuse("task", "link", "link-level tasks use LinkNeighborLoader", "source, technique 4", text)
