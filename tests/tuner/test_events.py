"""The run's story and its clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuner.events import EventLog, read_events


def test_events_are_lines_and_the_listener_hears_them(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    log = EventLog(tmp_path / "events.jsonl", heard.append)
    log.add("started", graph="a\nb")
    log.add("finished")
    assert read_events(log.file) == heard
    assert [event["event"] for event in heard] == ["started", "finished"]
    assert len(log.file.read_text().splitlines()) == 2


def test_the_clock_goes_on_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps({"event": "trial_finished", "elapsed_seconds": 120.5}) + "\n")
    log = EventLog(file)
    assert log.elapsed_seconds >= 120.5
    log.add("started")
    assert read_events(file)[-1]["elapsed_seconds"] >= 120.5


def test_a_torn_last_line_is_ignored_and_swallows_no_later_event(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"event": "one", "elapsed_seconds": 3.0}\n{"event": "tw')
    assert [event["event"] for event in read_events(file)] == ["one"]
    log = EventLog(file)
    log.add("three")
    log.add("four")
    assert [event["event"] for event in read_events(file)] == ["one", "three", "four"]


def test_no_file_is_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == []
    assert EventLog(tmp_path / "none").elapsed_seconds < 60
