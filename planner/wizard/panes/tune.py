"""Tune: the run as a child of its own, followed through its folder."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from planner.wizard.answers import command_text, missing, problems, tune_arguments
from planner.wizard.fields import Pane, text
from planner.wizard.run_view import RunView
from planner.wizard.state import State


class TunePane(Pane):
    """Start, pause, cancel, detach."""

    NAME, TITLE = "tune", "Tune"
    ABOUT = ""
    HELP = (
        "F9 starts the command shown. The run is a process of its own: leave with ctrl+q and Detach, and it goes on; "
        "gnnfit watch RUN attaches again.\n\n"
        "p pauses: the run stops, its finished trials and its clock are kept, its memory is free; p again goes on with "
        "--resume. c cancels for good.\n\n"
        "Every trial shows what was measured, and in brackets what the plan expected; memory is what training takes beside Python and torch. A trial that runs out of memory or "
        "time is a result, not an error."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "app.pause", "Pause/go on"),
        Binding("c", "app.cancel", "Cancel"),
    ]

    def body(self) -> ComposeResult:
        yield text("tune-command")
        yield RunView("F8 shows the result.")

    def show(self, state: State) -> None:
        super().show(state)
        view = self.query_one(RunView)
        view.display = view.run is not None
        self.say("tune-command", [] if view.run is not None else _invitation(state))


def _invitation(state: State) -> list[str]:
    answers = state.answers
    if answers.from_counts:
        return ["Numbers only can be planned, not trained: tuning needs a GRAPH (Data pane)."]
    if missing(answers) or problems(answers):
        return [*problems(answers).values()]
    named = [f"Planned for {answers.on}; tuning happens on this machine."] if answers.on else []
    return ["F9 starts", "", "  " + command_text("tune", tune_arguments(answers)), "", *named]
