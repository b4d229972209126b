"""What the built-in architectures share: their knobs, their step and their evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from techniques.architecture.bf16 import precision_warnings
from techniques.architecture.costs import LayerCost
from techniques.architecture.edge_inputs import edge_verdict, read_columns, reads_weights
from techniques.architecture.evaluate_chunks import EvaluateInChunks
from techniques.architecture.evaluate_egos import EvaluateEgoGraphs
from techniques.architecture.forward import with_norm
from techniques.architecture.graph_level import EvaluateGraphs, graph_knobs, graph_recipe, normalises, pool_of
from techniques.architecture.layer_size import LayerSize, shape_sizes
from techniques.architecture.ledger import ADAM_BYTES_PER_PARAMETER, SORT_FLOATS, StepCost, step_cost
from techniques.architecture.operations.passes import Operations, Passes
from techniques.architecture.operations.step import inference, training_step
from techniques.architecture.readout import PAIRS_PER_CHUNK, Readout
from techniques.base import Knob, Part, Slot, Stage, Verdict
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, Task
from techniques.forecast import ZERO, Forecast, LayerShape, Phase, Place, Range, StepShape
from techniques.hardware.allocator import (
    LIVE_ERROR,
    METRICS_BYTES,
    conversion_slack,
    independent,
    pass_resident,
    resident,
    set_slack,
)
from techniques.hardware.overlap import spend_steps
from techniques.hardware.rates import Rates, rates
from techniques.job import Job, JobSpec, setting_int
from techniques.recipe_parts import EDGE_COLUMNS, weighs_edges
from techniques.sampling.shadow_k_hop import ego_part

if TYPE_CHECKING:
    from torch import Tensor, nn

CHUNK_BYTES = 64 * 2**20
"""Messages that evaluation holds at once where neighbours are gathered edge by edge."""
FUSED_CHUNK_EDGES = 4_000_000
"""Edges whose values it holds at once where neighbours are summed by a fused product."""
GRAPH_LAYERS, GRAPH_HIDDEN = 4, 64
"""For sets of graphs: Xu et al. (ICLR 2019, section 7) take five layers, the input's among them, of 16 to 64 columns."""
VARYING_SHAPES = ("neighbor", "link_neighbor", "shadow_k_hop")
"""Samplers whose batches differ in size from step to step; of induced subgraphs only the messages of COO do."""
BF16_BYTES = 2
"""Of the copy of a weight that a step in bf16 makes."""
BF16_SCRATCH = Range(0.0, 0.15, 0.45)
"""What products in bfloat16 keep on a CPU, over a step's live bytes: oneDNN's copies and a program for every shape (GraphSAGE and GAT
on amazon_computers, whole and sampled: 0.13 to 0.45; GCN and SGC on amazon_photo: nothing)."""
ADAM_SCRATCH_BYTES = 12
"""Per parameter, for the moment of its step: the gradient with weight decay, and two on the way to the denominator."""
WIDE_INPUT = 1.0
"""Transform before aggregating where the input is wider than this many times the output."""


class BuiltIn(ABC):
    """A stack of one kind of PyG convolution."""

    __slots__ = ()
    slot: ClassVar[Slot] = Slot.ARCHITECTURE
    name: ClassVar[str]
    text: ClassVar[str]
    default_hidden: ClassVar[int] = 128
    can_transform_first: ClassVar[bool] = False
    norms_per_layer: ClassVar[int] = 1
    """Batch normalisations where layers are normalised: behind every layer, and inside it."""
    uses_edge_weight: ClassVar[bool] = False
    uses_edge_attr: ClassVar[bool] = False
    always_transforms: ClassVar[bool] = False

    @property
    def step_kind(self) -> str:
        """What calibrations call its training steps."""
        return self.name

    @abstractmethod
    def layer_cost(self, size: LayerSize) -> LayerCost:
        """What one layer costs."""

    @abstractmethod
    def layer_operations(self, size: LayerSize) -> Passes:
        """What one layer asks of the processor, forward and back."""

    @abstractmethod
    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        """One live layer."""

    @abstractmethod
    def pyg_layers(self) -> str:
        """Name of PyG's ready-made model of this kind, for recipes."""

    def pyg_options(self) -> str:
        """Further arguments of that model, each after a comma."""
        return ""

    def configured(self, spec: JobSpec) -> BuiltIn:
        """The same architecture with the settings that are its alone."""
        return self

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        verdict = edge_verdict(facts, spec)
        return verdict.model_copy(update={"warnings": verdict.warnings + precision_warnings(facts, spec)})

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        graphs = facts.task is Task.GRAPH
        layers = facts.model.layers or max(GRAPH_LAYERS if graphs else 2, min(facts.goal.context_hops or 2, 6))
        hidden = facts.model.hidden or (GRAPH_HIDDEN if graphs else self.default_hidden)
        return (
            Knob(name="layers", text="convolutions", default=layers, low=1, high=16, tuned=False),
            Knob(
                name="hidden",
                text="width of the hidden layers",
                default=hidden,
                choices=(32, 64, 128, 256),
                tuned=facts.model.hidden is None,
            ),
            *graph_knobs(facts),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        plan = self.network_plan(facts, spec)
        speed = rates(facts, spec)
        sampling, coo = spec.options[Slot.SAMPLING], spec.options[Slot.REPRESENTATION] == "coo"
        varies = sampling in VARYING_SHAPES or (sampling != "full_batch" and coo)
        ego = plan.readout is Readout.EGO
        this = self.configured(spec)
        exact = replace(plan, weighted=reads_weights(facts, spec), bf16=False)
        if ego:
            egos = ego_part(spec, everyone=True)
            return TrainStep(this, plan, speed, varies), EvaluateEgoGraphs(this, exact, speed, egos)
        if plan.readout is Readout.GRAPHS:
            varies = sampling != "full_batch"
            return TrainStep(this, plan, speed, varies), EvaluateGraphs(this, exact, speed)
        small_steps = sampling != "full_batch" or spec.options[Slot.COARSENING] != "none"
        evaluate = EvaluateInChunks if small_steps else EvaluateAllNodes
        return TrainStep(this, plan, speed, varies), evaluate(this, exact, speed)

    def network_plan(self, facts: Facts, spec: JobSpec) -> NetworkPlan:
        """Widths and order of operations."""
        layers, hidden = setting_int(spec.settings, "layers"), setting_int(spec.settings, "hidden")
        heads = setting_int(spec.settings, "heads") if "heads" in spec.settings else 1
        for name, value in (("layers", layers), ("hidden", hidden), ("heads", heads)):
            if value < 1:
                raise OptionError(f"{name} must be at least 1, got {value}", f"Write --set {name}=2 or more")
        if hidden % heads:
            raise OptionError(f"hidden must be a multiple of heads, got {hidden} and {heads}", "Write --set heads=4")
        graph, readout = facts.graph, _readout(facts, spec)
        classes = graph.labels.num_targets or max(graph.labels.num_classes, 2)
        out = classes if readout is Readout.NODES else hidden
        learned = spec.options[Slot.REPRESENTATION_FEATURES] == "embedding"
        width = setting_int(spec.settings, "embedding_width") if learned else graph.features.width
        if width < 1:
            raise OptionError(f"embedding_width must be at least 1, got {width}", "Write --set embedding_width=64")
        widths = (width, *([hidden] * (layers - 1)), out)
        sparse = spec.options[Slot.REPRESENTATION_FEATURES] == "csr"
        wide = widths[0] > WIDE_INPUT * widths[1]
        return NetworkPlan(
            widths=widths,
            heads=heads,
            transform_first=self.can_transform_first and (sparse or wide),
            sparse_input=sparse,
            dropout=spec.training.dropout,
            readout=readout,
            num_classes=classes,
            embedded_nodes=graph.num_nodes if learned else 0,
            half_input=spec.options[Slot.REPRESENTATION_FEATURES] == "half",
            weighted=bool(spec.options[Slot.SAMPLING] == "graph_saint" and spec.settings["sample_coverage"])
            or reads_weights(facts, spec),
            edge_columns=read_columns(facts, spec),
            bf16=spec.training.precision == "bf16",
            checkpoint_layers=spec.training.checkpoint_layers,
            norm=normalises(spec),
            pool=pool_of(spec),
        )

    def build_network(self, plan: NetworkPlan) -> nn.Module:
        """The live network."""
        from torch import nn
        from torch_geometric.nn import BatchNorm

        from techniques.architecture.convs import GIN
        from techniques.architecture.graph_readout import GraphReadout
        from techniques.architecture.network import Network

        last = len(plan.widths) - 2
        follows = plan.readout.follows
        convs = [
            self.conv(
                plan.widths[index],
                plan.widths[index + 1],
                last=index == last and not follows,
                transform_first=plan.transform_first and index == 0,
                heads=plan.heads,
            )
            for index in range(last + 1)
        ]
        readout: nn.Module | None = None
        if plan.readout is Readout.EGO:
            readout = nn.Linear(2 * plan.widths[-1], plan.num_classes)
        if plan.readout is Readout.GRAPHS:
            readout = GraphReadout(plan.widths[-1], plan.num_classes, plan.pool)
        norms = [BatchNorm(width, allow_single_element=True) for width in plan.widths[1:]] if plan.norm else None
        for conv in convs if plan.norm else ():
            if isinstance(conv, GIN):  # every hidden layer is normalised, the perceptrons' too (Xu et al., section 7)
                conv.normalise(BatchNorm(conv.nn[0].out_features, allow_single_element=True))
        table = nn.Embedding(plan.embedded_nodes, plan.widths[0]) if plan.embedded_nodes else None
        return Network(
            convs,
            plan.dropout,
            readout,
            table,
            bf16=plan.bf16,
            checkpoint_layers=plan.checkpoint_layers,
            norms=norms,
        )

    def recipe(self, spec: JobSpec) -> str:
        if pool_of(spec):
            return graph_recipe(self, spec)
        settings, name = spec.settings, self.pyg_layers()
        ego, links = (spec.options[Slot.SAMPLING] == sampling for sampling in ("shadow_k_hop", "link_neighbor"))
        out = "" if ego or links else ", num_classes"
        more = f", heads={settings['heads']}" if "heads" in settings else ""
        more += self.configured(spec).pyg_options()
        columns = setting_int(spec.settings, EDGE_COLUMNS) if EDGE_COLUMNS in spec.settings else 0
        more += f", edge_dim={columns}" if columns else ""
        if weighs_edges(spec):  # the weights are in the adjacency already
            more = {"GraphSAGE": ', aggr="sum"', "GCN": ", normalize=False"}.get(name, "")
        dense = spec.options[Slot.REPRESENTATION] == "dense"
        if dense and not weighs_edges(spec) and name == "GCN":
            more = ", normalize=False"  # the adjacency is already
        learned = "embedding_width" in settings
        width = settings["embedding_width"] if learned else "data.num_features"
        widths = f"{width}, {settings['hidden']}, {settings['layers']}{out}"
        return (
            f"from torch_geometric.nn import {name}\n"
            f"torch.manual_seed({spec.training.seed})\n"
            f"model = {name}({widths}, dropout={spec.training.dropout}{more})"
            + (f"\nmodel.readout = torch.nn.Linear({2 * setting_int(settings, 'hidden')}, num_classes)" if ego else "")
            + (f"\nmodel.embedding = torch.nn.Embedding(data.num_nodes, {width})" if learned else "")
            + ("\nfor conv in model.convs:\n    conv.propagate = neighbor_sum" if dense else "")
        )


@dataclass(frozen=True)
class NetworkPlan:
    """Everything that fixes the network's shape.

    ``widths`` are F_in, hidden, ..., and what the last convolution says: classes, or hidden before a readout.
    """

    widths: tuple[int, ...]
    heads: int
    transform_first: bool
    sparse_input: bool
    dropout: float
    readout: Readout = Readout.NODES
    num_classes: int = 2
    weighted: bool = False
    """Whether every edge of a block has a weight (the graph's own, or GraphSAINT's normalisation)."""
    edge_columns: int = 0
    """Columns of ``edge_attr`` that the layers read."""
    bf16: bool = False
    checkpoint_layers: bool = False
    embedded_nodes: int = 0
    """Rows of a learned table that the first layer reads; 0 where it reads features."""
    half_input: bool = False
    """Features are float16 at rest."""
    norm: bool = False
    """Whether batch normalisation stands between every convolution and its ReLU."""
    pool: str = ""
    """How the nodes of a graph become one row, where the readout is one of graphs."""

    @property
    def table_size(self) -> int:
        """Parameters of the learned table."""
        return self.embedded_nodes * self.widths[0]

    def sizes(self, so_far: Forecast, shape: StepShape) -> list[LayerSize]:
        """Sizes of the layers of one step of ``shape``."""
        nonzeros = so_far.facts.graph.nonzeros_of(shape.input_nodes, shape.reached)
        sizes = shape_sizes(
            shape,
            self.widths,
            so_far.fused,
            self.transform_first,
            self.heads,
            sparse_nonzeros=nonzeros if self.sparse_input else None,
            dropout=self.dropout > 0,
            readout=self.readout,
            weighted=self.weighted,
            edge_columns=self.edge_columns,
            bf16=self.bf16,
            dense=so_far.dense,
            learned_input=self.embedded_nodes > 0,
        )
        return [replace(size, edges=size.sources * size.targets) for size in sizes] if so_far.dense else sizes


def _batch_bytes(so_far: Forecast) -> float:
    """What is held of batches on the host."""
    return sum(amount.expected for (_, label), amount in so_far.held.items() if label in ("batches", "sampling"))


def _readout(facts: Facts, spec: JobSpec) -> Readout:
    if facts.task is Task.LINK:
        return Readout.PAIRS
    if facts.task is Task.GRAPH:
        return Readout.GRAPHS
    return Readout.EGO if spec.options[Slot.SAMPLING] == "shadow_k_hop" else Readout.NODES


@dataclass(frozen=True)
class TrainStep:
    """Forward, loss, backward, optimiser step."""

    architecture: BuiltIn
    plan: NetworkPlan
    speed: Rates
    shapes_vary: bool
    stage: Stage = Stage.STEP

    def forecast(self, so_far: Forecast) -> Forecast:
        assert so_far.shape is not None and so_far.largest_shape is not None
        mean_shape = so_far.shape
        largest = self._cost(so_far, so_far.largest_shape)
        mean = largest if mean_shape is so_far.largest_shape else self._cost(so_far, mean_shape)
        place, steps = self.speed.place, so_far.full_steps_per_epoch
        per_parameter = ADAM_BYTES_PER_PARAMETER + (BF16_BYTES if self.plan.bf16 else 0)
        table_bytes = ADAM_BYTES_PER_PARAMETER * self.plan.table_size
        parameters = Range.within(per_parameter * mean.parameters + table_bytes, 0.02)
        so_far = so_far.hold(Phase.TRAIN, place, "parameters", parameters)
        live = largest.activation_bytes + (largest.workspace_bytes if place is Place.HOST else 0.0)
        of_graphs = self.plan.readout is Readout.GRAPHS and self.shapes_vary and place is Place.HOST
        varies = self.shapes_vary and not of_graphs
        slack = set_slack(live + _batch_bytes(so_far), largest.blocks) if of_graphs else ZERO
        of_batch = resident(live, largest.blocks, place, varies)
        needs = independent(LIVE_ERROR * live, slack) if of_graphs else of_batch
        converted = conversion_slack(largest.sparse_blocks) if place is Place.HOST and not of_graphs else ZERO
        so_far = so_far.spike(Phase.TRAIN, place, needs + converted)
        so_far = so_far.spike(Phase.TRAIN, place, Range.within(ADAM_SCRATCH_BYTES * mean.parameters, 0.3))
        if self.plan.bf16 and place is Place.HOST:
            held = {**so_far.held, (place, "scratch of bf16"): BF16_SCRATCH * live}
            so_far = so_far.changed(held=held).spike(Phase.TRAIN, place, needs + converted)
        if place is Place.HOST:
            # Batches go before a model is judged, and freed heap is given back: what is left behind is no peak by itself.
            so_far = so_far.changed(held={**so_far.held, (Place.HOST, "metrics"): METRICS_BYTES})
        so_far = so_far.changed(parameters=mean.parameters + self.plan.table_size)
        operations = self._operations(so_far, mean_shape)
        seconds = self.speed.training_seconds(operations, self.architecture.step_kind, so_far.fused or so_far.dense)
        return spend_steps(so_far, self.speed, seconds).changed(
            gemm_flops_per_epoch=Range.within(mean.gemm_flops * steps, 0.02),
            aggregation_flops_per_epoch=Range.within(mean.aggregation_flops * steps, 0.02),
        )

    def _operations(self, so_far: Forecast, shape: StepShape) -> Operations:
        return training_step(
            self.plan.sizes(so_far, shape),
            self.architecture.layer_operations,
            shape.seeds,
            self.plan.readout,
            self.plan.num_classes,
            so_far.parameters,
            norms=self.architecture.norms_per_layer if self.plan.norm else 0,
            checkpoint_layers=self.plan.checkpoint_layers,
        )

    def _cost(self, so_far: Forecast, shape: StepShape) -> StepCost:
        sizes = self.plan.sizes(so_far, shape)
        layers = [(size, with_norm(self.plan, size, self.architecture.layer_cost(size))) for size in sizes]
        return step_cost(
            layers,
            shape.seeds,
            self.plan.readout,
            self.plan.num_classes,
            self.plan.table_size,
            checkpoint_layers=self.plan.checkpoint_layers,
        )

    def build(self, job: Job) -> Job:
        import torch

        training = job.spec.training
        torch.manual_seed(training.seed)
        model = self.architecture.build_network(self.plan).to(job.need("device"))
        optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        return replace(job, model=model, optimizer=optimizer)  # type: ignore[arg-type]


@dataclass(frozen=True)
class EvaluateAllNodes:
    """Exact logits of every node, layer by layer in chunks."""

    architecture: BuiltIn
    plan: NetworkPlan
    speed: Rates
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        for label in ("batches", "sampling"):
            so_far = so_far.drop(Place.HOST, label)
        whole = StepShape((LayerShape.homogeneous(graph.num_nodes, graph.num_nodes, graph.num_edges),), graph.num_nodes)
        peak = ZERO
        sizes = self.plan.sizes(so_far, StepShape(whole.layers * (len(self.plan.widths) - 1), graph.num_nodes))
        for size in sizes:
            peak = peak.maximum(self._resident(so_far, size))
        seconds = self.speed.seconds(inference(sizes, self.architecture.layer_operations))
        so_far = so_far.hold(Phase.EVALUATE, place, "best weights", Range.exact(FLOAT_BYTES * so_far.parameters))
        so_far = so_far.spike(Phase.EVALUATE, place, peak)
        if self.plan.readout is Readout.PAIRS:
            # Both ends of a chunk of pairs and their product, beside the embeddings.
            scored = FLOAT_BYTES * self.plan.widths[-1] * (graph.num_nodes + 3 * PAIRS_PER_CHUNK)
            so_far = so_far.spike(Phase.EVALUATE, place, Range.within(scored, 0.3))
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, self.speed.time_factor))

    def _resident(self, so_far: Forecast, size: LayerSize) -> Range:
        """One layer for all nodes."""
        live = self._live_bytes(so_far, size)
        gathered = self.architecture.layer_cost(size).gathered
        blocks = [FLOAT_BYTES * size.sources * columns for columns in (gathered, size.columns_out)]
        if not so_far.fused:
            blocks.append(FLOAT_BYTES * gathered * min(size.edges, self._chunk_edges(so_far, size)))
        return pass_resident(live, blocks, self.speed.place, shapes_vary=False)

    def _live_bytes(self, so_far: Forecast, size: LayerSize) -> float:
        """Input, what the layer makes of one chunk of targets, and where there are several, the output of all."""
        share = min(1.0, self._chunk_edges(so_far, size) / max(size.edges, 1.0))
        chunk = replace(size, targets=share * size.targets, edges=share * size.edges)
        floats = self.architecture.layer_cost(chunk).inference
        if self.plan.half_input and size.first:
            # Rows as float32: of one chunk where they are multiplied first, else of all nodes.
            projects = size.transform_first or self.architecture.always_transforms
            floats += (min(size.sources, 65_536.0) if projects else size.sources) * size.columns_in
        # A learned table is counted with the parameters, and features with the batch.
        if not size.learned and not size.first:
            floats += size.sources * size.columns_in
        # On the host CSR makes nothing: sources are the structure's own, and values those of training, as all of COO is.
        on_device = self.speed.place is Place.DEVICE
        edge_bytes = float((FLOAT_BYTES if on_device else 0) if so_far.fused else 2 * INDEX_BYTES)
        floats += 0 if so_far.fused or on_device else SORT_FLOATS * chunk.edges
        if so_far.edge_data_bytes:  # a view of the structure's, or its copy on the device
            edge_bytes = 0 if so_far.fused else edge_bytes
            edge_bytes += so_far.edge_data_bytes if on_device else 0
        if size.dense and not on_device:
            edge_bytes = 0  # rows of the matrix that training has used
        if share == 1.0:
            return FLOAT_BYTES * floats + (edge_bytes * size.edges if on_device else 0.0)
        # Pages of the output are touched as it fills; a chunk's rows and edges go only when the next ones are there.
        floats += size.targets * size.columns_out
        return FLOAT_BYTES * floats + 2 * edge_bytes * chunk.edges

    def _chunk_edges(self, so_far: Forecast, size: LayerSize) -> float:
        """Edges of one chunk (``network.target_chunks``); a target with more neighbours has a chunk of its own."""
        columns = self.architecture.layer_cost(size).gathered
        if size.dense:
            return size.edges if self.speed.place is Place.HOST else max(CHUNK_BYTES / FLOAT_BYTES, size.sources)
        edges = FUSED_CHUNK_EDGES if so_far.fused else CHUNK_BYTES / (FLOAT_BYTES * columns)
        return max(edges, so_far.facts.graph.degrees.max)

    def build(self, job: Job) -> Job:
        from techniques.architecture.convs import set_true_degrees
        from techniques.architecture.network import Network

        model, structure, device = job.need("model"), job.need("structure"), job.need("device")
        assert isinstance(model, Network)
        batch = job.need("transfer")(job.need("batches")()[0])  # the one that training has moved already
        degrees = structure.degrees().to(device)

        def predict(nodes: Tensor | None = None) -> Tensor:
            set_true_degrees(model, degrees)
            try:
                every = model.inference(batch.x, structure, device)
            finally:
                set_true_degrees(model, None)
            return every if nodes is None else every[nodes.to(device)]

        return replace(job, predict=predict)
