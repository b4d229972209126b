"""The child's side of the socket: events as JSON lines, and the time spent in each phase."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from techniques.forecast import Phase


class Reporter:
    """Sends events; remembers when each phase began."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.phase: Phase | None = None
        self.seconds = dict.fromkeys(Phase, 0.0)
        self._since = time.perf_counter()

    def send(self, event: str, **values: Any) -> None:
        """One JSON line."""
        self.channel.sendall(json.dumps({"event": event, **values}).encode() + b"\n")

    def enter(self, phase: Phase) -> None:
        """Book the time since the last call and change the phase."""
        now = time.perf_counter()
        if self.phase is not None:
            self.seconds[self.phase] += now - self._since
        self._since = now
        if phase is not self.phase:
            self.phase = phase
            self.send("phase", phase=phase.value)

    def settle(self) -> None:
        """Say that the baseline is reached and wait until it has been read."""
        self.send("baseline")
        self.channel.recv(1)
