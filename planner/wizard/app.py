"""The wizard: one screen whose panes switch, a planning child, and a run that outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Checkbox, ContentSwitcher, Footer, Input, OptionList, Select, Static

from planner.wizard.actions import PlanActions
from planner.wizard.answers import Answers, from_toml
from planner.wizard.child import GNNFIT
from planner.wizard.client import SERVER, PlanningClient
from planner.wizard.fields import Pane, TextField
from planner.wizard.panes.start import StartPane
from planner.wizard.planning import Planning
from planner.wizard.run_actions import RunActions
from planner.wizard.state import State
from planner.wizard.terminal_app import TerminalApp
from techniques.errors import GnnfitError

STEPS = {
    "start": "Start",
    "data": "Data",
    "model": "Model",
    "hardware": "Hardware",
    "goal": "Goal",
    "plan": "Plan",
    "tune": "Tune",
    "result": "Result",
    "doctor": "Trouble",
}
"""Panes in order; all but the first are loaded behind it."""


class Wizard(Planning, PlanActions, RunActions, TerminalApp):
    """From "here is my graph" to a trained model."""

    TITLE = "gnnfit"
    CSS_PATH = "wizard.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8", "next", "Next"),
        Binding("f7", "previous", "Back", show=False),
        Binding("f1", "help", "Help"),
        Binding("f9", "start_run", "Tune"),
        Binding("f2", "command", "Cmd"),
        Binding("f3", "save", "Save"),
        Binding("ctrl+q", "leave", "Quit", priority=True),
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True),
        Binding("ctrl+n", "next", "Next", show=False, priority=True),
        Binding("escape", "previous", "Back", show=False),
        Binding("f4", "go('doctor')", "Trouble", show=False),
        Binding("f5", "detect", "Detect", show=False),
    ]

    def __init__(
        self, answers: Answers | None = None, *, server: tuple[str, ...] = SERVER, command: tuple[str, ...] = GNNFIT
    ) -> None:
        super().__init__()
        self.state = State(answers=answers or Answers())
        self.client, self.run_command = PlanningClient(server), command
        self.is_complete = False
        self._typing: Any = None

    def compose(self) -> ComposeResult:
        yield Static("", id="steps", markup=False)
        with ContentSwitcher(initial=StartPane.NAME, id="panes"):
            yield StartPane(id=StartPane.NAME)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self.call_after_refresh(self.go, StartPane.NAME)
        self.call_after_refresh(self.run_worker, self._load)

    async def _load(self) -> None:
        """The other panes, and all that they need, while the first one is looked at."""
        steps = await asyncio.to_thread(import_module, "planner.wizard.panes.steps")
        await self._complete(steps.STEPS_TO_COME)

    async def _complete(self, steps: tuple[type[Pane], ...]) -> None:
        panes = [step(id=step.NAME) for step in steps]
        for pane in panes:
            pane.display = False
        await self.query_one("#panes", ContentSwitcher).mount_all(panes)
        self.is_complete = True
        self.fill(self.state.answers)
        if self.state.answers.graph or self.state.answers.from_counts:
            self.go("data")
        self.action_detect()

    async def on_unmount(self) -> None:
        await self.client.close()

    # ---- moving ----

    def current_pane(self) -> Pane:
        """The step on the screen."""
        return self.query_one(f"#{self.query_one('#panes', ContentSwitcher).current}", Pane)

    def go(self, name: str) -> None:
        """Show a step and put the cursor into it."""
        if not self.is_complete and name != StartPane.NAME:
            self.call_later(self.go, name)  # it is being loaded
            return
        self.query_one("#panes", ContentSwitcher).current = name
        self.plan_now()
        if name == "doctor":
            self.diagnose_now()
        self.current_pane().show(self.state)  # which fields there are
        self.current_pane().focus_first()  # at once: what is typed next is meant for this step
        self.call_after_refresh(self.refresh_pane)
        self.call_after_refresh(lambda: self.current_pane().focus_first())  # of the step that is shown by then

    def refresh_pane(self) -> None:
        """Bring the screen up to date with the state."""
        width = self.size.width
        here = self.current_pane().NAME
        titles = [f"[{title}]" if name == here else f" {title} " for name, title in STEPS.items()]
        place = f"step {[*STEPS].index(here) + 1} of {len(STEPS)}: {STEPS[here]}"
        self.query_one("#steps", Static).update("gnnfit  " + (place if width < 74 else "".join(titles)))
        self.current_pane().show(self.state)

    def action_go(self, name: str) -> None:
        self.go(name)

    def action_next(self) -> None:
        self._step(1)

    def action_previous(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        names = [*STEPS]
        place = names.index(self.current_pane().NAME) + by
        if 0 <= place < len(names):
            self.go(names[place])

    def on_run_view_changed(self) -> None:
        self.refresh_pane()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self.refresh_pane)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every step, then what the keys do."""
        for name, title in STEPS.items():
            yield SystemCommand(f"Go to {title}", f"The step {title}", partial(self.go, name))
        yield SystemCommand("Equivalent command", "What one would type instead (F2)", self.action_command)
        yield SystemCommand("Save", "A TOML for gnnfit tune --config (F3)", self.action_save)
        yield SystemCommand("Quit", "A run may go on (ctrl+q)", self.action_leave)

    # ---- answers ----

    def change(self, **changes: Any) -> None:
        """The one place where the state changes."""
        self.state = replace(self.state, **changes)
        if self.is_running and self.is_attached:
            self.refresh_pane()

    def say(self, name: str, value: str | bool) -> None:
        """Something was typed."""
        if getattr(self.state.answers, name, value) != value:
            changed: dict[str, Any] = {name: value}
            self.change(answers=replace(self.state.answers, **changed), before=None, what_if="")
            self.plan_soon()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id and hasattr(self.state.answers, event.input.id):
            self.say(event.input.id, event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        if event.select.id and event.select.value == event.value:  # an older value may arrive after a newer one
            self.say(event.select.id, str(event.value))

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        if event.checkbox.id:
            self.say(event.checkbox.id, event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: the next field, and after the last one the next step."""
        if event.input.id == "open":
            self.open(event.value.strip())
            return
        shown = [one for one in self.current_pane().query(TextField) if one.display]
        fields = [one.query_one(Input) for one in shown]
        if event.input is fields[-1]:
            self.action_next()
        else:
            fields[fields.index(event.input) + 1].focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list.id == "rows":
            self.choose_row(event.option_index)
        elif event.option_list.id == "symptoms" and event.option.id:
            self.change(symptom=event.option.id)
            self.diagnose_now()
        elif event.option_list.id == "choices" and event.option.id:
            self.begin(event.option.id)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list.id == "rows" and event.option_index != self.state.row:
            self.change(row=event.option_index)

    def begin(self, choice: str) -> None:
        """A line of the Start pane."""
        if choice == "doctor":
            self.go(choice)
            return
        if choice.startswith("run-"):
            self.open(str(self.query_one(StartPane).runs[int(choice.removeprefix("run-"))]))
            return
        self.fill(replace(self.state.answers, from_counts=choice == "counts"))
        self.go("data")

    def open(self, path: str) -> None:
        """A run's folder, or a saved file."""
        if Path(path).expanduser().is_dir():
            self.open_run(Path(path).expanduser())
            return
        from planner.config import read_toml

        try:
            self.fill(from_toml(read_toml(path)))
        except GnnfitError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.go("data")

    def fill(self, answers: Answers) -> None:
        """Put answers into the state and into the widgets."""
        self.change(answers=answers)
        with self.prevent(Input.Changed, Select.Changed, Checkbox.Changed):
            for widget in (*self.query(Input), *self.query(Select), *self.query(Checkbox)):
                if widget.id and hasattr(answers, widget.id):
                    value = getattr(answers, widget.id)
                    known = not isinstance(widget, Select) or value in [one for _, one in widget._options]
                    widget.value = value if known else ""
        self.plan_soon()
