"""The lock of a study's journal, which a killed process neither keeps nor leaves broken."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class JournalLock:
    """``flock(2)`` on the journal itself, for processes of one machine or of several that share the folder.

    The kernel takes it back from a process that ends: nobody waits for the dead, and no resumed run has to sweep away a
    lock that a joined process may hold. Who holds it first cuts off the torn line of a writer that was killed; another
    line behind that would make the journal unreadable. (Optuna keeps the base class of its own locks to itself.)
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._held: int | None = None

    def acquire(self) -> bool:
        """Wait for it."""
        held = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(held, fcntl.LOCK_EX)
        self._held = held
        cut_torn_line(held)
        return True

    def release(self) -> None:
        """Give it back."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def cut_torn_line(descriptor: int) -> None:
    """Leave out what stands behind the last whole line."""
    end = os.fstat(descriptor).st_size
    if not end or os.pread(descriptor, 1, end - 1) == b"\n":
        return
    os.ftruncate(descriptor, os.pread(descriptor, end, 0).rfind(b"\n") + 1)
