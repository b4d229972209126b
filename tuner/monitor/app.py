"""Watching one run: the wizard's view of it, on a screen of its own."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from planner.wizard.child import GNNFIT, RunProcess
from planner.wizard.run_actions import RunKeys
from planner.wizard.run_view import RunView
from planner.wizard.terminal_app import TerminalApp


class Monitor(RunKeys, TerminalApp):
    """Progress, trials and log of a run that somebody has started; leaving leaves the run alone."""

    TITLE = "gnnfit watch"
    CSS_PATH = "../../planner/wizard/wizard.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Detach"),
        Binding("p", "pause", "Pause/go on"),
        Binding("c", "cancel", "Cancel the run"),
        Binding("ctrl+q", "leave", "Detach", show=False, priority=True),
        Binding("ctrl+c", "leave", "Detach", show=False, priority=True),
    ]

    def __init__(self, folder: Path, command: tuple[str, ...] = GNNFIT) -> None:
        super().__init__()
        self.followed = RunProcess(folder, command=command)

    def compose(self) -> ComposeResult:
        yield Static(f"gnnfit watch {self.followed.folder}", id="steps", markup=False)
        yield RunView(f"gnnfit report {self.followed.folder.name} has the figures.")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.view.attach(self.followed)
        self.query_one("#log").focus()

    def action_leave(self) -> None:
        """The run goes on."""
        again = {"running": "watch", "finished": "report"}.get(self.view.status)
        self.exit(0, message=f"gnnfit {again} {self.followed.folder}" if again else None)
