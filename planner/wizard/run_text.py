"""A run's story as lines of text for any width."""

from __future__ import annotations

import textwrap

from planner.quantities import format_bytes, format_seconds
from planner.wizard.bars import share, spark
from planner.wizard.story import Story, TrialLine

SHOWN_TRIALS = 6
LIVE = ("running", "pausing")


def progress_lines(story: Story, status: str, width: int, then: str = "") -> list[str]:
    """Where it stands: status, clock, best so far, and the course of the validation metric."""
    if not story.budget_seconds:
        return [f"{status.upper()}  reading the graph and planning"]
    clock = f"{format_seconds(story.elapsed_seconds)} of {format_seconds(story.budget_seconds)}"
    bar = share(story.elapsed_seconds, story.budget_seconds, max(width - len(clock) - 12, 10))
    lines = [_cut(f"{status.upper()}  {_step(story)}", width), f"budget {bar} {clock}"]
    best = story.best
    if best is not None:
        lines += _wrapped(f"best   {best.metric:.3f} by {best.family} (trial {best.number}, {best.purpose})", width)
    values = list(story.epochs or story.bests)
    if values:
        what = "epochs" if story.epochs else "best after each trial"
        drawn = spark(values, max(width - len(what) - 24, 8))
        lines.append(f"course {drawn} {values[0]:.3f} to {values[-1]:.3f}, {what}")
    if status == "finished":
        lines += _wrapped(f"done   everything is written. {then}".rstrip(), width)
    if story.winner:
        lines += _wrapped(f"winner {story.winner}: {story.why}", width)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * 7)


def _step(story: Story) -> str:
    done = sum(one.state != "running" for one in story.trials)
    part = f"on {story.part:.0%} of the graph, " if story.part and story.step == "search" else ""
    names = {"search": "searching, ", "verify": "verifying the best on the whole graph, ", "finished": ""}
    step = names.get(story.step, f"{story.step}, ")
    count = f"epoch {len(story.epochs)}, " if story.step == "final training" else ""
    return f"{step}{part}{count}{done} trial{'s' * (done != 1)} measured"


def trial_lines(story: Story, status: str, width: int, rows: int = SHOWN_TRIALS) -> list[str]:
    """The latest trials, newest first: measured, and in brackets what was expected."""
    name = max(width - 56, 12)
    header = f"{'trial':<5} {'candidate':<{name}} {'metric':<6} {'epoch (expected)':<19} memory (expected)"
    shown = [_trial_line(one, status in LIVE, name) for one in reversed(story.trials[-rows:])]
    return [_cut(line, width) for line in (header, *shown)] if shown else []


def _trial_line(one: TrialLine, is_live: bool, name: int) -> str:
    family = _cut(one.family, name)
    if one.state in ("running", "interrupted"):
        state = one.state if is_live else "interrupted"
        return f"{one.number:<5} {family:<{name}} {state} ({one.purpose})"
    if one.state != "complete":
        return f"{one.number:<5} {family:<{name}} {one.state.replace('_', ' ')}: {one.reason or 'no reason given'}"
    metric = "-" if one.metric is None else f"{one.metric:.3f}"
    epoch = _beside(one.epoch_seconds, one.expected_epoch_seconds, format_seconds)
    peak = _beside(one.peak_host_bytes, one.expected_host_bytes, format_bytes)
    return f"{one.number:<5} {family:<{name}} {metric:<6} {epoch:<19} {peak}"


def _beside(measured: float | None, expected: float | None, show) -> str:  # type: ignore[no-untyped-def]
    if measured is None:
        return "unfinished"
    return f"{show(measured)} ({show(expected)})" if expected is not None else str(show(measured))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
