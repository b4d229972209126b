"""What the built-in architectures share: their knobs, the parts that they add to a job, and their recipe."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

from techniques.architecture.bf16 import precision_warnings
from techniques.architecture.edge_inputs import edge_verdict, read_columns, reads_weights
from techniques.architecture.evaluate_all import EvaluateAllNodes
from techniques.architecture.evaluate_chunks import EvaluateInChunks, chunk_bytes
from techniques.architecture.evaluate_egos import EvaluateEgoGraphs
from techniques.architecture.graph_level import EvaluateGraphs, graph_knobs, graph_recipe, normalises, pool_of
from techniques.architecture.layer_kind import LayerKind
from techniques.architecture.network_plan import NetworkPlan, checked_sizes
from techniques.architecture.readout import Readout
from techniques.architecture.train_step import TrainStep
from techniques.base import Knob, Part, Slot, Verdict
from techniques.errors import OptionError
from techniques.facts import Facts, Task
from techniques.hardware.rates import rates
from techniques.job import JobSpec, setting_int
from techniques.recipe_parts import EDGE_COLUMNS, weighs_edges
from techniques.sampling.shadow_k_hop import ego_part

GRAPH_LAYERS, GRAPH_HIDDEN = 4, 64
"""For sets of graphs: Xu et al. (ICLR 2019, section 7) take five layers, the input's among them, of 16 to 64 columns."""
VARYING_SHAPES = ("neighbor", "link_neighbor", "shadow_k_hop")
"""Samplers whose batches differ in size from step to step; of induced subgraphs only the messages of COO do."""
WIDE_INPUT = 1.0
"""Transform before aggregating where the input is wider than this many times the output."""


class BuiltIn(LayerKind):
    """A stack of one kind of PyG convolution."""

    __slots__ = ()
    slot: ClassVar[Slot] = Slot.ARCHITECTURE
    text: ClassVar[str]
    default_hidden: ClassVar[int] = 128
    can_transform_first: ClassVar[bool] = False
    uses_edge_weight: ClassVar[bool] = False
    uses_edge_attr: ClassVar[bool] = False

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
        this, accumulates = self.configured(spec), spec.training.accumulate_batches > 1
        exact = replace(plan, weighted=reads_weights(facts, spec), bf16=False)
        if plan.readout is Readout.EGO:
            egos = ego_part(spec, everyone=True)
            return TrainStep(this, plan, speed, varies, accumulates), EvaluateEgoGraphs(this, exact, speed, egos)
        if plan.readout is Readout.GRAPHS:
            varies = sampling != "full_batch"
            return TrainStep(this, plan, speed, varies, accumulates), EvaluateGraphs(this, exact, speed)
        small_steps = sampling != "full_batch" or spec.options[Slot.COARSENING] != "none"
        if not small_steps:
            return TrainStep(this, plan, speed, varies, accumulates), EvaluateAllNodes(this, exact, speed)
        chunk = chunk_bytes(facts, spec, plan.widths[1:])
        return TrainStep(this, plan, speed, varies, accumulates), EvaluateInChunks(this, exact, speed, chunk)

    def network_plan(self, facts: Facts, spec: JobSpec) -> NetworkPlan:
        """Widths and order of operations."""
        layers, hidden, heads = checked_sizes(spec.settings)
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
            dropout=spec.training.dropout if layers > 1 or readout is not Readout.NODES else 0.0,  # of hidden values
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


def _readout(facts: Facts, spec: JobSpec) -> Readout:
    if facts.task is Task.LINK:
        return Readout.PAIRS
    if facts.task is Task.GRAPH:
        return Readout.GRAPHS
    return Readout.EGO if spec.options[Slot.SAMPLING] == "shadow_k_hop" else Readout.NODES
