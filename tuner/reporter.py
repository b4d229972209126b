"""The child's side of the socket: events as JSON lines, and the time spent and memory held in each phase."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from techniques.forecast import Phase
from tuner.memory import process_usage


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
        """Book the time since the last call and change the phase; what the last one held at its end is told with it: who watches
        looks when this one has begun."""
        now = time.perf_counter()
        if self.phase is not None:
            self.seconds[self.phase] += now - self._since
        self._since = now
        if phase is not self.phase:
            usage = process_usage(os.getpid())
            self.phase = phase
            self.send("phase", phase=phase.value, held=usage.held_bytes if usage else 0)

    def settle(self) -> None:
        """Say that the baseline is reached and wait until it has been read."""
        self.send("baseline")
        self.channel.recv(1)
