"""Parts that make batches of a heterogeneous graph: the whole graph, or neighbourhoods sampled by edge type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from techniques.architecture.hetero.inputs import TypeInput, type_inputs
from techniques.architecture.hetero.relation import Relation, target_place
from techniques.architecture.hetero.typed import relations_of
from techniques.architecture.hetero.use import LayerUse
from techniques.base import Part, Slot, Stage
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec, setting_int, setting_ints
from techniques.sampling.batches import (
    COPY_BYTES_PER_SECOND,
    COUNTS_ERROR,
    DRAWN_ERROR,
    at_least_one,
    whole_epochs,
)
from techniques.sampling.hetero_shapes import DrawnTypes, counted_type_sizes, drawn_type_sizes, typed_step
from techniques.sampling.seeds import OrderedSeeds, distinct_seeds, draws_balanced
from techniques.step_shape import LayerShape, StepShape

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph


@dataclass(frozen=True)
class TypedGraph:
    """What batches must know of a graph's types: names, relations, inputs, and what each layer uses."""

    names: tuple[str, ...]
    num_nodes: tuple[int, ...]
    relations: tuple[Relation, ...]
    keys: tuple[str, ...]
    inputs: tuple[TypeInput, ...]
    uses: tuple[LayerUse, ...]
    target: int

    @staticmethod
    def of(facts: Facts, spec: JobSpec) -> TypedGraph:
        from techniques import option

        graph = facts.graph
        relations, target = relations_of(graph, spec), target_place(graph)
        architecture: Any = option(Slot.ARCHITECTURE, spec.options[Slot.ARCHITECTURE])
        return TypedGraph(
            names=tuple(one.name for one in graph.node_types),
            num_nodes=tuple(one.num_nodes for one in graph.node_types),
            relations=relations,
            keys=tuple("|".join(one.key(graph)) for one in relations),
            inputs=type_inputs(graph, spec),
            uses=architecture.uses(facts, spec),
            target=target,
        )

    @property
    def used(self) -> tuple[int, ...]:
        """Relations that some layer uses."""
        return tuple(sorted({place for use in self.uses for place in use.relations}))


@dataclass(frozen=True)
class WholeTypedGraph:
    """One batch of all nodes and edges that is built once and used in every epoch."""

    graph: TypedGraph
    stage: Stage = Stage.BATCH

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, facts = self.graph, so_far.facts.graph
        nodes = {name: float(count) for name, count in zip(graph.names, graph.num_nodes, strict=True)}
        edges = {key: float(one.num_edges) for key, one in zip(graph.keys, graph.relations, strict=True)}
        shape = StepShape((LayerShape(nodes, nodes, edges),) * len(graph.uses), seeds=facts.num_train)
        so_far = so_far.changed(shape=shape, largest_shape=shape, steps_per_epoch=1)
        so_far = so_far.resting_on("the whole graph as one batch")
        block = sum(self._block_bytes(so_far, place) for place in graph.used)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "batch", Range.within(block + 16 * facts.num_train, 0.02))
        largest = max((one.num_edges for one in graph.relations), default=0)
        return so_far.spike(Phase.PREPARE, Place.HOST, Range.within(8.0 * largest, 0.5))

    def _block_bytes(self, so_far: Forecast, place: int) -> float:
        """Values and a pointer to rows; the transposed copy only where the reverse is not there to lend its own."""
        one, graph = self.graph.relations[place], self.graph
        if not so_far.fused:
            return 2.0 * INDEX_BYTES * one.num_edges
        own = 4.0 * one.num_edges + 4 * graph.num_nodes[one.target]
        return own if one.mirror in graph.used else own + 4.0 * one.num_edges + 4 * graph.num_nodes[one.source]

    def build(self, job: Job) -> Job:
        from techniques.sampling.hetero_loading import whole_batch

        batch: Any = whole_batch(job, self)
        moved: list[Any] = []

        def batches() -> list[Any]:
            return [batch]

        def transfer_once(one: Any) -> Any:
            if not moved:
                moved.append(one.to(job.need("device")))
            return moved[0]

        return replace(job, batches=batches, transfer=transfer_once)


@dataclass(frozen=True)
class TypedNeighborBatches:
    """Batches drawn by our kernel, edge type by edge type, made ahead of time by a background thread."""

    graph: TypedGraph
    batch_size: int
    fanouts: tuple[int, ...]
    trim: bool
    balanced: bool
    prefetch: int
    stage: ClassVar[Stage] = Stage.BATCH
    quick_to_draw: ClassVar[bool] = False
    seconds_per_edge: ClassVar[float] = 40e-9
    """Choosing, gathering and relabelling an edge, one thread (benchmark: tests/benchmarks/hetero_sampling.py)."""
    making_bytes_per_edge: ClassVar[float] = 40

    def draw(self, graph: DrawnGraph, index: int) -> DrawnTypes:
        """Sizes of one batch drawn from the graph itself; ``index`` seeds it."""
        assert graph.by_type is not None, "typed batches are drawn from a graph of several types"
        drawn = graph.by_type(self.graph.relations)
        hops = drawn.sample(drawn.seeds(self.graph.target, self.batch_size, self.balanced, index), self.fanouts, index)
        nodes = tuple(sum(counts) for counts in zip(*hops.num_sampled_nodes, strict=True))
        edges = tuple(sum(counts) for counts in zip(*hops.num_sampled_edges, strict=True))
        return DrawnTypes(
            nodes, edges, tuple(map(tuple, hops.num_sampled_nodes)), tuple(map(tuple, hops.num_sampled_edges))
        )

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        if so_far.draw is None:
            seeds = distinct_seeds(graph, self.batch_size, self.balanced)
            typed = self.graph
            sizes = counted_type_sizes(typed.relations, typed.num_nodes, typed.target, seeds, self.fanouts)
            error = COUNTS_ERROR
            so_far = so_far.resting_on("sizes of batches from counts", counted=True)
        else:
            drawn: Any = so_far.draw(self)
            sizes, error = drawn_type_sizes(drawn, self.graph.num_nodes), DRAWN_ERROR
            so_far = so_far.resting_on(f"sizes of {len(drawn)} batches drawn")
        mean = self._step(sizes.nodes, sizes.edges)
        largest = self._step(sizes.high_nodes, sizes.high_edges)
        steps, full_steps = whole_epochs(graph.num_train, self.batch_size)
        so_far = so_far.changed(
            shape=mean, largest_shape=largest, steps_per_epoch=steps, full_steps_per_epoch=full_steps
        )
        scratch = (2 if self.prefetch else 1) * (FLOAT_BYTES * sum(self.graph.num_nodes) + self._largest_degree())
        so_far = so_far.hold(Phase.TRAIN, Place.HOST, "scratch of sampling", Range.within(scratch, 0.1))
        batch_bytes = self.batch_bytes(so_far, mean)
        alive = 1 + min(self.prefetch, steps - 1)
        so_far = so_far.hold(Phase.TRAIN, Place.HOST, "batches", Range.within(batch_bytes * alive, error + 0.05))
        if alive > 1:
            making = Range.within(self.making_bytes_per_edge * mean.input_edges, error + 0.5)
            so_far = so_far.hold(Phase.TRAIN, Place.HOST, "sampling", making)
        one = self.seconds_per_edge * mean.input_edges + batch_bytes / COPY_BYTES_PER_SECOND
        seconds = Range.factor(one, 3) * full_steps
        hidden = self.prefetch > 0 and so_far.facts.hardware.cores > 1
        waited = seconds * (0.3 if hidden else 1.0)
        return so_far.with_loader(seconds, alive, waited).spend(Phase.TRAIN, waited)

    def _step(self, nodes: Any, edges: Any) -> StepShape:
        return typed_step(nodes, edges, self.graph.names, self.graph.keys, self.graph.target, self.trim)

    def _largest_degree(self) -> int:
        return max((one.degrees.max for one in self.graph.relations), default=0)

    def batch_bytes(self, so_far: Forecast, shape: StepShape) -> float:
        """Rows of every type, labels of the seeds, and edges: COO layers are views of one array by relation."""
        graph = so_far.facts.graph
        rows = sum(
            shape.layers[0].sources[name] * one.row_bytes
            for name, one in zip(self.graph.names, self.graph.inputs, strict=True)
        )
        label = FLOAT_BYTES * graph.labels.num_classes if graph.labels.multi_label else INDEX_BYTES
        layers = list(zip(self.graph.uses, shape.layers, strict=True))
        used = layers if so_far.fused else layers[:1]
        return rows + shape.seeds * label + sum(self._layer_bytes(so_far, use, layer) for use, layer in used)

    def _layer_bytes(self, so_far: Forecast, use: LayerUse, layer: LayerShape) -> float:
        if not so_far.fused:
            return 2.0 * INDEX_BYTES * layer.num_edges
        total = 0.0
        for place in use.relations:
            one = self.graph.relations[place]
            rows = layer.sources[self.graph.names[one.source]] + layer.targets[self.graph.names[one.target]]
            total += 12.0 * layer.edges[self.graph.keys[place]] + 4 * rows
        return total

    def build(self, job: Job) -> Job:
        from techniques.sampling.hetero_loading import typed_neighbor_batches

        return typed_neighbor_batches(job, self)


def whole_graph_parts(facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
    """What ``full_batch`` adds to a typed job."""
    return (WholeTypedGraph(TypedGraph.of(facts, spec)),)


def neighbor_parts(facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
    """What ``neighbor`` adds to a typed job."""
    batches = TypedNeighborBatches(
        graph=TypedGraph.of(facts, spec),
        batch_size=at_least_one(spec.settings, "batch_size"),
        fanouts=setting_ints(spec.settings, "fanouts"),
        trim=bool(spec.settings["trim"]),
        balanced=draws_balanced(spec),
        prefetch=setting_int(spec.settings, "prefetch"),
    )
    return (OrderedSeeds(batches.balanced), batches)
