"""What fixes the live module of a user, before it is made, and how its nodes are predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from techniques.base import Slot
from techniques.facts import Facts, GraphFacts, Task
from techniques.job import JobSpec, setting_int
from techniques.own_model import CustomFacts, KnobValue
from techniques.sampling.shapes import hop_sizes

SEEDS_PER_BATCH = 256
"""Nodes whose whole neighbourhoods are predicted together."""
WHOLE_SHARE = 0.5
"""Neighbourhoods that reach so much of the graph are no gain over all of it at once."""


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
