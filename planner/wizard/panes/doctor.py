"""Trouble: a symptom, and what to check and to change for this graph on this machine."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from planner.doctor_text import diagnosis_lines
from planner.symptoms import SYMPTOM_TEXTS
from planner.wizard.answers import missing, problems
from planner.wizard.fields import Pane, text
from planner.wizard.state import State


class DoctorPane(Pane):
    """Pick a symptom."""

    NAME, TITLE = "doctor", "Trouble"
    ABOUT = "What goes wrong? Enter looks into it, with numbers for your graph and machine."
    HELP = (
        "The run that is looked at is what you have pinned on the other steps (model, batch, rows of the plan); PyG's usual "
        "defaults stand in for the rest.\n\n"
        "[!] may well be the cause, [?] look yourself, [ok] is fine. Changes are forecast one at a time; those that fit and "
        "cost no quality come first. Type the flags, or set the fields of the other steps."
    )

    def body(self) -> ComposeResult:
        options = [Option(said[0].upper() + said[1:], id=name.value) for name, said in SYMPTOM_TEXTS.items()]
        yield OptionList(*options, id="symptoms", markup=False, compact=True)
        with VerticalScroll(id="diagnosis-box"):
            yield text("diagnosis")

    def show(self, state: State) -> None:
        super().show(state)
        self.say("diagnosis", _lines(state, self.width - 2))


def _lines(state: State, width: int) -> list[str]:
    if missing(state.answers) or problems(state.answers):
        return ["Which graph? Name it on the Data pane first (F4 comes back here)."]
    if state.diagnosis is not None:
        return diagnosis_lines(state.diagnosis, width)
    if state.error:
        return [f"! {state.error}"]
    return ["Looking ..."] if state.symptom else []
