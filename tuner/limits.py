"""What the kernel holds a trial to, behind the watchdog that samples it from outside."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

LIMIT_HEADROOM = 1.5
"""The kernel's limit on private memory is a backstop behind the watchdog: it also counts pages never touched."""
LIMIT_SLACK_BYTES = 2**30
FIRST_VICTIM = "1000"


def limit_memory(host_bytes: int) -> None:
    """Refuse this process private memory far above its limit, or above what the machine has left.

    The watchdog samples; between two samples a child may ask for gigabytes at once. ``RLIMIT_DATA`` follows anonymous
    memory and leaves memory maps of files alone (setrlimit(2)).
    """
    if sys.platform != "linux":
        return
    import resource

    wanted = int(host_bytes * LIMIT_HEADROOM) + LIMIT_SLACK_BYTES
    left = machine_left_bytes()
    if left is not None:
        wanted = min(wanted, left)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def machine_left_bytes() -> int | None:
    """What this process may come to: the data it has and what the machine has available; ``None`` if unknown."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        available = _kibibytes(Path("/proc/meminfo"))["MemAvailable"]
        return 1024 * (_kibibytes(Path("/proc/self/status"))["VmData"] + available)
    return None


def become_first_victim() -> None:
    """Should the machine run out of memory after all, let the kernel end this process, not the tuner or a stranger."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM)


def _kibibytes(file: Path) -> dict[str, int]:
    lines = [line.split() for line in file.read_text().splitlines()]
    return {line[0].rstrip(":"): int(line[1]) for line in lines if line[-1] == "kB"}
