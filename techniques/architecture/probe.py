"""A look at the user's module, in a process of its own: ``python -m techniques.architecture.probe REQUEST ANSWER``.

Its factory is called and the steps of what it makes are traced (``own_trace.py``): with the knobs as they stand, in
bfloat16, and with the other values that the factory lists, as far as time allows.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import MessagePassing

from techniques.architecture.bf16 import has_bf16
from techniques.architecture.own_steps import OwnSteps, StepSize
from techniques.architecture.own_trace import trace_steps
from techniques.architecture.user_errors import user_error
from techniques.architecture.user_module import UserNetwork, load_factory, make_module, takes
from techniques.architecture.user_plan import UserPlan
from techniques.base import Slot
from techniques.errors import InputError, OptionError
from techniques.facts import Facts, Task
from techniques.job import Training
from techniques.own_model import CustomFacts, CustomKnob, KnobValue, Trace
from techniques.sources import factory_fingerprint

VARIANT_SECONDS = 20.0
"""After which no further values of knobs are traced."""
KINDS = (bool, int, float, str)


def main() -> None:
    """Read the request, write what was found or the error."""
    request = json.loads(Path(sys.argv[1]).read_text())
    facts = Facts.model_validate(request["facts"])
    try:
        found = probe(request["factory"], request["folder"], facts, request["values"])
        answer: dict[str, Any] = {"found": found.model_dump(mode="json")}
    except InputError as error:
        answer = {"problem": error.problem, "remedy": error.remedy}
    Path(sys.argv[2]).write_text(json.dumps(answer))


def probe(name: str, folder: str, facts: Facts, values: dict[str, KnobValue]) -> CustomFacts:
    """Facts about the module that ``name`` makes with these knobs.

    Raises:
        OptionError: what is wrong with the factory, its module or its output.
    """
    started = time.perf_counter()
    factory = load_factory(name, folder)
    knobs, takes_dropout = knobs_of(factory, name, facts)
    chosen = {knob.name: values.get(knob.name, knob.default) for knob in knobs}
    dropout = {"dropout": values.get("dropout", Training().dropout)} if takes_dropout else {}
    plan = UserPlan(
        factory=name,
        folder=folder,
        knobs=(),
        forward=(),
        columns=None if facts.task is Task.LINK else max(facts.graph.labels.num_classes, 2),
        seeds_first=True,
        evaluation="forward",
        hops=0,
        bf16=False,
    )
    half = values.get("precision") == "bf16" or any(has_bf16(gpu) for gpu in facts.hardware.gpus)
    traces: list[Trace] = []
    for values, precision in _variants(chosen, knobs, half=half):
        if traces and time.perf_counter() - started > VARIANT_SECONDS:
            break
        torch.manual_seed(0)
        module = make_module(factory, name, facts, {**values, **dropout})
        extras, infers = takes(module.forward, name), _infers(module, name)
        evaluation = "inference" if infers else "forward"
        this = replace(plan, forward=extras, evaluation=evaluation, bf16=precision == "bf16")
        traces.append(_traced(OwnSteps(UserNetwork(module, this), facts), values, precision))
        if len(traces) == 1:
            first = module
    return CustomFacts(
        factory=name,
        folder=folder,
        source=factory_fingerprint(name, folder),
        knobs=knobs,
        takes_dropout=takes_dropout,
        forward=takes(first.forward, name),
        has_inference=_infers(first, name),
        layers=max(1, sum(isinstance(one, MessagePassing) for one in first.modules())),
        traces=tuple(traces),
    )


def _variants(
    chosen: dict[str, KnobValue], knobs: Sequence[CustomKnob], *, half: bool
) -> Iterator[tuple[dict[str, KnobValue], str]]:
    """The knobs as they stand, the same in bfloat16 where it may be used, then every combination of what the factory lists."""
    yield chosen, "fp32"
    if half:
        yield chosen, "bf16"
    listed = [[(knob.name, value) for value in knob.choices] for knob in knobs if knob.choices]
    for combination in product(*listed):
        if (values := {**chosen, **dict(combination)}) != chosen:
            yield values, "fp32"


def _traced(steps: OwnSteps, values: dict[str, KnobValue], precision: str) -> Trace:
    """A small forward pass first, for modules that find their widths then; its output is checked.

    Raises:
        OptionError: what is wrong with the module or its output.
    """
    graph = steps.facts.graph
    whole = StepSize(graph.num_nodes, graph.num_edges, min(graph.num_train, graph.num_nodes))
    try:
        steps.check()
        return trace_steps(steps, values, precision, whole)
    except InputError:
        raise
    except Exception as error:
        raise user_error(f"a step of {steps.network.plan.factory} failed on a small random graph", error) from error


def _infers(module: nn.Module, name: str) -> bool:
    """Whether the module has an ``inference`` of its own; it must take what ``forward`` may take."""
    found = callable(getattr(module, "inference", None))
    if found:
        takes(module.inference, f"{name} (inference)")  # type: ignore[arg-type]
    return found


def knobs_of(factory: Any, name: str, facts: Facts) -> tuple[tuple[CustomKnob, ...], bool]:
    """Keyword arguments with plain defaults, and whether the dropout of training is among them.

    Raises:
        OptionError: an argument that nothing fills, or a name that means something else already.
    """
    parameters = list(inspect.signature(factory).parameters.values())
    if not parameters:
        raise OptionError(f"{name} must take the facts, got no argument", "Write def build(facts, hidden=64): ...")
    listed, taken, found = getattr(factory, "knobs", {}), _taken(facts), []
    for one in parameters[1:]:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) or one.name == "dropout":
            continue
        if one.default is one.empty:
            raise OptionError(
                f"all arguments of {name} but the first need a default, got none for {one.name}", "Add it"
            )
        if not isinstance(one.default, KINDS):
            continue
        if one.name in taken:
            raise OptionError(
                f"knobs must have names of their own, {one.name} of {name} is one of gnnfit's", "Rename the argument"
            )
        choices = tuple(listed.get(one.name, ()))
        choices = choices if not choices or one.default in choices else (one.default, *choices)
        found.append(CustomKnob(name=one.name, default=one.default, choices=choices))
    return tuple(found), any(one.name == "dropout" for one in parameters[1:])


def _taken(facts: Facts) -> set[str]:
    from techniques import OPTIONS

    rooms = {knob.name for one in OPTIONS if one.slot is not Slot.ARCHITECTURE for knob in one.knobs(facts)}
    return rooms | set(Training.model_fields)


if __name__ == "__main__":
    main()
