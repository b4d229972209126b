"""A run's page: one file that a browser shows, whatever the graph is called."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tuner.report import (
    RunState,
    Story,
    report_page,
    report_text,
    story_text,
)

HOSTILE = "<script>alert('x')</script> & \"friends\" http://evil.example/x.js"


def test_the_html_is_one_page_without_script_or_network(page_of: Any, report: Any) -> None:
    page = page_of(report())
    found = _Page()
    found.feed(page)
    found.close()
    assert not found.open
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(found.tags)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", page)
    assert "prefers-color-scheme:dark" in page
    assert 'name="viewport"' in page


SECTIONS = (
    *("What won, and why", "Predicted against measured", "Memory by phase", "Where the time went", "Time and memory"),
    *("History of the search", "Trials", "Refused options", "Environment", "Verified on the whole graph"),
)


def test_the_page_sends_nobody_to_json_for_what_it_lists(page_of: Any, report: Any) -> None:
    page = page_of(report())
    assert "more reasons: listed below" in page and "--json" not in page


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_tells(title: str, page_of: Any, report: Any) -> None:
    assert f"<h2>{title}</h2>" in page_of(report())


def test_a_part_that_nothing_was_measured_on_is_not_said_to_have_been_searched(page_of: Any, report: Any) -> None:
    plain = report()
    part = plain.trials[0].model_copy(update={"share": 0.1})
    on_part = plain.model_copy(update={"trials": (part, *plain.trials[1:])})
    said = [
        ("Searched on a part" in page_of(one), "Searched on a part" in report_text(one)) for one in (plain, on_part)
    ]
    assert said == [(False, False), (True, True)]


def test_every_picture_says_in_words_what_it_shows(page_of: Any, report: Any) -> None:
    """Pictures are named, or hidden from screen readers because the words beside them say the same."""
    found = _Page()
    found.feed(page_of(report(), subsample={}))
    pictures = [dict(attributes) for tag, attributes in found.all if tag == "svg"]
    assert len(pictures) > 8
    for one in pictures:
        assert one.get("aria-hidden") == "true" or (one["role"], bool(one["aria-label"])) == ("img", True)
    text = " ".join(found.text)
    for words in ("4.00 MiB measured", "inside", "limit 900", "winner", "PyG default"):
        assert words in text


def test_marks_differ_in_shape_not_in_colour_alone(page_of: Any, report: Any) -> None:
    found = _Page()
    found.feed(page_of(report(), subsample={}))
    shapes = {dict(attributes)["class"]: dict(attributes)["d"] for tag, attributes in found.all if tag == "path"}
    assert len(shapes) >= 3
    assert len(set(shapes.values())) == len(shapes)


def test_ticks_of_like_qualities_differ(page_of: Any, report: Any) -> None:
    made = report()
    trials = [
        one.model_copy(update={"measured": one.measured.model_copy(update={"metric": 0.99 + one.number / 1e4})})
        for one in made.trials
    ]
    page = page_of(made.model_copy(update={"trials": tuple(trials)}))
    ticks = re.findall(r">(0\.99\d+)</text>", page.split("Validation quality by trial")[-1].split("</svg>")[0])
    assert len(ticks) == len({*ticks}) > 2


UNFINISHED = {"winner": None, "final": None, "baseline": None, "target": None}


@pytest.mark.parametrize(
    "state, others, words",
    [
        (RunState.STOPPED, {}, "--resume goes on"),
        (RunState.RUNNING, {}, "still running"),
        (RunState.FAILED, {"reason": "no space left"}, "no space left"),
        (RunState.STOPPED, {"trials": ()}, "no trial has been measured"),
        (RunState.FAILED, {"trials": (), "plan": None, "environment": {}, "reason": "bad"}, "bad"),
    ],
)
def test_an_unfinished_run_says_so(state: RunState, others: Any, words: str, report: Any, story_of_report: Any) -> None:
    story = story_of_report(report(), state=state, **{**UNFINISHED, **others})
    assert words in story_text(story)
    page = report_page(story)
    assert {"running": "Still running", "failed": "Failed", "stopped": "Not finished"}[state.value] in page
    found = _Page()
    found.feed(page)
    assert not found.open
    assert ("History of the search" in page) == bool(story.trials)
    assert Story.model_validate_json(story.model_dump_json()) == story


def test_a_hostile_name_stays_text(page_of: Any, report: Any) -> None:
    page = page_of(report(HOSTILE))
    found = _Page()
    found.feed(page)
    assert "script" not in found.tags
    assert not found.open
    assert HOSTILE in "".join(found.text)
    assert not any("evil" in value for value in found.values)


class _Page(HTMLParser):
    VOID = {"meta", "br", "hr", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.all: list[tuple[str, Any]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.all.append((tag, attributes))
        self.values += [value or "" for _, value in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
