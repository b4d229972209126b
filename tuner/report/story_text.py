"""A run in any state as text: of a finished one all that its page shows."""

from __future__ import annotations

from planner.quantities import format_bytes, format_seconds
from planner.render import machine_line, refused_lines, table, wrap
from tuner.records import Trial
from tuner.report.search_charts import best_of_both, held_bytes
from tuner.report.sections import limit_bytes, seconds_by_part
from tuner.report.text import report_text, state_words, trial_table
from tuner.report.told import Story

WIDTH = 100


def story_text(story: Story) -> str:
    """The report of a finished run, the page's other parts after it; else as far as the run came."""
    report = story.report()
    if report is not None:
        return "\n".join(
            [report_text(report), *_limit_lines(story, report.final), *_time_lines(report.final), *_rest(story)]
        )
    lines = [f"{story.graph}: {state_words(story)}"]
    if story.winner is not None:
        lines += [f"  winner: {story.winner.family}", f"  why: {story.winner.reason}"]
    if not story.trials:
        return "\n".join([*lines, "  no trial has been measured to its end yet"])
    return "\n".join([*lines, "", f"Trials ({len(story.trials)})", *trial_table(story.trials), *_rest(story)])


def _limit_lines(story: Story, final: Trial) -> list[str]:
    limit, held = limit_bytes(story), held_bytes(final)
    if not limit:
        return []
    text = f"Held at most {format_bytes(held)}, baseline of the process included; the limit is {format_bytes(limit)}"
    return ["", "Memory against the limit", f"  {text}"]


def _time_lines(final: Trial) -> list[str]:
    parts = seconds_by_part(final.measured)
    total = sum(parts.values())
    if not total:
        return []
    rows = [[name, format_seconds(seconds), f"{seconds / total:.0%}"] for name, seconds in parts.items()]
    return ["", "Where the time went (sample: what the trainer waited for)", *table(["", "seconds", "share"], rows)]


def _rest(story: Story) -> list[str]:
    """The machine and its calibration, time against memory, and what was refused."""
    lines = ["", "Machine", *wrap(f"  {machine_line(story.plan)}", WIDTH)] if story.plan else []
    what, found = best_of_both(story)
    if found:
        rows = [
            [str(one.number), one.family, format_seconds(spent), format_bytes(held_bytes(one))] for one, spent in found
        ]
        head = "Time and memory: trials that no other beats in both"
        lines += ["", head, *table(["trial", "candidate", what, "host memory"], rows)]
    if story.plan is not None and story.plan.rejected:
        told = refused_lines(story.plan.rejected, "the page lists them")
        lines += ["", "Refused", *(part for line in told for part in wrap(line, WIDTH))]
    return lines
