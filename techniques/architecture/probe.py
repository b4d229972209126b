"""A look at the user's module, in a process of its own: ``python -m techniques.architecture.probe REQUEST ANSWER``.

Its factory is called and small training steps of it are measured on random graphs: the bytes that torch's allocator hands
out, dense products, and all that is written. All are close to linear in nodes and edges, so three sizes give the figures
for any. A trace with fake tensors could take the place of ``measured`` without touching the rest.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.nn import MessagePassing

from techniques.architecture.user_module import call_user, check_output, load_factory, make_module, takes
from techniques.base import Slot
from techniques.errors import InputError, OptionError
from techniques.facts import CustomFacts, CustomKnob, Facts, KnobValue, PerSize, Task
from techniques.job import Training
from techniques.representation.block import Block

FEATURE_BYTES = 16 * 2**20
"""Of the smallest graph that is tried."""
NODES = (200, 1000)
FEWEST_EDGES, LEAST_DEGREE, MOST_DEGREE = 1.5, 4.0, 50.0
"""Edges a node in the sparsest graph that is tried, and bounds for the others."""
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
    factory = load_factory(name, folder)
    knobs, takes_dropout = knobs_of(factory, name, facts)
    chosen = {knob.name: values.get(knob.name, knob.default) for knob in knobs}
    dropout = {"dropout": values.get("dropout", Training().dropout)} if takes_dropout else {}
    torch.manual_seed(0)
    module = make_module(factory, name, facts, {**chosen, **dropout})
    extras = takes(module.forward, name)
    trial = _Trial(module, facts, extras, name)
    nodes = min(max(FEATURE_BYTES // (4 * max(facts.graph.features.width, 1)), NODES[0]), NODES[1])
    degree = min(max(facts.graph.degrees.mean, LEAST_DEGREE), MOST_DEGREE)
    sizes = [(nodes, FEWEST_EDGES * nodes), (nodes, degree * nodes), (2 * nodes, degree * nodes)]
    trial.forward(trial.graph(8, 16))  # modules that find their widths do it here
    steps = [trial.measured(*(int(one) for one in size)) for size in sizes]
    train, infer, gemm, moved = (fitted(sizes, figures) for figures in zip(*steps, strict=True))
    return CustomFacts(
        factory=name,
        folder=folder,
        knobs=knobs,
        takes_dropout=takes_dropout,
        forward=extras,
        has_inference=_infers(module, name),
        layers=max(1, sum(isinstance(one, MessagePassing) for one in module.modules())),
        parameters=sum(one.numel() for one in module.parameters()),
        values={**chosen},
        train_bytes=train,
        infer_bytes=infer,
        gemm_flops=gemm,
        moved_bytes=moved,
    )


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


def fitted(sizes: Sequence[tuple[float, float]], figures: Sequence[float]) -> PerSize:
    """The plane through three points; what would be negative is 0."""
    table = np.array([[nodes, edges, 1.0] for nodes, edges in sizes])
    per_node, per_edge, fixed = (max(float(one), 0.0) for one in np.linalg.solve(table, np.array(figures)))
    return PerSize(per_node=per_node, per_edge=per_edge, fixed=fixed)


class _Trial:
    """Small steps of one module."""

    def __init__(self, module: nn.Module, facts: Facts, extras: tuple[str, ...], name: str) -> None:
        self.module, self.facts, self.extras, self.name = module, facts, extras, name
        labels = facts.graph.labels
        self.columns = None if facts.task is Task.LINK else max(labels.num_classes, 2)

    def graph(self, nodes: int, edges: int) -> tuple[Tensor, Block]:
        """Random edges, with the weights and attributes that the graph at hand has."""
        facts, rng = self.facts.graph, torch.Generator().manual_seed(0)
        weight = torch.rand(edges, generator=rng) if facts.edge_weighted else None
        attr = torch.randn(edges, facts.edge_features, generator=rng) if facts.edge_features else None
        edge_index = torch.randint(0, nodes, (2, edges), generator=rng)
        x = torch.randn(nodes, facts.features.width, generator=rng)
        return x, Block(nodes, nodes, edge_index=edge_index, weight=weight, edge_attr=attr)

    def forward(self, graph: tuple[Tensor, Block]) -> Tensor:
        x, block = graph
        try:
            out = call_user(self.module, x, block, block.num_sources, self.extras)
        except InputError:
            raise
        except Exception as error:
            from techniques.architecture.user_module import user_error

            raise user_error(f"forward of {self.name}", "failed on a small random graph", error) from error
        check_output(out, block.num_sources, block.num_sources, self.columns, self.name)
        return out  # type: ignore[no-any-return]

    def measured(self, nodes: int, edges: int) -> tuple[float, float, float, float]:
        """Peak bytes of a step (without weights and moments) and of a forward pass, FLOPs, bytes moved."""
        graph = self.graph(nodes, edges)
        optimizer = torch.optim.Adam(self.module.parameters(), lr=1e-6)

        def step() -> None:
            out = self.forward(graph)
            loss = out.square().mean() if self.columns is None else out.log_softmax(1).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        self.module.train()
        with FlopCounterMode(display=False) as counter:
            step()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trained:
            step()
        self.module.eval()
        with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as inferred:
            self.forward(graph)
        changes = _changes(trained)
        parameters = 4 * sum(one.numel() for one in self.module.parameters())
        peak = max(float(np.cumsum(changes).max()) - parameters, 0.0)  # gradients are held apart
        return (
            peak,
            float(np.cumsum(_changes(inferred)).max()),
            counter.get_total_flops(),
            3.0 * changes[changes > 0].sum(),
        )


def _changes(profiled: Any) -> Any:
    """Bytes given out and taken back, in order."""
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    return np.array([0, *(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))])


if __name__ == "__main__":
    main()
