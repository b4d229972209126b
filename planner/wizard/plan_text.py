"""A plan for the Plan pane: rows with bars against the limits, and everything about the row that the cursor is on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.records import Candidate, Plan, Rejected
from planner.render import headline, settings_text, verdict_words
from planner.rules import MEMORY_HIGH, MEMORY_LOW
from planner.wizard.bars import bar
from planner.wizard.state import State, plan_rows
from techniques import option
from techniques.facts import Facts
from techniques.forecast import Range

SLOW_LIMIT = 10.0
"""Bars of time end at the deadline, else at so many times the best candidate's time to converge."""


def host_range(one: Candidate) -> Range:
    """What the process needs: baseline and peak."""
    return one.forecast.baseline_host_bytes + one.forecast.peak_host_bytes


def converge_range(one: Candidate) -> Range:
    """Seconds until training has converged."""
    return one.forecast.convergence_seconds


def tightest(facts: Facts, one: Candidate) -> tuple[str, Range, int]:
    """Where memory is shortest: place, range and limit."""
    host, device = host_range(one), one.forecast.peak_device_bytes
    on_device = facts.device_limit_bytes and device.high / facts.device_limit_bytes
    if device.high and on_device > host.high / max(facts.host_limit_bytes, 1):
        return "GPU", device, facts.device_limit_bytes
    return "RAM", host, facts.host_limit_bytes


def time_limit(plan: Plan) -> float:
    """What bars of time are drawn against."""
    if plan.facts.goal.deadline_seconds is not None:
        return plan.facts.goal.deadline_seconds
    shown = [one for one in (plan.best, plan.baseline) if one is not None]
    return SLOW_LIMIT * min((one.forecast.seconds_to_converge for one in shown), default=1.0)


def verdict_lines(state: State, width: int) -> list[str]:
    """The answer first; while another plan is on its way, so is that."""
    if state.plan is None:
        return [
            working("Planning", state)
            if state.planning
            else state.error or "No plan yet: name a graph on the Data pane."
        ]
    lines = textwrap.wrap(f"{verdict_words(state.plan)}: {_answer(state.plan)}", width)
    if state.planning:
        return [*lines, working("Planning again", state)]
    if state.error:
        return textwrap.wrap(f"! {state.error}", width) + lines[:1]
    if state.before is None:
        return lines
    return [*lines, *textwrap.wrap(f"What if {state.what_if}: {compared(state.before, state.plan)} (u undoes)", width)]


def working(what: str, state: State) -> str:
    """What the planning child is at, and for how long, once that can be felt."""
    seconds = int(state.planning_seconds)
    clock = f" {seconds} s" if 0 < seconds < 100 else f" {format_seconds(seconds)}" if seconds else ""
    return f"{what} ...{clock}"


def _answer(plan: Plan) -> str:
    """What to do in a few words; where nothing fits, what is nearest."""
    if plan.best is None:
        return headline(plan)
    place, memory, limit = tightest(plan.facts, plan.best)
    where = "GPU memory" if place == "GPU" else "host memory"
    counts = f"{len(plan.candidates)} fit, {len(plan.rejected)} refused"
    return f"{plan.best.name}, {one_unit(memory, BYTES)} of {format_bytes(limit)} {where} ({counts})"


BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
SECONDS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"))


def one_unit(value: Range, units: tuple[tuple[float, str], ...]) -> str:
    """A range in the unit of its upper end: ``0.88-1.20 GiB``, ``1.2-9.7 min``; in a smaller one where the lower end is
    far below: ``3.0-64.2 min``."""
    fitting = [pair for pair in units if value.high >= pair[0]] or [units[-1]]
    factor, unit = next((pair for pair in fitting[:2] if value.low >= 0.1 * pair[0]), fitting[0])
    low, high = (_digits(part / factor) for part in (value.low, value.high))
    return f"{high} {unit}" if low == high else f"{low}-{high} {unit}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def compared(before: Plan, after: Plan) -> str:
    """What a change does to the best candidate."""
    if before.best is None or after.best is None:
        return f"{verdict_words(before).lower()} before, {verdict_words(after).lower()} now"
    one, other = before.best, after.best
    told = [
        _change(tightest(after.facts, other)[0], _peak(before, one), _peak(after, other), format_bytes),
        _change("epoch", one.forecast.epoch_seconds.expected, other.forecast.epoch_seconds.expected, format_seconds),
        _change("converged", one.forecast.seconds_to_converge, other.forecast.seconds_to_converge, format_seconds),
    ]
    moved = [f"now {other.name}"] if one.name != other.name else []
    return ", ".join([*moved, *told])


def _peak(plan: Plan, one: Candidate) -> float:
    return tightest(plan.facts, one)[1].high


def _change(name: str, before: float, after: float, show) -> str:  # type: ignore[no-untyped-def]
    same = show(before) == show(after)
    return f"{name} {show(after)} as before" if same else f"{name} {show(before)} -> {show(after)}"


def header_line(width: int) -> str:
    """Titles of the columns of ``row_lines``."""
    name, cells = _widths(width)
    memory = "peak memory, limit" if cells else "peak memory"
    return f"{'':<5}{'candidate':<{name}}{memory:<{19 + cells}}{'converges in':<15}"[:width]


def row_lines(plan: Plan, width: int) -> list[str]:
    """One line per candidate and refusal, ``width`` characters at most."""
    return [_row(plan, rank, one, width) for rank, one in plan_rows(plan)]


def _widths(width: int) -> tuple[int, int]:
    """Of the name and of a bar; the narrowest screens have no bars."""
    cells = 0 if width < 72 else 6 if width < 90 else 14
    return max(width - 5 - 19 - 14 - 2 * cells, 16), cells


def _row(plan: Plan, rank: str, one: Candidate | Rejected, width: int) -> str:
    name, cells = _widths(width)
    head = f"{rank:<5}{_cut(one.name, name - 1):<{name}}"
    if isinstance(one, Rejected):
        return _cut(head + _refusal(one, cells), width)
    place, memory, limit = tightest(plan.facts, one)
    time = converge_range(one)
    over, late = (bar(memory, limit, cells), bar(time, time_limit(plan), cells)) if cells else ("", "")
    return f"{head}{place} {one_unit(memory, BYTES):<14}{over} {one_unit(time, SECONDS):<13} {late}"[:width]


def _refusal(one: Rejected, cells: int) -> str:
    if one.needs_bytes is None or one.has_bytes is None:
        return f"refused: {one.reason}"
    needs = Range(one.needs_bytes, one.needs_bytes, one.needs_bytes)
    place = "GPU" if "device" in one.reason else "RAM"
    over = bar(needs, one.has_bytes, cells) if cells else ""
    return f"{place} {format_bytes(one.needs_bytes):<14}{over} {format_bytes(one.has_bytes)} there"


def detail_lines(state: State, width: int) -> list[str]:
    """Everything about the row that the cursor is on, then the rules."""
    plan, one = state.plan, state.chosen
    if plan is None or one is None:
        return []
    if isinstance(one, Rejected):
        lines = [one.name, f"Refused: {one.reason}", *_nearest(plan)]
        return _wrapped([*lines, "", *technique_lines(one.options), "", *rule_lines(plan)], width)
    lines = [f"{one.name}  {settings_text(one)}", *_against_limits(plan, one, width)]
    why = "Why it ranks here" if one.reasons else "For comparison: what PyG's examples use, whether it fits or not"
    lines += ["", why, *(f"  {reason.fact} {reason.value}: {reason.text} [{reason.source}]" for reason in one.reasons)]
    lines += [f"  ! {warning}" for warning in one.warnings]
    lines += ["", *technique_lines(one.options), "", *rule_lines(plan)]
    return _wrapped(lines, width)


def _against_limits(plan: Plan, one: Candidate, width: int) -> list[str]:
    cells = max(min(width - 48, 40), 8)
    rows = [("host memory", host_range(one), plan.facts.host_limit_bytes, range_bytes, format_bytes)]
    if one.forecast.needs_device_bytes:
        limit = plan.facts.device_limit_bytes
        rows.append(("device memory", one.forecast.peak_device_bytes, limit, range_bytes, format_bytes))
    lines = [
        f"  {name:<14}{bar(value, limit, cells)} {show(value)} of {unit(limit)}"
        for name, value, limit, show, unit in rows
    ]
    epochs = one.forecast.epochs_to_converge
    epoch = range_seconds(one.forecast.epoch_seconds)
    lines.append(f"  one epoch     {epoch}; about {epochs.expected:.0f} epochs ({epochs.low:.0f} to {epochs.high:.0f})")
    return lines


def technique_lines(options: dict) -> list[str]:  # type: ignore[type-arg]
    """What every choice is good for and what it costs."""
    return [
        "What the choices mean",
        *(f"  {slot.value} = {name}: {option(slot, name).text}" for slot, name in options.items()),
    ]


def rule_lines(plan: Plan) -> list[str]:
    """The book's rule of thumb beside the cost model, then the other rules."""
    data = plan.facts.grown_dataset_bytes
    lines = [
        f"Rule of thumb beside the cost model (data {format_bytes(data)})",
        f"  rule: {MEMORY_LOW} to {MEMORY_HIGH} times the data = {format_bytes(MEMORY_LOW * data)} to "
        f"{format_bytes(MEMORY_HIGH * data)}",
    ]
    if plan.best is not None:
        peak = plan.best.forecast.peak_host_bytes + plan.best.forecast.peak_device_bytes
        low, high = (value / max(data, 1) for value in (peak.low, peak.high))
        lines.append(
            f"  cost model for the best: {range_bytes(peak)} beside the libraries = {low:.1f} to {high:.1f} times"
        )
    return [*lines, *(f"  {rule.name}: {rule.verdict} ({rule.value})" for rule in plan.rules)]


def _nearest(plan: Plan) -> list[str]:
    return [f"What would change it: {plan.nearest.change}"] if plan.nearest else []


def _wrapped(lines: Iterable[str], width: int) -> list[str]:
    found: list[str] = []
    for line in lines:
        lead = " " * (len(line) - len(line.lstrip()))
        found += textwrap.wrap(line, max(width, 20), subsequent_indent=lead + "  ") or [""]
    return found


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
