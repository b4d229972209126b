"""The run's story: one JSON line per event, and the run's clock, which goes on where a killed run stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Listener = Callable[[dict[str, Any]], None]


class EventLog:
    """Appends events and tells a listener; knows how long the run has worked, all sessions together.

    Args:
        begun: value of ``time.monotonic`` at which this session began; by default now.
    """

    def __init__(self, file: Path, listener: Listener = lambda event: None, begun: float | None = None) -> None:
        self.file, self.listener = file, listener
        self._before = max((event.get("elapsed_seconds", 0.0) for event in read_events(file)), default=0.0)
        self._started = time.monotonic() if begun is None else begun
        self._torn = file.is_file() and file.read_bytes()[-1:] not in (b"", b"\n")

    @property
    def elapsed_seconds(self) -> float:
        """Seconds that this run has worked; not affected by a wall clock that jumps."""
        return self._before + time.monotonic() - self._started

    def add(self, kind: str, **values: Any) -> None:
        """Append one event; a line is written in one call, so a kill leaves at most a torn last line."""
        event = {"event": kind, "elapsed_seconds": round(self.elapsed_seconds, 3), **values}
        with self.file.open("a", encoding="utf-8") as out:
            out.write(("\n" if self._torn else "") + json.dumps(event) + "\n")
        self._torn = False
        self.listener(event)


def read_events(file: Path) -> list[dict[str, Any]]:
    """Every whole event; a torn last line is left out."""
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found
