"""What the screen shows: answers, machine, plan; one frozen record that panes read and only the application replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planner.wizard.answers import Answers, plan_arguments

if TYPE_CHECKING:
    from planner.doctor import Diagnosis
    from planner.records import Candidate, Plan, Rejected
    from techniques.facts import HardwareFacts


@dataclass(frozen=True)
class State:
    """Everything but widgets. ``planned_for`` are the arguments of ``plan``; ``before`` is the plan before a what-if."""

    answers: Answers = field(default_factory=Answers)
    machine: HardwareFacts | None = None
    plan: Plan | None = None
    planned_for: tuple[str, ...] = ()
    planning: bool = False
    planning_seconds: float = 0.0
    error: str = ""
    row: int = 0
    before: Plan | None = None
    what_if: str = ""
    undo: tuple[Answers, ...] = ()
    symptom: str = ""
    diagnosis: Diagnosis | None = None
    diagnosed_for: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the plan is one for the answers as they are."""
        return self.plan is not None and self.planned_for == tuple(plan_arguments(self.answers))

    @property
    def chosen(self) -> Candidate | Rejected | None:
        """What the cursor of the plan is on."""
        rows = plan_rows(self.plan)
        return rows[min(self.row, len(rows) - 1)][1] if rows else None


SHOWN_FITTING = 8
SHOWN_REFUSED = 12


def plan_rows(plan: Plan | None) -> list[tuple[str, Candidate | Rejected]]:
    """Best, alternatives, PyG's defaults, then refusals: one of each reason, those that need least memory first."""
    if plan is None:
        return []
    ranked = [("best" if rank == 0 else str(rank + 1), one) for rank, one in enumerate(plan.candidates[:SHOWN_FITTING])]
    rows: list[tuple[str, Candidate | Rejected]] = [*ranked]
    if plan.baseline is not None:
        rows.append(("PyG", plan.baseline))
    reasons: dict[str, Rejected] = {}
    for one in sorted(plan.rejected, key=lambda one: (one.needs_bytes is None, one.needs_bytes or 0)):
        reasons.setdefault(one.reason, one)
    return [*rows, *(("no", one) for one in list(reasons.values())[:SHOWN_REFUSED])]
