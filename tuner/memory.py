"""Host memory of a process tree: anonymous and shared-memory pages, without what the kernel may drop."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """``held_bytes`` = RssAnon + RssShmem; ``mapped_bytes`` = RssFile, which a memory map fills and the kernel drops."""

    held_bytes: int
    mapped_bytes: int


def process_usage(pid: int) -> Usage | None:
    """Usage of one process; ``None`` once it has ended."""
    try:
        text = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None if PROC.is_dir() else _portable_usage(pid)
    except PermissionError:
        return None
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssShmem", "RssFile"):
            found[name] = int(value.split()[0]) * 1024
    if not found:
        return None
    return Usage(found.get("RssAnon", 0) + found.get("RssShmem", 0), found.get("RssFile", 0))


def _portable_usage(pid: int) -> Usage | None:
    """Where there is no /proc: resident memory by psutil, which cannot tell mapped pages apart."""
    import psutil

    try:
        return Usage(int(psutil.Process(pid).memory_info().rss), 0)
    except psutil.Error:
        return None


def tree_usage(pid: int) -> Usage | None:
    """Usage of a process and its descendants; pages that they share are divided among them (Pss), so counted once."""
    root = process_usage(pid)
    if root is None:
        return None
    children = descendants(pid)
    if not children:
        return root
    shares = [_proportional(one) for one in (pid, *children)]
    return Usage(sum(held for held, _ in shares), sum(mapped for _, mapped in shares))


def _proportional(pid: int) -> tuple[int, int]:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if line.endswith("kB")}
    return found.get("Pss_Anon", 0) + found.get("Pss_Shmem", 0), found.get("Pss_File", 0)


def descendants(pid: int) -> list[int]:
    """Process ids of all children, grandchildren, ..."""
    found, waiting = [], [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


@dataclass
class PeakByPhase:
    """Largest usage seen in each phase, above a baseline that is set once the imports are paid for."""

    baseline_bytes: int = 0
    peaks: dict[str, int] = field(default_factory=dict)
    mapped_peak_bytes: int = 0

    def add(self, phase: str, usage: Usage) -> None:
        """Count one sample."""
        above = max(usage.held_bytes - self.baseline_bytes, 0)
        self.peaks[phase] = max(self.peaks.get(phase, 0), above)
        self.mapped_peak_bytes = max(self.mapped_peak_bytes, usage.mapped_bytes)

    @property
    def peak_bytes(self) -> int:
        return max(self.peaks.values(), default=0)
