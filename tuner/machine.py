"""The machine that trials are timed on: what it is, and its lock, so that timed trials of several tuners take turns."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from techniques.facts import HardwareFacts

LOCK_FILE = "gnnfit-machine.lock"
LOCK_VARIABLE = "GNNFIT_MACHINE_LOCK"
POLL_SECONDS = 0.02
CPU_INFO = Path("/proc/cpuinfo")


def hardware_fingerprint(hardware: HardwareFacts) -> str:
    """What two machines must share for their times to be compared: such as ``2 cores of Xeon 8370C, 24 GiB, no GPU``."""
    gpus = ", ".join(f"{gpu.name} {round(gpu.memory_total_bytes / 2**30)} GiB" for gpu in hardware.gpus)
    memory = round(hardware.memory_total_bytes / 2**30)
    return f"{hardware.cores} cores of {_processor()}, {memory} GiB, {gpus or 'no GPU'}"


def _processor() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


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
