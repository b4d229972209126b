"""What to do: facts about the graph, the model and the machine in, a plan out. Trains nothing."""

from __future__ import annotations

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
