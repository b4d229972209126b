"""A run as one HTML file: no script, no network, read in ten seconds, on a phone and in the dark."""

from __future__ import annotations

from tuner.report.elements import section, table, tag, words
from tuner.report.search_charts import every_trial, history, pareto
from tuner.report.sections import (
    best_trial,
    cards,
    environment,
    forecast_beside,
    memory_by_phase,
    refused,
    time_split,
    what_won,
    why,
)
from tuner.report.style import STYLE
from tuner.report.text import part_rows, searched_on_part, state_words, verified_rows
from tuner.report.told import RunState, Story

STATES = {
    RunState.FINISHED: "Finished",
    RunState.RUNNING: "Still running",
    RunState.STOPPED: "Not finished",
    RunState.FAILED: "Failed",
}


def report_page(story: Story) -> str:
    """The page of a run in any state."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words(_title(story))}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{tag("main", *_parts(story))}</body></html>\n'


def _parts(story: Story) -> list[str]:
    shown = story.final or best_trial(story)
    parts = [_top(story), what_won(story)]
    if shown is not None:
        told = [forecast_beside(shown), memory_by_phase(story, shown), time_split(shown.measured), _verified(story)]
        parts.append(tag("div", *told, class_="pair"))
    return [
        *parts,
        tag("div", pareto(story), history(story), class_="pair"),
        every_trial(story),
        _part(story),
        refused(story),
        environment(story),
    ]


def _title(story: Story) -> str:
    shown = story.winner.family if story.winner else STATES[story.state].lower()
    return f"{story.graph}: {shown}"


def _top(story: Story) -> str:
    state = tag("span", words(STATES[story.state]), class_=f"state {story.state.value}")
    boxes = (tag("div", tag("b", words(value)), tag("span", words(name))) for name, value in cards(story))
    told = [tag("p", words(why(story)))] if story.winner else []
    if story.state is not RunState.FINISHED:
        told.append(tag("p", words(state_words(story))))
    return tag("header", state, tag("h1", words(_title(story))), *told, tag("div", *boxes, class_="cards"))


def _verified(story: Story) -> str:
    """Winner and PyG's defaults on the whole graph, fastest first."""
    rows = verified_rows(story.trials, story.target, story.winner)
    if story.target is None or not rows:
        return ""
    header = ["candidate", f"time to validation {story.metric_name} {story.target:.3f}", "best"]
    return section("Verified on the whole graph", table(header, rows, "Fastest first"))


def _part(story: Story) -> str:
    rows = part_rows(story.subsample) if searched_on_part(story.trials) else []
    note = "The search saw a part of the graph; the best were measured again on all of it."
    return (
        section("Searched on a part", table(["", "whole", "part"], rows, "What the part kept"), note=note)
        if rows
        else ""
    )
