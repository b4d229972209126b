"""Bars say what ranges and limits are, at any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.wizard.bars import bar, share, spark
from techniques.forecast import Range


def test_surely_perhaps_free_limit() -> None:
    assert bar(Range(5, 6, 7), 10, 11) == "█████▒▒···│"
    assert bar(Range(5, 9, 12), 10, 11) == "█████▒▒▒▒▒▶", "the upper end is over the limit"
    assert bar(Range(20, 20, 20), 10, 6) == "█████▶"
    assert bar(Range(0, 0, 0), 10, 6) == "·····│"
    assert bar(Range(1e-9, 1e-9, 1e-9), 10, 6)[0] == "▒", "next to nothing is not nothing"
    assert bar(Range(1, 1, 1), 0, 6) == "▶▶▶▶▶▶", "no memory at all"


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e12), st.integers(2, 200))
def test_a_bar_has_its_width(low: float, more: float, limit: float, width: int) -> None:
    assert len(bar(Range(low, low, low + more), limit, width)) == width


def test_shares_and_courses() -> None:
    assert share(3, 4, 8) == "██████··" and share(9, 4, 4) == "████" and share(1, 0, 3) == "···"
    assert spark([0.0, 0.5, 1.0], 10) == "▁▅█" or spark([0.0, 0.5, 1.0], 10) == "▁▄█"
    assert spark([1.0, 2.0, 3.0], 2) == "▁█", "the latest"
    assert spark([0.5, 0.5], 5) == "▄▄" and spark([], 5) == ""


@pytest.mark.parametrize("values", [[1e-12, 2e-12], [-1.0, 1.0]])
def test_any_numbers_can_be_drawn(values: list[float]) -> None:
    assert spark(values, 4) == "▁█"
