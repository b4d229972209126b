"""What a child prints, from Python or from C: its beginning and its end are kept, however much it is."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

HEAD_BYTES = TAIL_BYTES = 512 * 1024
CHUNK_BYTES = 1 << 20
"""Read at a time, so that a child that prints without end does not keep the watchdog from looking."""
F_SETPIPE_SZ = 1031


class ChildLog:
    """A pipe whose other end is the child's stdout and stderr, emptied into ``log.txt``."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.ended = False
        """Every process that could print has closed its end."""
        self._widen()
        self._written = self._dropped = self._tail_bytes = 0
        self._tail: deque[bytes] = deque()

    def __enter__(self) -> ChildLog:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def close_writing(self) -> None:
        """Once the child has its copy."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def pump(self) -> bool:
        """Take what is there, at most one chunk; whether there was any."""
        try:
            received = os.read(self.reading, CHUNK_BYTES)
        except BlockingIOError:
            return False
        self.ended = not received
        if received:
            self._keep(received)
        return bool(received)

    def close(self) -> None:
        """Take what is left and write the end."""
        self.close_writing()
        try:
            for _ in range(64):  # a process that got away may still print
                if not self.pump():
                    break
            self._write_tail()
        finally:
            with contextlib.suppress(OSError):
                os.close(self.reading)

    def _keep(self, received: bytes) -> None:
        head = received[: HEAD_BYTES - self._written]
        if head:
            self._append(head)
            self._written += len(head)
        rest = received[len(head) :]
        self._tail.append(rest)
        self._tail_bytes += len(rest)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            gone = len(self._tail.popleft())
            self._tail_bytes -= gone
            self._dropped += gone

    def _write_tail(self) -> None:
        end = b"".join(self._tail)
        cut = max(len(end) - TAIL_BYTES, 0)
        if self._dropped + cut:
            self._append(f"\n... {self._dropped + cut:,} bytes left out ...\n".encode())
        if end:
            self._append(end[cut:])
        self._tail.clear()

    def _append(self, text: bytes) -> None:
        with self.file.open("ab") as out:
            out.write(text)

    def _widen(self) -> None:
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(self.writing, F_SETPIPE_SZ, CHUNK_BYTES)
