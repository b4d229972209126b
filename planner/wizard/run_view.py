"""A run to look at: progress, trials and log. The wizard's Tune pane and ``gnnfit watch`` show the same."""

from __future__ import annotations

import contextlib

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Log, Static

from planner.wizard.child import RunProcess
from planner.wizard.run_text import progress_lines, trial_lines
from planner.wizard.story import RunReader, Story, log_tail

REFRESH_SECONDS = 0.5


class RunView(Vertical):
    """Follows one run until it is taken away; reads what is new twice a second."""

    class Changed(Message):
        """The run has begun, paused, ended."""

    run: RunProcess | None = None
    told: str = "none"
    reader: RunReader | None = None
    pausing: bool = False

    def __init__(self, then: str) -> None:
        """``then`` says where to go once the run has finished."""
        super().__init__(id="run")
        self.then = then

    def compose(self) -> ComposeResult:
        yield Static("", id="progress", markup=False)
        yield Static("", id="trials", markup=False)
        yield Log(id="log")

    def on_mount(self) -> None:
        self.set_interval(REFRESH_SECONDS, self.refresh_run)

    def on_resize(self) -> None:
        self.refresh_run()

    def attach(self, run: RunProcess) -> None:
        """Follow this run from now on."""
        self.run, self.reader, self.pausing = run, RunReader(run.folder), False
        self.query_one("#log", Log).clear()
        self.refresh_run()

    @property
    def status(self) -> str:
        """none, running, pausing, paused, finished, stopped or failed."""
        if self.run is None:
            return "none"
        status = self.run.status
        if self.pausing and status in ("running", "stopped"):
            return "pausing" if status == "running" else "paused"
        return status

    @property
    def story(self) -> Story:
        return self.reader.story if self.reader is not None else Story()

    def refresh_run(self) -> None:
        """Show what is new."""
        if self.run is None or self.reader is None or not self.is_attached:
            return
        width = max(self.size.width - 2, 40)
        story = self.reader.read()
        lines = progress_lines(story, self.status, width, self.then)
        if self.status == "failed":
            lines += ["! " + reason for reason in log_tail(self.run.log, 1)]
        self.query_one("#progress", Static).update("\n".join(lines))
        self.query_one("#trials", Static).update("\n".join(trial_lines(story, self.status, width)))
        self._show_log()
        if self.told != self.status:
            self.told = self.status
            self.post_message(self.Changed())

    def pause(self) -> None:
        """Stop and keep what is finished, or go on."""
        if self.run is None:
            return
        if self.status == "running":
            self.pausing = self._stop(self.run)
        elif self.status in ("paused", "stopped", "failed"):
            self.pausing = False
            self.run.start(resume=True)
        self.refresh_run()

    def cancel(self) -> None:
        """Stop for good; the folder stays."""
        if self.run is not None:
            self.pausing = False
            self._stop(self.run)
            self.refresh_run()

    def _stop(self, run: RunProcess) -> bool:
        if not run.can_stop:
            self.notify("Another machine works on this run: stop it there", severity="warning")
            return False
        run.stop()
        return True

    def _show_log(self) -> None:
        assert self.run is not None
        log = self.query_one("#log", Log)
        tail = log_tail(self.run.log)
        with contextlib.suppress(IndexError):
            if list(log.lines)[: len(tail)] == tail and log.line_count in (len(tail), len(tail) + 1):
                return
        log.clear()
        log.write_lines(tail)
