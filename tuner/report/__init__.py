"""Reports of a run: text for the terminal, one HTML file for people, JSON for programs."""

from __future__ import annotations

from tuner.report.page import report_page
from tuner.report.story_text import story_text
from tuner.report.text import final_text, measurement_text, report_text
from tuner.report.told import RunState, Story, story_of
from tuner.report.writing import write_page, write_report

__all__ = [
    "RunState",
    "Story",
    "final_text",
    "measurement_text",
    "report_page",
    "report_text",
    "story_of",
    "story_text",
    "write_page",
    "write_report",
]
