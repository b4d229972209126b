"""Charts of the search: time against memory, and quality trial by trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

from planner.proposal import BASELINE_NAME
from planner.quantities import format_bytes, format_seconds
from planner.render import settings_text
from tuner.records import Trial, TrialState
from tuner.report.elements import folded, section, table
from tuner.report.plot import Axis, Point, axis_over, plot
from tuner.report.text import ended, number_text
from tuner.report.told import Story
from tuner.scoring import target_seconds

NAMED = {"winner": "winner", "default": "PyG default"}
"""Marks whose last point has its name beside it."""
LEGEND = "Star: winner. Square: PyG's defaults. Triangle: verified on the whole graph. Circle: search."


def pareto(story: Story) -> str:
    """Time against host memory of what was measured on one graph, with the front that nothing beats in both."""
    what, seconds = tradeoff(story)
    shown = [one for one in comparable(story) if one.number in seconds]
    if len(shown) < 2:
        return ""
    last = {mark_of(story, one): one.number for one in shown}
    points = [_pareto_point(story, one, seconds[one.number], one.number in last.values()) for one in shown]
    across = axis_over(what, [one.x for one in points], format_seconds, logarithmic=True)
    up = axis_over("host memory", [one.y for one in points], format_bytes)
    shown = sorted(shown, key=lambda one: seconds[one.number])
    rows = [
        [str(one.number), one.family, format_seconds(seconds[one.number]), format_bytes(held_bytes(one))]
        for one in shown
    ]
    told = folded("The same as a table", table(["trial", "candidate", what, "host memory"], rows, "Time and memory"))
    chart = plot(f"Host memory against {what}", across, up, points, front([(one.x, one.y) for one in points]))
    return section("Time and memory", chart, told, note=f"Lower left is better; the dashed line is the front. {LEGEND}")


def tradeoff(story: Story) -> tuple[str, dict[int, float]]:
    """Seconds by trial number, and what they are: to the target where two reach it, else of an epoch."""
    trials = comparable(story)
    reached = {one.number: _seconds_to(story, one) for one in trials}
    by_target = sum(value is not None for value in reached.values()) >= 2
    known = reached if by_target else {one.number: one.measured.epoch_seconds for one in trials}
    what = f"seconds to validation {story.metric_name} {story.target:.3f}" if by_target else "seconds per epoch"
    return what, {number: value for number, value in known.items() if value}


def best_of_both(story: Story) -> tuple[str, list[tuple[Trial, float]]]:
    """The trials on the front of time and memory, quickest first, with their seconds, and what these are."""
    what, seconds = tradeoff(story)
    shown = [one for one in comparable(story) if one.number in seconds]
    found: list[tuple[Trial, float]] = []
    for one in sorted(shown, key=lambda one: (seconds[one.number], held_bytes(one))):
        if not found or held_bytes(one) < held_bytes(found[-1][0]):
            found.append((one, seconds[one.number]))
    return what, found


def comparable(story: Story) -> list[Trial]:
    """Complete trials of the whole graph: seconds and bytes on a part of it are those of another graph."""
    return [one for one in story.trials if one.measured.state is TrialState.COMPLETE and one.share >= 1.0]


def front(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The places that no other beats in both, as steps from left to right."""
    found: list[tuple[float, float]] = []
    for x, y in sorted(places):
        if not found:
            found.append((x, y))
        elif y < found[-1][1]:
            found += [(x, found[-1][1]), (x, y)]
    return found


def history(story: Story) -> str:
    """Validation quality trial by trial, and the best so far."""
    seen = [one for one in story.trials if one.measured.metric is not None]
    if len(seen) < 2:
        return ""
    note = f"Dashed: the best so far; a cross did not complete, its reason stands below. {LEGEND}"
    return section("History of the search", _history_chart(story, seen), note=note)


def every_trial(story: Story) -> str:
    """All trials in order, with the reason of those that did not complete."""
    rows = [_history_row(one) for one in story.trials]
    header = [
        "trial",
        "for",
        "of the graph",
        "candidate",
        "metric",
        "epoch",
        "peak memory",
        "epochs",
        "end",
        "settings",
    ]
    if not rows:
        return ""
    return section("Trials", rungs(story), table(header, rows, f"All {len(rows)}, in order"), note=stopped(story))


def stopped(story: Story) -> str:
    """Why the search stopped, and what it never measured."""
    if story.search is None:
        return f"The search stopped: {story.search_end}." if story.search_end else ""
    return " ".join(f"{one}." for one in (f"The search stopped: {story.search.stopped}", *story.search.left_out()))


def rungs(story: Story) -> str:
    """Parts of the graph first, the best of them on more of it."""
    if story.search is None or len(story.search.rungs) < 2:
        return ""
    rows = [
        [f"{one.share:.0%}", format_seconds(one.seconds), str(one.trials), format_seconds(one.spent_seconds)]
        for one in story.search.rungs
    ]
    return table(["of the graph", "trains at most", "trials", "took"], rows, "Rungs of the search, cheapest first")


def _history_chart(story: Story, seen: Sequence[Trial]) -> str:
    values = [one.measured.metric or 0.0 for one in seen]
    digits = _digits(max(values) - min(values))
    up = axis_over(f"validation {story.metric_name}", values, lambda value: f"{value:.{digits}f}")
    numbers = [one.number for one in story.trials]
    across = Axis("trial", min(numbers) - 0.5, max(numbers) + 0.5, lambda value: f"{value:.0f}", whole=True)
    points = [_history_point(story, one, up.low) for one in story.trials]
    best: list[tuple[float, float]] = []
    for one, value in zip(seen, values, strict=True):
        if one.share < 1.0 and any(other.share >= 1.0 for other in seen):
            continue  # a part of the graph may be easier to learn than all of it
        if best and value > best[-1][1]:
            best.append((one.number, best[-1][1]))
        best.append((one.number, max(value, best[-1][1] if best else value)))
    return plot("Validation quality by trial", across, up, points, best)


def _digits(span: float) -> int:
    """Places after the point with which the ticks of an axis differ."""
    return 3 if span == 0 else min(max(3, 1 - math.floor(math.log10(span))), 6)


def _history_point(story: Story, one: Trial, lowest: float) -> Point:
    metric = one.measured.metric
    state = one.measured.state.value.replace("_", " ")
    told = f"trial {one.number}, {one.family}: " + (number_text(metric) if metric is not None else state)
    failed = one.measured.state is not TrialState.COMPLETE
    return Point(one.number, lowest if metric is None else metric, "failed" if failed else mark_of(story, one), told)


def _history_row(one: Trial) -> list[str]:
    measured = one.measured
    end = ended(measured)
    if measured.state is not TrialState.COMPLETE:
        end += f": {measured.reason}"
    return [
        str(one.number),
        one.purpose,
        f"{one.share:.0%}",
        one.family,
        number_text(measured.metric),
        format_seconds(measured.epoch_seconds) if measured.epoch_seconds else "-",
        format_bytes(measured.peak_host_bytes) if measured.peak_host_bytes else "-",
        str(measured.epochs),
        end,
        f"lr={one.spec.training.learning_rate:.3g} {settings_text(one.predicted)}",
    ]


def mark_of(story: Story, one: Trial) -> str:
    """The shape of a trial's mark."""
    if story.winner is not None and one.spec == story.winner.spec:
        return "winner"
    if one.family == BASELINE_NAME:
        return "default"
    return "verified" if one.purpose == "verify" else "trial"


def _pareto_point(story: Story, one: Trial, seconds: float, named: bool) -> Point:
    mark = mark_of(story, one)
    told = f"trial {one.number}, {one.family}: {format_seconds(seconds)}, {format_bytes(held_bytes(one))}"
    return Point(seconds, float(held_bytes(one)), mark, told, NAMED.get(mark, "") if named else "")


def held_bytes(one: Trial) -> int:
    """The most that a trial held, baseline of the process included."""
    return one.measured.baseline_host_bytes + one.measured.peak_host_bytes


def _seconds_to(story: Story, one: Trial) -> float | None:
    return None if story.target is None else target_seconds(one.measured, story.target)
