"""The machine at hand as facts. Reads small files of the kernel and asks the NVIDIA driver; takes milliseconds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.catalog.rates import RULE, host_bandwidth, host_gemm_flops
from planner.inspect.accelerators import inspect_gpus, torch_devices
from planner.inspect.cgroup import cpu_quota, memory_limits
from techniques.facts import HardwareFacts, Origin

__all__ = ["inspect_machine", "torch_devices"]


def inspect_machine(root: Path = Path("/"), nvml: Any = None, environ: Mapping[str, str] = os.environ) -> HardwareFacts:
    """Usable cores, memory, disk and NVIDIA devices of this machine, within what its control groups allow.

    Args:
        root: where ``proc`` and ``sys`` are found.
        nvml: the ``pynvml`` module, or a fake.
        environ: where ``CUDA_VISIBLE_DEVICES`` may hide devices.
    """
    cores, core_notes = _cores(root)
    total, available, memory_notes = _memory(root)
    gpus, gpu_notes = inspect_gpus(nvml, environ)
    disk, disk_notes = _disk_free()
    return HardwareFacts(
        name="this machine",
        origin=Origin.MEASURED,
        cores=cores,
        memory_total_bytes=total,
        memory_available_bytes=available,
        disk_free_bytes=disk,
        gpus=gpus,
        memory_bandwidth_bytes_per_second=host_bandwidth(cores),
        gemm_flops_per_second=host_gemm_flops(cores),
        host_link_bytes_per_second=gpus[0].host_link_bytes_per_second if gpus else None,
        notes=(*core_notes, *memory_notes, *disk_notes, *gpu_notes, RULE),
    )


def _cores(root: Path) -> tuple[int, list[str]]:
    """The least of the processors present, those this process may run on, and the control group's quota."""
    present = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    usable = min(present, allowed)
    quota = cpu_quota(root)
    if quota is not None and quota < usable:
        return quota, [f"{quota} of {present} cores: the control group's quota"]
    return usable, [f"{usable} of {present} cores: the affinity mask"] if usable < present else []


def _memory(root: Path) -> tuple[int, int, list[str]]:
    """Total and available bytes, and a note where a control group is tighter than the machine."""
    total, available = _system_memory(root)
    notes = []
    for level in memory_limits(root):
        if level.limit_bytes < total:
            notes = [f"memory limited to {level.limit_bytes:,} bytes by the control group"]
        total, available = min(total, level.limit_bytes), min(available, level.available_bytes)
    return total, available, notes


def _system_memory(root: Path) -> tuple[int, int]:
    """From ``/proc/meminfo``, and from psutil where there is none (macOS, Windows)."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return kibibytes["MemTotal"] * 1024, kibibytes["MemAvailable"] * 1024
    except (OSError, KeyError):
        import psutil

        memory = psutil.virtual_memory()
        return int(memory.total), int(memory.available)


def _disk_free() -> tuple[int | None, list[str]]:
    import shutil

    try:
        return shutil.disk_usage(".").free, []
    except OSError as error:
        return None, [f"free disk space unknown: {error}"]
