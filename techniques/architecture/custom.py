"""The user's own module: ``factory(facts, **knobs)`` returns it, a trace of its steps says what it needs."""

from __future__ import annotations

from techniques.architecture.user_plan import evaluation_of, user_plan
from techniques.architecture.user_step import STEP_ERROR, UserEvaluation, UserStep
from techniques.base import Knob, Part, Slot, Verdict, refuse
from techniques.facts import Facts
from techniques.hardware.rates import rates
from techniques.job import JobSpec
from techniques.own_model import CustomFacts, CustomKnob, Trace
from techniques.recipe_parts import FACTORY
from techniques.sampling.batches import needs_one_graph


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


CUSTOM = Custom()
