"""A bar of the budget on a terminal, redrawn in place; elsewhere nothing but the lines themselves."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import Any, TextIO

REDRAW_SECONDS = 0.5
STEPS = {
    "planned": "searching",
    "winner": "choosing",
    "final_started": "training the winner",
    "finished": "finished",
}


class ProgressBar:
    """The last line of a terminal: how much of the budget is used, and for what."""

    def __init__(self, stream: TextIO, budget_seconds: float) -> None:
        self.stream, self.budget_seconds = stream, budget_seconds
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._turn = threading.Lock()
        self._elapsed, self._since, self._step, self._trials = 0.0, time.monotonic(), "reading the graph", 0
        self._over = threading.Event()
        if self.live:
            threading.Thread(target=self._redraw, daemon=True).start()

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        with self._turn:
            print(("\r\x1b[K" if self.live else "") + line, file=self.stream, flush=True)

    def follow(self, event: dict[str, Any]) -> None:
        """Set the clock and the step by an event of the run; the last one takes the bar away."""
        with self._turn:
            self._elapsed, self._since = float(event["elapsed_seconds"]), time.monotonic()
            self._step = STEPS.get(event["event"], self._step)
            self._trials += event["event"] == "trial_finished"
            if event["event"] == "trial_started":
                self._step = "verifying" if event["purpose"] == "verify" else "searching"
        if event["event"] == "finished":
            self.close()

    def close(self) -> None:
        """Take the bar away, whatever has ended the run."""
        with self._turn:
            if not self._over.is_set():
                self._over.set()
                self._write("")

    def line(self, width: int) -> str:
        """``[#####.....] 45 %  searching, 7 trials``, ``width`` characters at most."""
        elapsed = self._elapsed + time.monotonic() - self._since
        share = min(elapsed / self.budget_seconds, 1.0) if self.budget_seconds else 1.0
        cells = max(min(width - 45, 40), 5)
        filled = round(cells * share)
        trials = f"{self._trials} trial{'s' * (self._trials != 1)}"
        return f"[{'#' * filled}{'.' * (cells - filled)}] {share:4.0%}  {self._step}, {trials}"[: width - 1]

    def _redraw(self) -> None:
        while not self._over.wait(REDRAW_SECONDS):
            with self._turn:
                self._write(self.line(shutil.get_terminal_size((80, 24)).columns))

    def _write(self, line: str) -> None:
        if self.live and not (line and self._over.is_set()):
            try:
                self.stream.write(f"\r\x1b[K{line}")
                self.stream.flush()
            except (OSError, ValueError):  # the terminal has gone: the run goes on
                self._over.set()
