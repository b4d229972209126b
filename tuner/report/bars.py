"""Horizontal bars as inline SVG: widths in per cent, so that text beside them keeps its size on any screen.

Kinds differ in shape as well as in colour: what was measured is a full bar, what was there before it a thin one, a
forecast a line with two ends, a limit a dashed upright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from techniques.forecast import Range
from tuner.report.elements import tag, words

HEIGHT = 26


@dataclass(frozen=True)
class Bar:
    """One row: ``start`` to ``start + value`` on a scale from 0 to ``full``."""

    name: str
    told: str
    value: float | None
    full: float
    start: float = 0.0
    before: bool = True
    """Whether what lies before ``start`` is shown."""
    range: Range | None = None
    limit: float | None = None


def bars(rows: Sequence[Bar]) -> str:
    """Rows of name, words and bar; the words say all that the bar shows."""
    return tag("div", *(_row(one) for one in rows), class_="bars")


def _row(one: Bar) -> str:
    head = tag("div", tag("b", words(one.name)), tag("span", words(one.told)), class_="head")
    shapes = [_rect("track", 0, 100, 9, 8)]
    if one.start and one.before:
        shapes.append(_rect("before", 0, _share(one.start, one), 11, 4))
    if one.value is not None:
        shapes.append(_rect("measured", _share(one.start, one), max(_share(one.value, one), 0.4), 6, 14))
    if one.range is not None:
        shapes += _whisker(one.range, one)
    if one.limit is not None and one.limit <= one.full:
        place = f"{_share(one.limit, one):.2f}%"
        shapes.append(tag("line", class_="limit", x1=place, x2=place, y1="0", y2=str(HEIGHT)))
    svg = tag("svg", *shapes, width="100%", height=str(HEIGHT), aria_hidden="true", focusable="false")
    return tag("div", head, svg, class_="bar")


def _share(value: float, one: Bar) -> float:
    return 100 * min(max(value / one.full, 0.0), 1.0) if one.full > 0 else 0.0


def _rect(kind: str, left: float, width: float, top: int, height: int) -> str:
    return tag("rect", class_=kind, x=f"{left:.2f}%", width=f"{width:.2f}%", y=str(top), height=str(height), rx="2")


def _whisker(span: Range, one: Bar) -> list[str]:
    low, high = (f"{_share(one.start + value, one):.2f}%" for value in (span.low, span.high))
    middle = str(HEIGHT // 2)
    ends = [tag("line", class_="forecast", x1=x, x2=x, y1="3", y2=str(HEIGHT - 3)) for x in (low, high)]
    return [tag("line", class_="forecast", x1=low, x2=high, y1=middle, y2=middle), *ends]
