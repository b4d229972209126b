"""Every node in every step: exact gradients, and the whole graph's activations in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.hetero.typed import is_typed
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import transient
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import graph_loss, inputs, masked_loss, pools_graphs, precomputes
from techniques.sampling.batches import has_sparse_features, needs_node_labels, reaches_context
from techniques.sampling.graph_batches import WholeSet
from techniques.sampling.node_order import node_order_knob, order_parts, order_recipe, order_verdict
from techniques.sampling.rows import AllRows
from techniques.step_shape import LayerShape, StepShape

WHOLE_SET = """\
from techniques.sampling.loader import GraphLoader
loader = GraphLoader(data, data.train_mask, batch_size=int(data.train_mask.sum()))


"""


@dataclass(frozen=True)
class WholeGraph:
    """One batch that is built once and used in every epoch."""

    layers: int
    stage: Stage = Stage.BATCH

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        layer = LayerShape.homogeneous(graph.num_nodes, graph.num_nodes, graph.num_edges)
        shape = StepShape((layer,) * self.layers, seeds=graph.num_train)
        block = so_far.block_bytes(layer) - so_far.edge_data_bytes * graph.num_edges
        label = FLOAT_BYTES * graph.labels.num_classes if graph.labels.multi_label else INDEX_BYTES
        labels = (label + INDEX_BYTES) * graph.num_train
        so_far = so_far.changed(shape=shape, largest_shape=shape, steps_per_epoch=1)
        so_far = so_far.resting_on("the whole graph as one batch")
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "batch", Range.within(block + labels, 0.02))
        # COO repeats every target as often as it has edges: the result, and what is counted up for it.
        repeated, ids = INDEX_BYTES * graph.num_edges, INDEX_BYTES * graph.num_nodes
        passing = [ids, ids] if so_far.fused else [ids, ids, ids, repeated]
        return so_far.spike(Phase.PREPARE, Place.HOST, transient(*passing))

    def build(self, job: Job) -> Job:
        from techniques.architecture.network import Batch

        block = job.need("structure").whole()
        train = job.masks["train"].nonzero().flatten()
        batch = Batch(job.need("features").whole(), (block,) * self.layers, job.need("labels")[train], train)
        moved: list[Batch] = []

        def batches() -> list[Batch]:
            return [batch]

        def transfer_once(one: Batch) -> Batch:
            if not moved:
                moved.append(one.to(job.need("device")))
            return moved[0]

        return replace(job, batches=batches, transfer=transfer_once)


class FullBatch:
    """Fastest per epoch where it fits; converges in more epochs and cannot be split (source, technique 3 and 4)."""

    __slots__ = ()
    slot = Slot.SAMPLING
    name = "full_batch"
    text = "all nodes at once: exact and simple, needs the whole graph's activations"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        reached = reaches_context(facts, setting_int(spec.settings, "layers"))
        if facts.task is Task.GRAPH:
            return reached or order_verdict(facts, spec) or USABLE
        if refused := needs_node_labels(facts) or reached:
            return refused
        if facts.goal.grow > 1 and facts.graph.num_nodes * facts.goal.grow > 1e7:
            rule = "a full batch grows with the graph"
            grown = f"{facts.graph.num_nodes * facts.goal.grow:,.0f} nodes"
            return refuse("growth", grown, rule, "source, case D", "memory would grow without bound")
        return order_verdict(facts, spec) or USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return (node_order_knob(facts),)

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        if is_typed(spec):
            from techniques.sampling.hetero_batches import whole_graph_parts

            return whole_graph_parts(facts, spec)
        layers = setting_int(spec.settings, "layers")
        if facts.task is Task.GRAPH:
            count = facts.graph.num_train
            return (WholeSet(layers, prefetch=0, sparse_features=has_sparse_features(spec), batch_size=count),)
        if precomputes(spec):
            return (AllRows(layers),)
        return (*order_parts(facts, spec), WholeGraph(layers))

    def recipe(self, spec: JobSpec) -> str:
        if pools_graphs(spec):
            return WHOLE_SET + graph_loss(spec)
        if precomputes(spec):
            return f"loader = [data.to(device)]\n\n\n{masked_loss('batch.x')}"
        order = order_recipe(spec)
        if spec.options[Slot.REPRESENTATION] in ("csr", "dense"):
            loss = masked_loss(inputs(spec).replace("adjacency(batch)", "edges"))
            return f"{order}loader = [data.to(device)]\nedges = adjacency(data)\n\n\n{loss}"
        return f"{order}loader = [data.to(device)]\n\n\n{masked_loss(inputs(spec))}"


FULL_BATCH = FullBatch()
