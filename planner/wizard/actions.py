"""What keys do on every step, and to the plan: what if, pins, machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from planner.wizard.answers import Answers, command_text, missing, plan_arguments, toml_text, tune_arguments
from planner.wizard.modals import ChoiceModal, TextModal
from planner.wizard.state import State, plan_rows

if TYPE_CHECKING:
    from textual.app import App

    from planner.records import Candidate
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
        keys = "F7 back  F8 next  F2 equivalent command  F3 save  F4 trouble\nF5 look at the machine again  F9 start tuning  ctrl+p palette  ctrl+z to the shell\nctrl+q quit"
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
