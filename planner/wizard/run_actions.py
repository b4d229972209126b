"""What keys do to a run: start, pause, stop, leave, open its report, export its winner."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.wizard.answers import Answers, missing, problems, tune_arguments
from planner.wizard.child import RunProcess, default_folder
from planner.wizard.modals import ChoiceModal
from planner.wizard.state import State

if TYPE_CHECKING:
    from textual.app import App

    from planner.wizard.client import PlanningClient

    Base = App[int]
else:
    Base = object


class RunKeys(Base):
    """Keys of a run on the screen: the wizard's, and those of ``gnnfit watch``."""

    @property
    def view(self) -> Any:
        """The run on the screen."""
        from planner.wizard.run_view import RunView

        return self.query_one(RunView)

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


class RunActions(RunKeys):
    """Keys of the Tune and Result panes, and leaving the wizard."""

    state: State
    go: Callable[[str], None]
    refresh_pane: Callable[[], None]
    fill: Callable[[Answers], None]
    client: PlanningClient
    run_command: tuple[str, ...]
    is_complete: bool

    def action_start_run(self) -> None:
        """The same command as on a command line, as a child that outlives the screen."""
        answers = self.state.answers
        self.go("tune")
        if self.view.status == "running":
            self.notify("A run goes on already")
            return
        if answers.from_counts or missing(answers) or problems(answers):
            return
        if not answers.out.strip() or self.view.run is not None:
            answers = replace(answers, out=default_folder(answers.graph))
        run = RunProcess(Path(answers.out), tune_arguments(answers), self.run_command)
        run.start()
        self._follow(run)
        self.run_worker(self.client.rest(), group="rest")
        self.go("tune")

    def open_run(self, folder: Path) -> None:
        """Watch a run that goes on or has stopped; show the result of one that has finished."""
        run = RunProcess(folder, command=self.run_command)
        self._follow(run)
        self.go("result" if run.status == "finished" else "tune")

    def _follow(self, run: RunProcess) -> None:
        from planner.wizard.panes.result import ResultPane

        self.view.attach(run)
        self.query_one(ResultPane).folder = run.folder

    def action_leave(self) -> None:
        """Quit; a run that goes on may go on."""
        if not self.is_complete or self.view.status != "running":
            self.exit(0)
            return
        choices = [
            ("detach", "Detach: the run goes on"),
            ("stop", "Stop the run; finished trials are kept"),
            ("stay", "Stay"),
        ]
        self.push_screen(ChoiceModal("A run goes on", choices), self._left)

    def _left(self, what: str | None) -> None:
        if what == "stop":
            self.view.cancel()
        if what in ("stop", "detach"):
            verb = "watch" if what == "detach" else "report"
            self.exit(0, message=f"gnnfit {verb} {self.view.run.folder}")

    def action_open_report(self) -> None:
        """In a browser; its path where there is none."""
        folder = self._finished()
        if folder is not None:
            page = folder / "report.html"
            opened = False
            with contextlib.suppress(webbrowser.Error, OSError):
                opened = webbrowser.open(page.as_uri())
            self.notify(f"{'Opened' if opened else 'No browser here; copy it from'} {page}", markup=False)

    def action_export(self) -> None:
        """The winner as a script."""
        folder = self._finished()
        if folder is not None:
            self.run_worker(self._export(folder), group="export", exclusive=True)

    async def _export(self, folder: Path) -> None:
        words = [*self.run_command, "export", str(folder)]
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        said, wrong = (text.decode(errors="replace").strip() for text in await child.communicate())
        self.notify(f"Written to {said}" if child.returncode == 0 else (wrong or "export failed")[-300:], markup=False)
        self.refresh_pane()

    def _finished(self) -> Path | None:
        from planner.wizard.panes.result import ResultPane

        folder = self.query_one(ResultPane).folder
        if folder is None or not (folder / "report.json").is_file():
            self.notify("No finished run yet", severity="warning")
            return None
        return folder
