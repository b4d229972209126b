"""Start: what to do, and recent runs."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from planner.wizard.child import recent_runs
from planner.wizard.fields import Pane

RUNS = Path("gnnfit-runs")
CHOICES = (
    ("graph", "Plan for a graph that I have (file, PyG data set, own function)"),
    ("counts", "Plan from numbers only: the graph does not exist yet"),
    ("doctor", "Something is wrong: out of memory, slow, idle GPU, no convergence"),
)


class StartPane(Pane):
    """The first screen."""

    NAME, TITLE = "start", "Start"
    ABOUT = (
        "Will your graph network fit this machine, and how do we make it fit? gnnfit plans with numbers, "
        "measures the candidates and trains the winner. Arrow keys and Enter."
    )
    HELP = (
        "Eight steps, in any order: F8 goes on, F7 goes back, nothing typed is lost.\n\n"
        "New here? Choose the first line and type pyg:KarateClub, the small graph that comes with PyG.\n\n"
        "Below the line are recent runs: Enter watches a run that goes on, and opens the result of one that has finished. "
        "The field opens another run's folder or a file saved with F3."
    )

    def body(self) -> ComposeResult:
        runs = [Option(f"Run  {one.name}", id=f"run-{index}") for index, one in enumerate(self.runs)]
        choices = [Option(label, id=name) for name, label in CHOICES]
        yield OptionList(*choices, *([None, *runs] if runs else []), id="choices", markup=False)
        yield Input(id="open", placeholder="or open: a run's folder, or a .toml saved with F3", compact=True)

    @property
    def runs(self) -> list[Path]:
        """Recent runs of the current folder."""
        return recent_runs(RUNS)
