"""What to do: facts about the graph, the model and the machine in, a plan out. Trains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.api import plan
    from planner.inspect.estimate import from_counts
    from planner.records import Candidate, Plan, Verdict
    from techniques.facts import Goal, GraphFacts, HardwareFacts, Objective, Task

__all__ = [
    "Candidate",
    "Goal",
    "GraphFacts",
    "HardwareFacts",
    "Objective",
    "Plan",
    "Task",
    "Verdict",
    "from_counts",
    "plan",
]

_HOMES = {
    "plan": "planner.api",
    "from_counts": "planner.inspect.estimate",
    **dict.fromkeys(("Candidate", "Plan", "Verdict"), "planner.records"),
    **dict.fromkeys(("Goal", "GraphFacts", "HardwareFacts", "Objective", "Task"), "techniques.facts"),
}


def __getattr__(name: str) -> Any:
    """Loaded on first use: the first screen of ``gnnfit wizard`` lives behind this package and needs no plan."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
