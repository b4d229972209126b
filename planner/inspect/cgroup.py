"""Limits that a control group sets on processors and memory: containers, batch systems, systemd.

Every level from the process's own group up to the root counts, because any of them may be the tightest. Inside a
container the path that the kernel names is often not visible; then the visible ancestors are what there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = "sys/fs/cgroup"


@dataclass(frozen=True)
class MemoryLimit:
    """One level's limit and what is left below it, in bytes."""

    limit_bytes: int
    available_bytes: int


def cpu_quota(root: Path) -> int | None:
    """Processors that the tightest quota allows, rounded up; ``None`` without a quota."""
    quotas = [quota for folder in _folders(root, "cpu") if (quota := _quota(folder)) is not None]
    return max(1, math.ceil(min(quotas))) if quotas else None


def memory_limits(root: Path) -> tuple[MemoryLimit, ...]:
    """Every limit from the process's own group upwards; empty without a limit.

    File pages that nobody used lately (``inactive_file``) count as available: the kernel drops them on demand.
    """
    limits = (_memory_limit(folder) for folder in _folders(root, "memory"))
    return tuple(limit for limit in limits if limit is not None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, controllers, path = line.split(":", 2)
        for mount in _mounts(root, number, controllers, controller):
            here = mount / path.strip("/")
            while here != mount.parent:
                yield here
                here = here.parent


def _mounts(root: Path, number: str, controllers: str, wanted: str) -> list[Path]:
    """Version 2 has one tree (hybrid systems keep it in ``unified``), version 1 one tree per set of controllers."""
    mount = root / MOUNT
    if number == "0" and not controllers:
        return [mount, mount / "unified"]
    return [mount / name for name in sorted({controllers, wanted})] if wanted in controllers.split(",") else []


def _quota(folder: Path) -> float | None:
    text = _text(folder / "cpu.max")
    if text is not None:
        quota, period = (*text.split(), "100000")[:2]
        return int(quota) / int(period) if quota != "max" else None
    quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and quota_us > 0 and period_us else None


def _memory_limit(folder: Path) -> MemoryLimit | None:
    for limit_name, usage_name, reclaimable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit = _number(folder / limit_name)
        if limit is not None:
            used = (_number(folder / usage_name) or 0) - _statistic(folder / "memory.stat", reclaimable)
            return MemoryLimit(limit, max(0, limit - max(0, used)))
    return None


def _statistic(path: Path, key: str) -> int:
    for line in (_text(path) or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    """``None`` for a missing file and for "max"."""
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
