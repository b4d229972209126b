"""The user's own module: ``factory(facts, **knobs)`` returns it, a trace of its steps says what it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from techniques.architecture.ledger import ADAM_BYTES_PER_PARAMETER
from techniques.architecture.operations.traced import traced_operations
from techniques.base import Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts, GraphFacts, Task
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import resident
from techniques.hardware.overlap import spend_steps
from techniques.hardware.rates import Rates, rates
from techniques.job import Job, JobSpec, setting_int
from techniques.own_model import CustomFacts, CustomKnob, Trace, largest
from techniques.recipe_parts import FACTORY
from techniques.sampling.batches import needs_one_graph
from techniques.sampling.shapes import hop_sizes

if TYPE_CHECKING:
    from techniques.own_model import KnobValue

TYPICAL_TENSORS = 6
"""A pass without gradients is taken for so many tensors of one size: the allocator treats small ones differently."""
STEP_ERROR = 0.1
"""Of small real steps: shapes that depend on values follow other neighbourhoods than those that were looked at."""
OTHER_KNOBS = 3.0
"""Knobs may have values that were not traced: figures may be so many times off."""
BULK_FACTOR = 1.5
"""Of seconds, where amounts of work are known but not its shapes."""
FORWARD_SHARE = 1 / 3
"""Of a training step, for a forward pass alone."""
SEEDS_PER_BATCH = 256
"""Nodes whose whole neighbourhoods are predicted together."""
WHOLE_SHARE = 0.5
"""Neighbourhoods that reach so much of the graph are no gain over all of it at once."""


class Custom:
    """Anything that maps ``x`` and ``edge_index`` to a row per node; its steps are traced before planning."""

    __slots__ = ()
    slot = Slot.ARCHITECTURE
    name = "custom"
    text = "a module of your own: --model module:factory"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        text = "your forward(x, edge_index) says nothing of graphs: how to pool its nodes is not known"
        if refused := needs_one_graph(facts, "architecture", self.name, text):
            return refused
        own = facts.model.custom
        if own is None:
            text = "nothing is known of it: write --model module:factory"
            return refuse("model", facts.model.architecture or "none", "a module needs its factory", "gnnfit", text)
        return _refusal(spec) or Verdict(usable=True, warnings=_warnings(facts, spec, own))

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        own = facts.model.custom
        found = () if own is None else tuple(_knob(one) for one in own.knobs)
        if any(knob.name == "layers" for knob in found):
            return found
        text = "message-passing layers of your module: the hops that are sampled"
        layers = facts.model.layers or (own.layers if own else 2)
        return (*found, Knob(name="layers", text=text, default=min(layers, 16), low=1, high=16, tuned=False))

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        own = facts.model.custom
        assert own is not None, "check refuses a module that nothing is known of"
        speed, plan = rates(facts, spec), user_plan(facts, spec)
        trace, traced = own.trace(plan.values, spec.training.precision)
        varies = spec.options[Slot.SAMPLING] != "full_batch"
        accumulates = spec.training.accumulate_batches > 1
        step = UserStep(trace, plan, speed, varies, not traced, accumulates)
        return (step, UserEvaluation(trace, plan, speed, not traced))

    def recipe(self, spec: JobSpec) -> str:
        factory = str(spec.settings.get(FACTORY, ""))
        module, _, attribute = factory.partition(":")
        if not module:
            return ""
        names = str(spec.settings.get("factory_knobs", "")).split()
        values = {name: spec.settings[name] for name in names if name in spec.settings}
        values |= {"dropout": spec.training.dropout} if "dropout" in names else {}
        arguments = "".join(f", {name}={value!r}" for name, value in values.items())
        classes = "None" if spec.options[Slot.SAMPLING] == "link_neighbor" else "num_classes"
        return f"""\
from types import SimpleNamespace
from {module} import {attribute.partition(".")[0]}
torch.manual_seed({spec.training.seed})
# What most factories ask of the facts that gnnfit hands them
graph = SimpleNamespace(
    num_nodes=data.num_nodes,
    num_edges=data.num_edges,
    features=SimpleNamespace(width=data.num_features),
    labels=SimpleNamespace(num_classes={classes}),
)
model = {attribute}(SimpleNamespace(graph=graph){arguments})"""


def _refusal(spec: JobSpec) -> Verdict | None:
    options, source = spec.options, "gnnfit"
    if options[Slot.REPRESENTATION] != "coo":
        text = "your forward takes edge_index: use coo"
        return refuse("representation", options[Slot.REPRESENTATION], "forward(x, edge_index)", source, text)
    if options[Slot.REPRESENTATION_FEATURES] != "dense":
        return refuse("features", "sparse", "forward(x, edge_index)", source, "your forward takes a dense x")
    if options[Slot.SAMPLING] == "shadow_k_hop":
        text = "a readout of ego graphs follows convolutions that are built in"
        return refuse("sampling", "shadow_k_hop", "one row of output per node", source, text)
    if spec.settings.get("trim"):
        text = "your layers see whole batches: write --set trim=false"
        return refuse("trim", "true", "only layers that are built in can leave nodes out", source, text)
    if spec.training.checkpoint_layers:
        text = "your layers are not known one by one: use torch.utils.checkpoint inside your module"
        return refuse("checkpoint_layers", "true", "layers are computed again one by one", source, text)
    return None


def _warnings(facts: Facts, spec: JobSpec, own: CustomFacts) -> tuple[str, ...]:
    found = []
    for name, there in (("edge_weight", facts.graph.edge_weighted), ("edge_attr", facts.graph.edge_features > 0)):
        if there and name not in own.forward:
            found.append(f"your forward has no argument {name}: the graph's own are not read")
    if evaluation_of(facts, spec, own) != "inference":
        how = "the whole graph at once" if evaluation_of(facts, spec, own) == "whole" else "whole neighbourhoods"
        found.append(f"your module has no inference(x, edge_index): evaluation runs forward on {how}")
    trace, traced = own.trace(user_plan(facts, spec).values, spec.training.precision)
    if not traced:
        found.append("your module was not traced with these knobs: figures may be three times off")
    elif trace.precision != spec.training.precision:
        found.append("bf16: your module trains under torch.autocast; no saving is counted in its forecast")
    return (*found, *trace_warnings(trace))


def trace_warnings(trace: Trace) -> tuple[str, ...]:
    """What a trace has found that a reader of its figures should know."""
    found = []
    if trace.why_not_fake:
        found.append(f"your module was traced on small real steps, not on fake tensors ({trace.why_not_fake})")
    if trace.quadratic:
        found.append("the memory of your module grows with the square of the nodes, as that of dense attention does")
    if trace.checked_error > STEP_ERROR:
        off = f"{trace.checked_error:.0%}"
        found.append(f"the memory of your module is not linear in nodes and edges: at another size it was {off} off")
    return tuple(found)


def _knob(one: CustomKnob) -> Knob:
    """Bounds say no more than the kind of number; tuning tries what the factory's ``knobs`` list."""
    text, default = f"argument {one.name} of your factory", one.default
    if isinstance(default, bool):
        return Knob(name=one.name, text=text, default=default, choices=(default, not default), tuned=bool(one.choices))
    if one.choices or isinstance(default, str):
        return Knob(name=one.name, text=text, default=default, choices=one.choices, tuned=bool(one.choices))
    low, high = min(0.0, 10 * default), max(1e9, 10 * default)
    return Knob(name=one.name, text=text, default=default, low=low, high=high, tuned=False)


@dataclass(frozen=True)
class UserPlan:
    """Everything that fixes the live module: its factory, its arguments, what it is called with."""

    factory: str
    folder: str
    knobs: tuple[tuple[str, KnobValue], ...]
    forward: tuple[str, ...]
    columns: int | None
    """Columns of its output; any where links are predicted."""
    seeds_first: bool
    """Whether the nodes that carry the loss are the first of a batch."""
    evaluation: str
    """``inference``, ``whole`` or ``neighbourhoods``."""
    hops: int
    bf16: bool

    @property
    def values(self) -> dict[str, KnobValue]:
        return dict(self.knobs)


def user_plan(facts: Facts, spec: JobSpec) -> UserPlan:
    """What a spec makes of the user's factory."""
    own = facts.model.custom
    assert own is not None
    values: dict[str, Any] = {knob.name: spec.settings.get(knob.name, knob.default) for knob in own.knobs}
    values |= {"dropout": spec.training.dropout} if own.takes_dropout else {}
    return UserPlan(
        factory=own.factory,
        folder=own.folder,
        knobs=tuple(values.items()),
        forward=own.forward,
        columns=None if facts.task is Task.LINK else max(facts.graph.labels.num_classes, 2),
        seeds_first=spec.options[Slot.SAMPLING] == "neighbor",
        evaluation=evaluation_of(facts, spec, own),
        hops=setting_int(spec.settings, "layers") + 1,
        bf16=spec.training.precision == "bf16",
    )


def evaluation_of(facts: Facts, spec: JobSpec, own: CustomFacts) -> str:
    """How nodes are predicted: by the module's ``inference``, all at once, or with their whole neighbourhoods.

    Neighbourhoods reach one hop further than there are layers, so that layers that divide by degrees see true ones.
    """
    if own.has_inference:
        return "inference"
    if spec.options[Slot.SAMPLING] == "full_batch":
        return "whole"
    nodes, _ = neighborhoods(facts.graph, setting_int(spec.settings, "layers") + 1)
    return "whole" if nodes >= WHOLE_SHARE * facts.graph.num_nodes else "neighbourhoods"


def neighborhoods(graph: GraphFacts, hops: int) -> tuple[float, float]:
    """Nodes and edges within so many hops of a batch of nodes, all of them: the larger ones of such batches."""
    sizes = hop_sizes(graph, min(SEEDS_PER_BATCH, graph.num_train), (-1,) * hops)
    return min(sum(sizes.high_nodes), graph.num_nodes), min(sum(sizes.high_edges), graph.num_edges)


def step_bytes(trace: Trace, place: Place, nodes: float, edges: float, seeds: float) -> float:
    """Live bytes of a training step at their peak; on the host with what kernels take for themselves."""
    live = largest(trace.train, nodes, edges, seeds)
    return live if place is Place.DEVICE else max(live, largest(trace.kernels, nodes, edges, seeds))


def _blocks(live_bytes: float) -> list[float]:
    return [live_bytes / TYPICAL_TENSORS] * TYPICAL_TENSORS


def _uncertain(found: Range, trace: Trace, other_knobs: bool) -> Range:
    """Fake tensors are exact; small steps as far off as at the size they were checked at, or more."""
    error = trace.checked_error if trace.method == "fake tensors" else max(trace.checked_error, STEP_ERROR)
    off = OTHER_KNOBS if other_knobs else 1.0
    return Range(found.low / (1 + error) / off, found.expected, found.high * (1 + error) * off)


@dataclass(frozen=True)
class UserStep:
    """Forward, loss, backward and optimiser step of the user's module; bytes, FLOPs and seconds from its trace."""

    trace: Trace
    plan: UserPlan
    speed: Rates
    shapes_vary: bool
    other_knobs: bool
    accumulates: bool
    """Gradients stay from batch to batch."""
    stage: Stage = Stage.STEP

    def forecast(self, so_far: Forecast) -> Forecast:
        assert so_far.shape is not None and so_far.largest_shape is not None
        mean, largest_shape, trace, place = so_far.shape, so_far.largest_shape, self.trace, self.speed.place
        # Gradients are among the live bytes of a step, and there before it where they are accumulated.
        per_parameter = ADAM_BYTES_PER_PARAMETER - (0 if self.accumulates else FLOAT_BYTES)
        held = Range.within(per_parameter * trace.parameters, 0.02)
        held = Range(held.low / OTHER_KNOBS, held.expected, held.high * OTHER_KNOBS) if self.other_knobs else held
        so_far = so_far.hold(Phase.TRAIN, place, "parameters", held)
        so_far = so_far.resting_on(f"your module traced on {trace.method}")
        size = (largest_shape.input_nodes, largest_shape.input_edges, largest_shape.seeds)
        live = step_bytes(trace, place, *size)
        blocks = [max(block.at(*size), 0.0) for block in trace.blocks]
        needs = resident(live, blocks, place, self.shapes_vary)
        so_far = so_far.spike(Phase.TRAIN, place, _uncertain(needs, trace, self.other_knobs))
        steps, size = so_far.full_steps_per_epoch, (mean.input_nodes, mean.input_edges, mean.seeds)
        flops = trace.gemm_flops(*size)
        seconds = self.speed.training_seconds(traced_operations(trace, *size), "custom", fused=False)
        off = BULK_FACTOR * (OTHER_KNOBS if self.other_knobs else 1.0)
        so_far = spend_steps(so_far, self.speed, seconds, off)
        counted = Range.factor(flops * steps, OTHER_KNOBS) if self.other_knobs else Range.within(flops * steps, 0.02)
        return so_far.changed(gemm_flops_per_epoch=counted, parameters=trace.parameters)

    def build(self, job: Job) -> Job:
        from techniques.architecture.user_module import build_network

        return build_network(job, self.plan)


@dataclass(frozen=True)
class UserEvaluation:
    """Logits of nodes by forward passes alone: of the whole graph, or of whole neighbourhoods batch by batch."""

    trace: Trace
    plan: UserPlan
    speed: Rates
    other_knobs: bool
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph, place = so_far.facts.graph, self.speed.place
        for label in ("batches", "sampling"):
            so_far = so_far.drop(Place.HOST, label)
        so_far = so_far.hold(Phase.EVALUATE, place, "best weights", Range.exact(FLOAT_BYTES * so_far.parameters))
        nodes, edges, batches = float(graph.num_nodes), float(graph.num_edges), 1
        rows = 0.0
        if self.plan.evaluation == "neighbourhoods":
            nodes, edges = neighborhoods(graph, self.plan.hops)
            batches = math.ceil(graph.num_nodes / SEEDS_PER_BATCH)
            rows = FLOAT_BYTES * nodes * graph.features.width
        live = largest(self.trace.infer, nodes, edges) + 2 * INDEX_BYTES * edges + rows
        live += FLOAT_BYTES * graph.num_nodes * (self.plan.columns or 1)
        needs = resident(live, _blocks(live), place, shapes_vary=batches > 1)
        so_far = so_far.spike(Phase.EVALUATE, place, _uncertain(needs, self.trace, self.other_knobs))
        forward = traced_operations(self.trace, nodes, edges, 0.0, share=FORWARD_SHARE)
        seconds = batches * self.speed.seconds(forward)
        off = BULK_FACTOR * (OTHER_KNOBS if self.other_knobs else 1.0)
        return so_far.spend(Phase.EVALUATE, Range.factor(seconds, off * self.speed.time_factor))

    def build(self, job: Job) -> Job:
        from techniques.architecture.user_module import build_predict

        return build_predict(job, self.plan)


CUSTOM = Custom()
