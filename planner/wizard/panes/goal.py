"""Goal and budget."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from planner.quantities import parse_seconds
from planner.wizard.answers import problems
from planner.wizard.facts_text import budget_lines
from planner.wizard.fields import ChoiceField, Pane, TextField, text
from planner.wizard.state import State

OBJECTIVES = (
    ("time: reach a good model soonest", "time"),
    ("memory: use the least", "memory"),
    ("accuracy: whatever it takes", "accuracy"),
)


class GoalPane(Pane):
    """What best means, and how long the search may take."""

    NAME, TITLE = "goal", "Goal"
    ABOUT = "What does best mean, and how long may tuning take? The budget holds everything: search to report."
    HELP = (
        "Budget: 90s, 10m, 2h. Tuning searches, verifies the best beside PyG's defaults, trains the winner on the whole "
        "graph and writes a report, all within it.\n\n"
        "Growth: 10x says that the graph will be ten times as large; the plan then prefers what scales.\n\n"
        "Context: hops that a prediction needs to see (roads: 3 and more)."
    )

    def body(self) -> ComposeResult:
        yield ChoiceField("optimize", "Best means", OBJECTIVES)
        yield TextField("budget", "Budget", "10m")
        yield TextField("target", "Quality wanted", "empty: what is reached; such as 0.85")
        yield TextField("trials", "Trials at most", "empty: as many as fit")
        yield TextField("out", "Run folder", "empty: gnnfit-runs/NAME-TIME")
        yield TextField("grow", "Expected growth", "empty: none; such as 10x")
        yield TextField("deadline", "Deadline", "empty: none; such as 2h")
        yield TextField("context_hops", "Context hops", "empty: what the layers see")
        yield Static("", classes="gap")
        yield text("budget-facts")

    def show(self, state: State) -> None:
        super().show(state)
        usable = state.answers.budget.strip() and "budget" not in problems(state.answers)
        self.say("budget-facts", budget_lines(state, parse_seconds(state.answers.budget) if usable else None))
