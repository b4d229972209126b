"""What keys do: to the plan (what if, pins, machine), to the run (start, pause, stop, open, export), and to the screen."""

from __future__ import annotations

import contextlib
import subprocess
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.wizard.answers import Answers, command_text, missing, plan_arguments, problems, toml_text, tune_arguments
from planner.wizard.child import RunProcess, default_folder
from planner.wizard.modals import ChoiceModal, TextModal
from planner.wizard.state import State, plan_rows

if TYPE_CHECKING:
    from textual.app import App

    from planner.records import Candidate
    from planner.wizard.client import PlanningClient
    from planner.wizard.fields import Pane

    Base = App[int]
else:
    Base = object

PINNED_SLOTS = ("sampling", "representation", "architecture", "hardware")
SAVED = "gnnfit.toml"


class PlanActions(Base):
    """Keys of every step, and of the Plan pane."""

    state: State
    current_pane: Callable[[], Pane]
    change: Callable[..., None]
    fill: Callable[[Answers], None]
    plan_now: Callable[[], None]
    action_next: Callable[[], None]

    def action_help(self) -> None:
        """What this step is about."""
        keys = "F7 back  F8 next  F2 equivalent command  F3 save  F5 look at the machine again  F9 start tuning\nctrl+p palette  ctrl+q quit"
        self.push_screen(TextModal(f"Help: {self.current_pane().TITLE}", f"{self.current_pane().HELP}\n\n{keys}"))

    def action_command(self) -> None:
        """What one would type instead."""
        answers = self.state.answers
        if missing(answers):
            self.push_screen(TextModal("Equivalent command", "Name a graph or its numbers first (Data pane)."))
            return
        lines = [command_text("plan", plan_arguments(answers))]
        if not answers.from_counts:
            lines += ["", command_text("tune", tune_arguments(answers))]
        self.push_screen(TextModal("Equivalent commands", "\n".join(lines)))

    def action_save(self) -> None:
        """A TOML that ``gnnfit tune --config`` takes."""
        try:
            Path(SAVED).write_text(toml_text(self.state.answers), encoding="utf-8")
        except OSError as error:
            self.notify(f"{SAVED} cannot be written: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved. gnnfit tune --config {SAVED}", markup=False)

    def action_what_if(self, what: str) -> None:
        """One change to the answers, planned at once beside the plan before."""
        chosen = self.state.plan.best if self.state.plan else None
        if chosen is None:
            self.notify("There is no plan to change yet", severity="warning")
            return
        pin = changed_setting(what, chosen)
        if pin is None:
            self.notify("The whole graph is one batch: there is none to double (Enter on a sampled row pins it)")
            return
        self.suppose(" ".join(f"{name}={value}" for name, value in pin.items()), self.state.answers.pinned(**pin))

    def suppose(self, what: str, answers: Answers) -> None:
        """Plan for other answers; ``u`` takes them back."""
        before, undo = self.state.plan, (*self.state.undo, self.state.answers)
        self.fill(answers)
        self.change(before=before, what_if=what, undo=undo)
        self.plan_now()

    def action_undo(self) -> None:
        """Take the last what-if back."""
        if self.state.undo:
            *undo, answers = self.state.undo
            self.fill(answers)
            self.change(undo=tuple(undo), before=None, what_if="")
            self.plan_now()

    def action_unpin(self) -> None:
        """Forget every pin."""
        self.suppose("no pins", replace(self.state.answers, fix=(), set=()))

    def action_other_machine(self) -> None:
        """Plan for a machine of the catalog."""
        from planner.catalog import machine_names

        names = ["", *machine_names()]
        choices = [(name, name or "this machine") for name in names]

        def chosen(name: str | None) -> None:
            if name is not None and name != "stay":
                self.suppose(name or "this machine", replace(self.state.answers, on=name))

        self.push_screen(ChoiceModal("Plan for which machine?", [*choices, ("stay", "leave it")]), chosen)

    def choose_row(self, row: int) -> None:
        """Enter: go on with the best; pin the choices of another row."""
        from planner.proposal import BASELINE_NAME
        from planner.records import Candidate
        from techniques.base import Slot

        rows = plan_rows(self.state.plan)
        one = rows[row][1] if row < len(rows) else None
        if not isinstance(one, Candidate):
            self.notify("This row is refused: the text below says why")
        elif one.name == BASELINE_NAME:
            self.notify("PyG's defaults are measured in every run anyway, for comparison")
        elif row == 0:
            self.action_next()
        else:
            fixed = dict(self.state.answers.fix) | {slot: one.options[Slot(slot)] for slot in PINNED_SLOTS}
            self.suppose(one.name, replace(self.state.answers, fix=tuple(fixed.items())))


def changed_setting(what: str, chosen: Candidate) -> dict[str, str] | None:
    """The knob that a what-if key turns, from what the candidate has; ``None`` where it has none."""
    if what == "bf16":
        return {"precision": "fp32" if chosen.training.precision == "bf16" else "bf16"}
    name, factor = {"batch": ("batch_size", 2.0), "width": ("hidden", 0.5)}[what]
    value = chosen.settings.get(name)
    return {name: str(max(int(factor * value), 1))} if isinstance(value, int) else None


class RunActions(Base):
    """Keys of the Tune and Result panes, and leaving."""

    state: State
    go: Callable[[str], None]
    fill: Callable[[Answers], None]
    client: PlanningClient
    run_command: tuple[str, ...]
    is_complete: bool

    @property
    def view(self) -> Any:
        """The run on the Tune pane."""
        from planner.wizard.run_view import RunView

        return self.query_one(RunView)

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
            self.run_worker(lambda: self._export(folder), thread=True, group="export", exclusive=True)

    def _export(self, folder: Path) -> None:
        done = subprocess.run([*self.run_command, "export", str(folder)], capture_output=True, text=True, check=False)
        told = (
            f"Written to {done.stdout.strip()}"
            if done.returncode == 0
            else (done.stderr.strip() or "export failed")[-300:]
        )
        self.call_from_thread(self.notify, told, markup=False)

    def _finished(self) -> Path | None:
        from planner.wizard.panes.result import ResultPane

        folder = self.query_one(ResultPane).folder
        if folder is None or not (folder / "report.json").is_file():
            self.notify("No finished run yet", severity="warning")
            return None
        return folder
