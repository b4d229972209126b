"""Hardware: this machine, or one that one does not have."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from planner.catalog import machine_names
from planner.wizard.facts_text import machine_lines
from planner.wizard.fields import ChoiceField, Pane, TextField, text
from planner.wizard.state import State


class HardwarePane(Pane):
    """Machine and limits."""

    NAME, TITLE = "hardware", "Hardware"
    ABOUT = "Which machine? Plan for this one, or for a named one that you do not have. F5 looks again."
    HELP = (
        "The plan must fit what is free, not what is built in: close other programs and press F5.\n\n"
        "Limits hold some back: host memory 13GiB plans for at most that much.\n\n"
        "Times are within a factor of 3 until gnnfit calibrate has measured this machine once (half a minute).\n\n"
        "Named machines come from a catalog of published figures. Tuning always happens on this machine."
    )

    def body(self) -> ComposeResult:
        names = [("this machine", ""), *((name, name) for name in machine_names())]
        yield ChoiceField("on", "Machine", names)
        yield TextField("host_memory", "Host memory", "empty: what is free; such as 13GiB")
        yield TextField("device_memory", "GPU memory", "empty: what is free; such as 16GiB")
        yield Static("", classes="gap")
        yield text("machine-facts")

    def show(self, state: State) -> None:
        super().show(state)
        self.say("machine-facts", machine_lines(state, self.width))
