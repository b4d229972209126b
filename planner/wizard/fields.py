"""Rows of a form: a title, what is typed, and how it counts; and the pane that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, Select, Static

from planner.wizard.answers import USUAL, problems
from planner.wizard.state import State


class TextField(Horizontal):
    """A line of text under the name of its answer."""

    def __init__(self, name: str, title: str, hint: str) -> None:
        super().__init__(classes="field")
        self.answer, self.title, self.hint = name, title, hint

    def compose(self) -> ComposeResult:
        yield Label(self.title, classes="title")
        yield Input(id=self.answer, placeholder=self.hint, compact=True, select_on_focus=False)
        yield Label("", classes="mark", markup=False)


class ChoiceField(Horizontal):
    """One of a few."""

    def __init__(self, name: str, title: str, choices: Iterable[tuple[str, str]]) -> None:
        super().__init__(classes="field")
        self.answer, self.title, self.choices = name, title, list(choices)

    def compose(self) -> ComposeResult:
        yield Label(self.title, classes="title")
        yield Select(self.choices, allow_blank=False, id=self.answer, compact=True)


class Tick(Checkbox):
    """A box that is empty where it is not ticked: colour alone would not tell."""

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]
        return "X" if self.value else " "


class TickField(Horizontal):
    """Yes or no."""

    def __init__(self, name: str, title: str, text: str) -> None:
        super().__init__(classes="field")
        self.answer, self.title, self.text = name, title, text

    def compose(self) -> ComposeResult:
        yield Label(self.title, classes="title")
        yield Tick(self.text, id=self.answer, compact=True)


class Pane(VerticalScroll, can_focus=False):
    """One step. ``show`` writes what follows from the state; what was typed stays in the widgets."""

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    ABOUT: ClassVar[str]
    HELP: ClassVar[str]
    TYPED_INTO: ClassVar[tuple[type[Widget], ...]] = ()
    """Where the cursor goes first if not to the first widget."""

    def compose(self) -> ComposeResult:
        yield Static(self.ABOUT, classes="about", markup=False)
        yield from self.body()
        yield Static("", classes="problems", markup=False)

    def body(self) -> ComposeResult:
        """The widgets of this step."""
        return iter(())

    def show(self, state: State) -> None:
        """Bring every derived text up to date."""
        found = problems(state.answers)
        mine = {field.answer for field in self.query(TextField)}
        for field in self.query(TextField):
            said = getattr(state.answers, field.answer)
            typed = said.strip() not in ("", USUAL.get(field.answer))
            field.set_class(field.answer in found and typed, "wrong")
            field.query_one(".mark", Label).update("wrong" if field.has_class("wrong") else "typed" if typed else "")
        told = [f"! {text}" for name, text in found.items() if name in mine and getattr(state.answers, name).strip()]
        self.query_one(".problems", Static).update("\n".join(told))

    def say(self, where: str, lines: Iterable[str]) -> None:
        """Write lines into one of this pane's texts."""
        from planner.render import wrap

        wrapped = [part for line in lines for part in wrap(line, self.width)]
        self.query_one(f"#{where}", Static).update("\n".join(wrapped))

    @property
    def width(self) -> int:
        """Characters that a line of text may have."""
        return max(self.size.width - 2, 40)

    def focus_first(self) -> None:
        """Where typing goes when this step is reached."""
        focused = self.screen.focused
        if focused is not None and self in focused.ancestors:
            return  # the user has moved on already
        shown = [one for one in self.query("*") if one.focusable and all(up.display for up in one.ancestors_with_self)]
        if shown:
            self.screen.set_focus(next((one for one in shown if isinstance(one, self.TYPED_INTO)), shown[0]))


def text(where: str) -> Static:
    """A place for derived text."""
    return Static("", id=where, markup=False)
