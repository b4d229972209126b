"""A small plot as inline SVG: axes, points of different shapes, a line; each point says in words what it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuner.report.elements import tag, words

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 16, 44
MARKS = {
    "winner": "M0-8 2.4-2.6 8-2.5 3.6 1.2 5 7 0 3.7-5 7-3.6 1.2-8-2.5-2.4-2.6Z",
    "default": "M-5-5H5V5H-5Z",
    "trial": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z",
    "verified": "M0-6.5 6 4.5H-6Z",
    "failed": "M-4-4 4 4M4-4-4 4",
}
"""Star, square, circle, triangle, cross."""


@dataclass(frozen=True)
class Point:
    """Where, as what (a key of ``MARKS``), and in words."""

    x: float
    y: float
    mark: str
    told: str
    label: str = ""


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``; ``show`` writes a tick."""

    name: str
    low: float
    high: float
    show: Callable[[float], str]
    logarithmic: bool = False
    whole: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        low, high = (math.log(one) if self.logarithmic else one for one in (self.low, self.high))
        place = math.log(max(value, self.low)) if self.logarithmic else value
        return min(max((place - low) / (high - low), 0.0), 1.0) if high > low else 0.5

    def ticks(self, count: int) -> list[float]:
        """So many values from low to high, evenly spaced on the page; whole ones where it counts."""
        if self.whole:
            low, high = math.ceil(self.low), math.floor(self.high)
            return [float(one) for one in sorted({round(low + (high - low) * i / (count - 1)) for i in range(count)})]
        steps = [one / (count - 1) for one in range(count)]
        if self.logarithmic:
            return [float(self.low * (self.high / self.low) ** step) for step in steps]
        return [self.low + (self.high - self.low) * step for step in steps]


def axis_over(name: str, values: Sequence[float], show: Callable[[float], str], logarithmic: bool = False) -> Axis:
    """An axis that holds all values with some room around them."""
    low, high = min(values), max(values)
    if logarithmic:
        return Axis(name, low / 1.3, high * 1.3, show, logarithmic=True)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return Axis(name, low - room if low - room > 0 or low < 0 else 0.0, high + room, show)


def plot(title: str, across: Axis, up: Axis, points: Sequence[Point], line: Sequence[tuple[float, float]]) -> str:
    """The plot; ``line`` is drawn behind the points, through these places in turn."""
    drawn = [_grid(across, up), _line(across, up, line), *(_point(across, up, one) for one in points)]
    told = f"{title}: {len(points)} points. " + "; ".join(one.told for one in points if one.label)
    return tag(
        "svg",
        tag("title", words(told)),
        *drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=told,
        class_="plot",
    )


def _x(across: Axis, value: float) -> float:
    return LEFT + across.share(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)


def _grid(across: Axis, up: Axis) -> str:
    parts = []
    for value in up.ticks(4):
        y = f"{_y(up, value):.1f}"
        parts.append(tag("line", class_="grid", x1=str(LEFT), x2=str(WIDTH - RIGHT), y1=y, y2=y))
        parts.append(tag("text", words(up.show(value)), x=str(LEFT - 6), y=y, dy="4", text_anchor="end"))
    for value in across.ticks(4):
        place = across.share(value)
        anchor = "start" if place < 0.03 else "end" if place > 0.97 else "middle"
        x = f"{_x(across, value):.1f}"
        parts.append(tag("text", words(across.show(value)), x=x, y=str(HEIGHT - BOTTOM + 16), text_anchor=anchor))
    middle = str((LEFT + WIDTH - RIGHT) / 2)
    name = tag("text", words(across.name), class_="axis", x=middle, y=str(HEIGHT - 8), text_anchor="middle")
    upward = tag("text", words(up.name), class_="axis", x=str(LEFT), y="10")
    return tag("g", *parts, name, upward, aria_hidden="true")


def _line(across: Axis, up: Axis, line: Sequence[tuple[float, float]]) -> str:
    if len(line) < 2:
        return ""
    places = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line)
    return tag("polyline", class_="front", points=places)


def _point(across: Axis, up: Axis, one: Point) -> str:
    x, y = _x(across, one.x), _y(up, one.y)
    mark = tag("path", tag("title", words(one.told)), d=MARKS[one.mark], class_=f"mark {one.mark}")
    inner = tag("g", mark, transform=f"translate({x:.1f} {y:.1f})")
    if not one.label:
        return inner
    left = x > WIDTH * 0.65
    at = {"x": f"{x - 11 if left else x + 11:.1f}", "y": f"{y:.1f}", "text_anchor": "end" if left else "start"}
    return inner + tag("text", words(one.label), class_="name", dy="4", **at)
