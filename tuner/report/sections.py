"""The parts of the page that say what won, what it took, and with what it was made."""

from __future__ import annotations

from typing import Any

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes
from planner.records import Candidate, Plan
from planner.render import machine_line, refused_lines, settings_text
from tuner.records import Measurement, Trial, TrialState
from tuner.report.bars import Bar, bars
from tuner.report.compared import compared, phases_compared
from tuner.report.elements import definitions, folded, listed, section, table
from tuner.report.text import number_text, training_text
from tuner.report.told import Story

FAR = 12
"""Where the limit is so many times what was used, a bar with it in the picture would be a hair."""
REFUSED_LISTED = 200
OF_SETTINGS = ("host memory", "device memory", "loader", "time to converge")
"""Reasons whose figures are one candidate's own."""


def cards(story: Story) -> list[tuple[str, str]]:
    """The handful of figures that most people look for."""
    shown = story.final or best_trial(story)
    found = []
    if shown is not None:
        measured = shown.measured
        if measured.test_metric is not None:
            found.append((f"test {story.metric_name}", number_text(measured.test_metric)))
        found.append((f"validation {story.metric_name}", number_text(measured.metric)))
        found.append(("epoch", format_seconds(measured.epoch_seconds) if measured.epoch_seconds else "-"))
        held = measured.baseline_host_bytes + measured.peak_host_bytes
        limit = f", of the {format_bytes(limit_bytes(story))} there" if story.plan else ""
        found.append((f"host memory{limit}", format_bytes(held)))
        if measured.peak_device_bytes:
            found.append(("device memory", format_bytes(measured.peak_device_bytes)))
    used = format_seconds(story.elapsed_seconds)
    found.append((f"used of {format_seconds(story.budget_seconds)}" if story.budget_seconds else "used", used))
    return found


def best_trial(story: Story) -> Trial | None:
    """The best so far, by the score that each trial was given when it was measured."""
    scored = [one for one in story.trials if one.score is not None]
    whole = [one for one in scored if one.share >= 1.0]
    verified = [one for one in whole if one.purpose == "verify"]
    return min(verified or whole or scored, key=lambda one: one.score or 0.0, default=None)


def limit_bytes(story: Story) -> int:
    """Host memory that the run may hold, baseline included."""
    return story.plan.facts.host_limit_bytes if story.plan else 0


def what_won(story: Story) -> str:
    """The winner's settings and the plan's reasons for it."""
    shown = story.final or best_trial(story)
    if shown is None:
        return ""
    candidate = shown.predicted
    told = [(slot.value.replace("_", " "), name) for slot, name in candidate.options.items()]
    settings = [part.partition("=") for part in f"{settings_text(candidate)} {training_text(candidate)}".split()]
    told += [(name.replace("_", " "), value) for name, _, value in settings]
    title = "What won, and why" if story.winner else "Best so far"
    return section(title, definitions(told), listed(reasons(story.plan, candidate)))


def why(story: Story) -> str:
    """In a sentence."""
    return f"{story.winner.reason}." if story.winner else "Nothing has won yet."


def reasons(plan: Plan | None, candidate: Candidate) -> list[str]:
    """Why the plan proposed this family; without the planned one's figures where the search has found other settings."""
    known = [*plan.candidates, *([plan.baseline] if plan.baseline else [])] if plan else []
    planned = next((one for one in known if one.name == candidate.name), None)
    if planned is None:
        return []
    same = planned.settings == candidate.settings
    told = [one for one in planned.reasons if same or one.fact not in OF_SETTINGS]
    return [f"{one.fact} {one.value}: {one.text} ({one.source})" for one in told]


def forecast_beside(shown: Trial) -> str:
    """Predicted against measured."""
    rows = []
    for one in compared(shown.predicted, shown.measured):
        full = 1.1 * max(one.predicted.high, one.measured or 0.0)
        verdict = {True: ": inside", False: ": outside the range", None: ""}[one.inside]
        told = f"{one.measured_words} measured, {one.words} predicted{verdict}"
        rows.append(Bar(one.name, told, one.measured, full, range=one.predicted if one.predicted.high else None))
    note = "Bar: measured. Line with two ends: forecast, meant to hold nine measurements in ten."
    return section("Predicted against measured", bars(rows), note=note)


def memory_by_phase(story: Story, shown: Trial) -> str:
    """Host memory held in each phase against the limit."""
    base, limit = shown.measured.baseline_host_bytes, limit_bytes(story)
    phases = phases_compared(shown.predicted, shown.measured)
    if not any(one.measured_bytes for one in phases):
        return ""
    most = max(base + max(one.predicted.high, one.measured_bytes or 0) for one in phases)
    near = 0 < limit < FAR * most
    full = 1.05 * (max(limit, most) if near else most)
    rows = []
    for one in phases:
        seen = "-" if one.measured_bytes is None else format_bytes(one.measured_bytes)
        told = f"{seen} measured, {range_bytes(one.predicted)} predicted"
        told += f": {one.outside_words}" if one.outside_words else ""
        value = float(one.measured_bytes or 0)
        rows.append(
            Bar(one.phase.value, told, value, full, float(base), range=one.predicted, limit=limit if near else None)
        )
    return section("Memory by phase", bars(rows), note=_memory_note(base, limit, most, near))


def _memory_note(base: int, limit: int, most: float, near: bool) -> str:
    text = f"Thin bar: the {format_bytes(base)} that the process holds before it sees the graph; figures are above it. "
    if near:
        return text + f"Dashed: the limit, {format_bytes(limit)}."
    return text + (f"The limit, {format_bytes(limit)}, is {limit / most:.0f} times all this." if limit else "")


def time_split(measured: Measurement) -> str:
    """Where the seconds of one training went: sampling, transfer, computing, judging."""
    parts = seconds_by_part(measured)
    total = sum(parts.values())
    if not total:
        return ""
    rows, start = [], 0.0
    for name, seconds in parts.items():
        told = f"{format_seconds(seconds)}, {seconds / total:.0%}" if seconds else "none"
        rows.append(Bar(name, told, seconds or None, total, start, before=False))
        start += seconds
    note = "Seconds in order from left to right; sampling is what the trainer waited for."
    return section("Where the time went", bars(rows), note=note)


def seconds_by_part(measured: Measurement) -> dict[str, float]:
    """Load, prepare, the parts of training, evaluate."""
    phases = {phase.value: one.seconds for phase, one in measured.phases.items()}
    train = phases.pop("train", 0.0)
    sample = min(measured.sample_seconds or (measured.wait_share or 0.0) * train, train)
    transfer = min(measured.transfer_seconds, train - sample)
    split = {"sample": sample, "transfer": transfer, "compute": train - sample - transfer}
    order = ("load", "prepare", "sample", "transfer", "compute", "evaluate")
    together = {**phases, **split}
    return {name: together[name] for name in order if name in together}


def refused(story: Story) -> str:
    """What the plan refused, and what could not be measured, with reasons."""
    told = refused_lines(story.plan.rejected, "listed below") if story.plan else []
    planned = [line.strip().partition(": ") for line in told]
    lines = [f"{name}: {reason}" if reason else name for name, _, reason in planned]
    failed = [
        [f"trial {one.number}", one.family, one.measured.state.value.replace("_", " "), one.measured.reason or ""]
        for one in story.trials
        if one.measured.state is not TrialState.COMPLETE
    ]
    measured = table(["trial", "candidate", "state", "reason"], failed, "Trials that were stopped") if failed else ""
    every = [[one.name, one.reason] for one in (story.plan.rejected if story.plan else ())][:REFUSED_LISTED]
    more = folded("Every refused combination", table(["candidate", "reason"], every, "Refused")) if every else ""
    return section("Refused options", listed(lines), measured, more)


def environment(story: Story) -> str:
    """Machine, versions and command."""
    found = dict(story.environment)
    packages = found.pop("packages", {})
    told = [(name.replace("_", " "), _short(value)) for name, value in found.items() if value not in ({}, [], "")]
    machine = [machine_line(story.plan), *story.plan.facts.hardware.notes] if story.plan else []
    rows = sorted((str(name), str(version)) for name, version in dict(packages).items())
    versions = folded(f"{len(rows)} packages", table(["package", "version"], rows, "Versions")) if rows else ""
    command = [f"command: {story.command}"] if story.command else []
    return section("Environment", listed([*machine, *command]), definitions(told), versions)


def _short(value: Any) -> str:
    text = ", ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 300 else text[:297] + "..."
