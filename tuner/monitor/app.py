"""Watching one run: the wizard's view of it, on a screen of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from planner.wizard.child import GNNFIT, RunProcess
from planner.wizard.modals import ChoiceModal
from planner.wizard.run_view import RunView

EXIT_TERMINATED = 143


class Monitor(App[int]):
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
        yield RunView(id="run")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError, RuntimeError):  # only a main thread has signals
                loop.add_signal_handler(number, self._terminate)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.view.attach(self.followed)
        self.query_one("#log").focus()

    @property
    def view(self) -> RunView:
        """The run."""
        return self.query_one(RunView)

    def _terminate(self) -> None:
        self.exit(EXIT_TERMINATED, return_code=EXIT_TERMINATED)

    def action_leave(self) -> None:
        """The run goes on."""
        again = {"running": "watch", "finished": "report"}.get(self.view.status)
        self.exit(0, message=f"gnnfit {again} {self.followed.folder}" if again else None)

    def action_pause(self) -> None:
        self.view.pause()

    def action_cancel(self) -> None:
        """Ask, then stop."""
        if self.view.status == "running":
            choices = [("stop", "Stop the run; finished trials are kept"), ("stay", "Go on")]
            self.push_screen(ChoiceModal("Cancel the run?", choices), self._cancelled)

    def _cancelled(self, what: str | None) -> None:
        if what == "stop":
            self.view.cancel()
