"""The lock of the machine that trials are timed on, so that timed trials of several tuners take turns."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LOCK_FILE = "gnnfit-machine.lock"
LOCK_VARIABLE = "GNNFIT_MACHINE_LOCK"
POLL_SECONDS = 0.02


@contextlib.contextmanager
def machine_lock(seconds: float, file: Path | None = None) -> Iterator[bool]:
    """Hold this machine while a trial is timed; others wait, for at most ``seconds``.

    Yields:
        Whether the lock is held: a tuner whose budget would be eaten by waiting goes on without.
    """
    import fcntl

    with _opened(file or _place()) as lock:
        end, held = time.monotonic() + seconds, False
        while not held:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except OSError:
                if time.monotonic() >= end:
                    break
                time.sleep(POLL_SECONDS)
        yield held


def _place() -> Path:
    """One file for all users of the machine; ``$GNNFIT_MACHINE_LOCK`` names another."""
    return Path(os.environ.get(LOCK_VARIABLE) or Path(tempfile.gettempdir()) / LOCK_FILE)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    """Another user's file is opened for reading: a lock needs no more, and sticky folders allow no more."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(file, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
