"""Fidelities: a part of the graph and a limit of seconds; what the search measures at, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from planner.inspect.opened import profiled
from techniques.facts import Facts
from techniques.remote.source.folder import FolderGraph
from techniques.remote.source.stored import StoredGraph
from tuner.subsample import subsample

RUNGS = (1 / 9, 1 / 3, 1.0)
"""Shares of a full trial; a third of the trials of a rung go on to the next (Jamieson and Talwalkar, AISTATS 2016; Li et
al., MLSys 2020, who use 4 and find little between 2 and 5)."""


class Fidelity(NamedTuple):
    """How much of the graph a trial sees, and for how long it trains at most."""

    share: float
    seconds: float

    @property
    def whole(self) -> bool:
        return self.share >= 1.0


@dataclass(frozen=True)
class Part:
    """A part of a graph as trials are told of it."""

    share: float
    graph: FolderGraph
    facts: Facts


def part_of(stored: StoredGraph, facts: Facts, share: float, folder: Path) -> Part:
    """A part of the graph in ``folder``, with facts of its own but the classes of the whole."""
    graph = subsample(stored, share, folder)
    found = profiled(graph, facts.graph.task, str(graph.path), check_values=True)
    labels = facts.graph.labels
    same = {"num_classes": labels.num_classes, "num_targets": labels.num_targets}
    found = found.model_copy(update={"labels": found.labels.model_copy(update=same)})
    return Part(share, graph, facts.model_copy(update={"graph": found}))
