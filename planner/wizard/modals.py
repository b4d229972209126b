"""Screens over the screen: help, the equivalent command, a choice."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class TextModal(ModalScreen[None]):
    """Something to read; any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,f1,f2", "dismiss", "Close")]

    def __init__(self, title: str, body: str) -> None:
        super().__init__()
        self.title_text, self.body_text = title, body

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self.title_text, classes="box-title", markup=False)
            with VerticalScroll():
                yield Static(self.body_text, markup=False)
            yield Static("Esc closes", classes="box-foot")

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(VerticalScroll).focus)

    async def action_dismiss(self, result: None = None) -> None:
        self.dismiss(None)


class ChoiceModal(ModalScreen[str]):
    """One of a few; Esc is the last one, which changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "Close")]

    def __init__(self, title: str, choices: list[tuple[str, str]]) -> None:
        super().__init__()
        self.title_text, self.choices = title, choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self.title_text, classes="box-title", markup=False)
            yield OptionList(
                *(Option(label, id=f"choice-{index}") for index, (_, label) in enumerate(self.choices)), markup=False
            )
            yield Static("Enter chooses, Esc goes back", classes="box-foot")

    def on_mount(self) -> None:
        self.call_after_refresh(self.query_one(OptionList).focus)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index][0])

    def action_stay(self) -> None:
        self.dismiss(self.choices[-1][0])
