"""``report.json``, ``report.txt`` and ``report.html`` of a run."""

from __future__ import annotations

from pathlib import Path

from tuner.folder import RunFolder, write_text
from tuner.records import TuneReport
from tuner.report.page import report_page
from tuner.report.story_text import story_text
from tuner.report.told import story_of


def write_report(folder: RunFolder, report: TuneReport) -> None:
    """All three; ``report.json`` comes last, since with it the run counts as finished."""
    write_text(folder.path / "report.txt", story_text(story_of(folder, report)))
    write_page(folder, report)
    write_text(folder.report, report.model_dump_json(indent=1))


def write_page(folder: RunFolder, report: TuneReport | None = None) -> Path:
    """The page of a run in any state."""
    file = folder.path / "report.html"
    write_text(file, report_page(story_of(folder, report)))
    return file
