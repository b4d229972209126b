"""Plan: ranked candidates against the limits, why, why not, and what if."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from planner.wizard.fields import Pane, text
from planner.wizard.plan_text import detail_lines, header_line, row_lines, verdict_lines
from planner.wizard.state import State

WIDE = 140


class PlanPane(Pane):
    """The heart: rows, and everything about the row that the cursor is on."""

    NAME, TITLE = "plan", "Plan"
    ABOUT = ""
    HELP = (
        "Bars: █ surely used, ▒ perhaps used, · free, │ the limit, ▶ over the limit. RAM or GPU says which memory is "
        "shortest. Times are until training has converged, their bars end at the deadline, or at ten times the best.\n\n"
        "Ranked by the expected time to converge, or what the Goal step asks for, with a handicap where quality is less sure. "
        "Ranges should hold nine measurements in ten. Rows marked no are refused; the text below says why.\n\n"
        "What if: b doubles the batch, w halves the hidden width, p plans in bf16, m plans for another machine, u takes the "
        "last one back. Enter on another row pins its choices; x forgets all pins.\n\n"
        "Tab moves to the text below, where the arrow keys scroll."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "app.what_if('batch')", "Batch"),
        Binding("w", "app.what_if('width')", "Width"),
        Binding("p", "app.what_if('bf16')", "bf16"),
        Binding("m", "app.other_machine", "Machine"),
        Binding("u", "app.undo", "Undo", show=False),
        Binding("x", "app.unpin", "Unpin", show=False),
    ]

    def body(self) -> ComposeResult:
        yield text("verdict")
        with Container(id="plan-body"):
            with VerticalScroll(id="rows-box", can_focus=False):
                yield Static("", id="rows-header", markup=False)
                yield OptionList(id="rows", markup=False, compact=True)
            with VerticalScroll(id="detail-box"):
                yield text("detail")

    def show(self, state: State) -> None:
        super().show(state)
        wide = self.app.size.width >= WIDE
        rows = (self.width * 6 // 10) if wide else self.width
        self.say("verdict", verdict_lines(state, self.width))
        self.say("rows-header", [header_line(rows)] if state.plan else [])
        self._fill(row_lines(state.plan, rows) if state.plan else [], state.row)
        self.say("detail", detail_lines(state, self.width - rows - 4 if wide else self.width - 2))

    def _fill(self, lines: list[str], row: int) -> None:
        listed = self.query_one("#rows", OptionList)
        if [str(one.prompt) for one in listed.options] != lines:
            with self.prevent(OptionList.OptionHighlighted):
                listed.set_options([Option(line) for line in lines])
        if lines and listed.highlighted != row:
            with self.prevent(OptionList.OptionHighlighted):
                listed.highlighted = min(row, len(lines) - 1)
