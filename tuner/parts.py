"""Fidelities: a part of the graph and a limit of seconds; what the search measures at, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from planner.inspect.opened import profiled
from planner.records import Plan
from techniques.facts import Facts
from techniques.graph_figures import LabelFacts
from techniques.remote.source.folder import FolderGraph
from techniques.remote.source.stored import StoredGraph
from tuner.metric_names import metric_of
from tuner.race import Race
from tuner.subsample import compared, subsample

RUNGS = (1 / 9, 1 / 3, 1.0)
"""Shares of a full trial; a third of the trials of a rung go on to the next (Jamieson and Talwalkar, AISTATS 2016; Li et
al., MLSys 2020, who use 4 and find little between 2 and 5)."""
TRIALS_TO_CONVERGE = 4
"""A candidate that needs longer than this many full trials to converge is searched on parts of the graph."""
TRIAL_SHARE = 1 / 20
"""Of the budget, for one trial of full length."""
MIN_TRIAL_SECONDS, MAX_TRIAL_SECONDS = 2.0, 1800.0
MIN_PART_SECONDS = 0.5
"""Starting a trial takes about as long: shorter ones save nothing."""
FEWEST_JUDGED = 50
"""Validation nodes, or graphs, of a part: with fewer two models cannot be told apart."""


OF_THE_WHOLE = ("num_classes", "num_targets", "majority_share", "val_classes")
"""Of labels: a part's models have the last layer of the whole's, and are judged by its metric (``metric_of``)."""


class Fidelity(NamedTuple):
    """How much of the graph a trial sees, for how long it trains at most, and what it must keep up with meanwhile."""

    share: float
    seconds: float
    race: Race | None = None

    @property
    def whole(self) -> bool:
        return self.share >= 1.0


@dataclass(frozen=True)
class Part:
    """A part of a graph as trials are told of it."""

    share: float
    graph: FolderGraph
    facts: Facts
    lacks: str | None = None
    """Why models cannot be told apart on it; ``None`` where they can."""


def parts_of(stored: StoredGraph, plan: Plan, seconds: float, folder: Path, tell: Callable[..., None]) -> list[Part]:
    """Parts to search on where full trials of so many seconds would be too short for the whole graph; else none.

    A hierarchy is one of the whole graph. ``tell`` is given every part's character beside the whole graph's, or why the
    part is left out.
    """
    assert plan.best is not None, "nothing is searched for where nothing fits"
    quick = plan.best.forecast.seconds_to_converge <= TRIALS_TO_CONVERGE * seconds
    if quick or plan.facts.goal.hierarchy is not None:
        return []
    found = [part_of(stored, plan.facts, share, folder / f"part-{share:.3f}") for share in RUNGS[:-1]]
    for part in found:
        if part.lacks is None:
            tell("subsample", share=part.share, **compared(stored, part.graph))
        else:
            tell("part_left_out", share=part.share, reason=part.lacks)
    return [part for part in found if part.lacks is None]


def part_of(stored: StoredGraph, facts: Facts, share: float, folder: Path) -> Part:
    """A part of the graph in ``folder``, with facts of its own but the classes and the metric of the whole."""
    graph = subsample(stored, share, folder)
    found = profiled(graph, facts.graph.task, str(graph.path), check_values=True)
    same = {name: getattr(facts.graph.labels, name) for name in OF_THE_WHOLE}
    here = found.model_copy(update={"labels": found.labels.model_copy(update=same)})
    return Part(share, graph, facts.model_copy(update={"graph": here}), _lack(found.labels, metric_of(facts)))


def _lack(labels: LabelFacts, metric: str) -> str | None:
    """What a part's validation lacks to be judged by the metric of the whole."""
    if (labels.val or 0) < FEWEST_JUDGED:
        return f"a part must hold {FEWEST_JUDGED} to validate on, it has {labels.val or 0}"
    if metric == "auroc" and labels.val_classes == 1:
        return "AUROC needs both classes among what validates, the part has one"
    return None


def full_seconds(budget_seconds: float) -> float:
    """How long a full trial trains at most."""
    return min(max(budget_seconds * TRIAL_SHARE, MIN_TRIAL_SECONDS), MAX_TRIAL_SECONDS)


def ladder(seconds: float, parts: Sequence[float] = ()) -> tuple[Fidelity, ...]:
    """Rungs from the cheapest to full trials: parts of the graph where the whole one is slow, then all of it."""
    below = tuple(Fidelity(share, max(seconds * share, MIN_PART_SECONDS)) for share in sorted(parts))
    return (*below, Fidelity(1.0, seconds))
