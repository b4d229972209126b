"""Result: the winner against the plan and PyG's defaults; files; what to do with them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from planner.wizard.fields import Pane, text
from planner.wizard.result_text import result_lines
from planner.wizard.state import State


class ResultPane(Pane):
    """What a finished run has brought."""

    NAME, TITLE = "result", "Result"
    ABOUT = ""
    HELP = (
        "The winner was trained on the whole graph; its figures stand beside what the plan expected and what PyG's defaults "
        "did under the same limits.\n\n"
        "o opens the report in a browser (its path is shown where there is none), e writes the winner as a script of PyG code."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "app.open_report", "Open report"),
        Binding("e", "app.export", "Export script"),
    ]
    folder: Path | None = None

    def body(self) -> ComposeResult:
        with VerticalScroll(id="result-box"):
            yield text("result")

    def show(self, state: State) -> None:
        super().show(state)
        self.say("result", result_lines(self.folder, self.width - 2))
