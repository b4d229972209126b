"""What the architectures for heterogeneous graphs share: when they can be used, their knobs, their step."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import LayerCost
from techniques.architecture.edge_inputs import edge_verdict
from techniques.architecture.hetero.costs import TypedSize, encoder_cost, head_cost, typed_blocks
from techniques.architecture.hetero.evaluation import EvaluateTypes
from techniques.architecture.hetero.heap import BATCHES, fragments
from techniques.architecture.hetero.inputs import InputKind, type_inputs
from techniques.architecture.hetero.plan import TypedPlan
from techniques.architecture.hetero.relation import target_place
from techniques.architecture.hetero.typed import relations_of
from techniques.architecture.hetero.use import LayerUse, layer_uses
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.ledger import StepCost
from techniques.architecture.network_plan import NetworkPlan, checked_sizes
from techniques.architecture.operations.passes import Passes, in_bulk
from techniques.architecture.train_step import TrainStep
from techniques.base import Knob, Part, Slot, Verdict, refuse
from techniques.errors import OptionError
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts, Task
from techniques.forecast import ZERO, Forecast, Phase, Place
from techniques.hardware.allocator import LIVE_ERROR, fixed_bytes
from techniques.hardware.rates import rates
from techniques.job import JobSpec, setting_int
from techniques.step_shape import StepShape

if TYPE_CHECKING:
    from torch import nn

WORKS_WITH: dict[Slot, tuple[str, ...]] = {
    Slot.COARSENING: ("none",),
    Slot.REMOTE: ("memory",),
    Slot.REMOTE_FEATURES: ("memory",),
    Slot.SAMPLING: ("full_batch", "neighbor"),
    Slot.REPRESENTATION: ("csr", "coo"),
    Slot.REPRESENTATION_FEATURES: ("dense", "csr"),
    Slot.HARDWARE: ("cpu",),
    Slot.PARALLEL: ("single",),
}
"""What knows node and edge types beside a typed architecture."""
TYPED_OPERATORS = 40
"""Operators of one layer's pass over a few relations."""
MOST_EMBEDDED = 5_000_000
"""Nodes without features up to which each gets an embedding by default: 64 columns of as many take 5 GB with Adam."""


@dataclass(frozen=True)
class TypedTrainStep(TrainStep):
    """A step whose tensors are as large as one type or one relation makes them."""

    def _cost(self, so_far: Forecast, shape: StepShape) -> StepCost:
        sizes = self.plan.sizes(so_far, shape)
        cost = super()._cost(so_far, shape)
        blocks = tuple(FLOAT_BYTES * block for size in sizes for block in typed_blocks(size))  # type: ignore[arg-type]
        return replace(cost, blocks=tuple(block for block in blocks if block))

    def forecast(self, so_far: Forecast) -> Forecast:
        """As of one type, but for the heap."""
        done = super().forecast(so_far)
        if self.speed.place is not Place.HOST:
            return done
        assert so_far.largest_shape is not None
        largest = self._cost(so_far, so_far.largest_shape)
        live = largest.activation_bytes + largest.workspace_bytes
        held = fragments(largest.activation_bytes, largest.blocks, self.shapes_vary)
        batches = so_far.held.get((Place.HOST, "batches"), ZERO)
        needs = LIVE_ERROR * live + held + BATCHES * batches.expected + fixed_bytes(live)
        return done.spike(Phase.TRAIN, Place.HOST, needs)


class TypedBuiltIn(BuiltIn):
    """A stack of typed convolutions over encoders of every node type."""

    __slots__ = ()
    default_hidden: ClassVar[int] = 64
    activated: ClassVar[bool] = True
    has_head: ClassVar[bool] = False
    keeps_unreached: ClassVar[bool] = False
    """Whether a type that no edge leads to has rows after a layer."""

    @abstractmethod
    def typed_cost(self, size: TypedSize) -> LayerCost:
        """What one layer costs."""

    @abstractmethod
    def typed_conv(self, plan: TypedPlan, index: int) -> nn.Module:
        """One live layer."""

    def inference_floats(self, size: TypedSize) -> float:
        """Floats that a layer makes for one chunk of one type's targets where nothing is kept for a backward pass."""
        return self.layer_cost(size).inference

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        raise AssertionError("a typed layer is made by typed_conv")

    def layer_cost(self, size: LayerSize) -> LayerCost:
        assert isinstance(size, TypedSize)
        if size.inputs is not None:
            return encoder_cost(size)
        return head_cost(size) if size.use is None else self.typed_cost(size)

    def layer_operations(self, size: LayerSize) -> Passes:
        """The amounts of the ledger, type by type: no shapes are told apart."""
        cost, rows = self.layer_cost(size), max(size.targets, 1.0)
        forward = in_bulk(cost.gemm, cost.moved, rows, TYPED_OPERATORS)
        return Passes(forward, in_bulk(cost.gemm + cost.input_gemm, 2 * cost.moved, rows, TYPED_OPERATORS))

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        refused = self._refused_graph(facts) or _refused_choice(spec, self.name) or self._refused_reach(facts, spec)
        if refused is not None:
            return refused
        verdict = edge_verdict(facts, spec)
        return verdict.model_copy(update={"warnings": verdict.warnings + tuple(input_warnings(facts.graph, spec))})

    def _refused_graph(self, facts: Facts) -> Verdict | None:
        graph = facts.graph
        if not graph.edge_types:
            rule = "typed layers need a graph that was read and has several node or edge types"
            text = "a graph of one type: use sage, gcn, gat or gin"
            return refuse("node types", max(len(graph.nodes_by_type), 1), rule, "PyG, heterogeneous graphs", text)
        if facts.task is not Task.NODE:
            text = "sage, gcn, gat and gin predict links with all types taken as one"
            if graph.target_type is None:
                text = f"give one node type labels: data['TYPE'].y; {text}"
            return refuse("task", facts.task.value, "typed layers classify the nodes of one type", "gnnfit", text)
        return None

    def _refused_reach(self, facts: Facts, spec: JobSpec) -> Verdict | None:
        if self.uses(facts, spec):
            return None
        rule = f"edges must lead to {facts.graph.target_type}, from types that edges lead to"
        text = "no message reaches the nodes with labels: --set reverse_edges=true"
        return refuse("reverse_edges", "false", rule, "PyG, ToUndirected", text)

    def uses(self, facts: Facts, spec: JobSpec) -> tuple[LayerUse, ...]:
        graph = facts.graph
        layers = setting_int(spec.settings, "layers")
        kinds, target = len(graph.node_types), target_place(graph)
        return layer_uses(relations_of(graph, spec), kinds, target, max(layers, 1), self.keeps_unreached)

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        graph = facts.graph
        alone = any(one.reverse is None for one in graph.edge_types)
        bare = sum(one.num_nodes for one in graph.node_types if not one.columns)
        kinds = (InputKind.EMBEDDING.value, InputKind.DEGREE.value)
        return (
            *super().knobs(facts),
            Knob(
                name="reverse_edges",
                text="turn edge types round that have no reverse (PyG ToUndirected)",
                default=alone,
                choices=(True, False),
                tuned=False,
            ),
            Knob(
                name="featureless",
                text="what stands in where a type has no features: a learned embedding, or the degree",
                default=kinds[0] if bare <= MOST_EMBEDDED else kinds[1],
                choices=kinds,
                tuned=0 < bare <= MOST_EMBEDDED,
            ),
        )

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        plan, speed = self.network_plan(facts, spec), rates(facts, spec)
        varies, accumulates = spec.options[Slot.SAMPLING] == "neighbor", spec.training.accumulate_batches > 1
        step = TypedTrainStep(self, plan, speed, varies, accumulates)
        return (step, EvaluateTypes(self, plan, speed))

    def network_plan(self, facts: Facts, spec: JobSpec) -> TypedPlan:
        """Widths, inputs and relations.

        Raises:
            OptionError: a setting out of its bounds, or a graph that the options refuse.
        """
        graph = facts.graph
        layers, hidden, heads = checked_sizes(spec.settings)
        refused = self._refused_graph(facts) or self._refused_reach(facts, spec)
        if refused is not None:
            raise OptionError(f"{self.name} cannot be used: {refused.reasons[0].text}", "Choose another architecture")
        classes = max(graph.labels.num_classes, 2)
        relations = relations_of(graph, spec)
        return TypedPlan(
            widths=(hidden, *([hidden] * (layers - 1)), hidden if self.has_head else classes),
            heads=heads,
            transform_first=False,
            sparse_input=False,
            dropout=spec.training.dropout,
            num_classes=classes,
            inputs=type_inputs(graph, spec),
            relations=relations,
            keys=tuple(one.key(graph) for one in relations),
            names=tuple(one.name for one in graph.node_types),
            uses=self.uses(facts, spec),
            target=target_place(graph),
            head=self.has_head,
        )

    def build_network(self, plan: NetworkPlan) -> nn.Module:
        from torch import nn

        from techniques.architecture.hetero.network import Encoder, HeteroNetwork

        assert isinstance(plan, TypedPlan)
        encoders = {kind: Encoder(one, plan.widths[0]) for kind, one in plan.encoded.items()}
        convs = [self.typed_conv(plan, index) for index in range(len(plan.uses))]
        head = nn.Linear(plan.widths[-1], plan.num_classes) if plan.head else None
        return HeteroNetwork(encoders, convs, plan.target, plan.dropout, activated=self.activated, head=head)


def _refused_choice(spec: JobSpec, name: str) -> Verdict | None:
    """Whatever does not know types yet."""
    for slot, known in WORKS_WITH.items():
        chosen = spec.options[slot]
        if chosen not in known:
            rule = f"where node and edge types are kept apart it must be {' or '.join(known)}"
            text = f"{chosen} does not know types yet: --fix {slot.value}={known[0]}"
            return refuse(slot.value, chosen, rule, "PyG, heterogeneous graphs", text)
    training = spec.training
    if training.precision != "fp32" or training.checkpoint_layers:
        what = "precision" if training.precision != "fp32" else "checkpoint_layers"
        return refuse(what, str(getattr(training, what)).lower(), f"{name} trains in float32, without checkpointing",
                      "gnnfit", "not offered for typed layers yet")  # fmt: skip
    return None


def input_warnings(graph: GraphFacts, spec: JobSpec) -> list[str]:
    """What stands in for features that are not there."""
    hidden = setting_int(spec.settings, "hidden")
    found = []
    for one, given in zip(graph.node_types, type_inputs(graph, spec), strict=True):
        if given.kind is InputKind.EMBEDDING:
            found.append(
                f"{one.name} has no features: a learned embedding, {one.num_nodes:,} x {hidden} parameters, "
                "which says nothing of nodes added later"
            )
        elif given.kind is InputKind.DEGREE:
            found.append(f"{one.name} has no features: log-degree and a constant stand in")
    return found
