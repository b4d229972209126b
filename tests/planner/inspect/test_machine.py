"""The machine at hand, with the kernel's files in a temporary tree and a fake NVIDIA driver."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from planner.inspect.accelerators import inspect_gpus
from planner.inspect.cgroup import cpu_quota, memory_limits
from planner.inspect.machine import inspect_machine

GIB = 2**30
MEMINFO = f"MemTotal: {64 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {48 * 2**20} kB\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


class FakeNvml:
    """The part of pynvml that is used: one T4 unless told otherwise."""

    class NVMLError(Exception):
        pass

    class NVMLError_LibraryNotFound(NVMLError):
        pass

    NVML_CLOCK_MEM = 2

    def __init__(self, count: int = 1, start: Exception | None = None) -> None:
        self.count, self.start, self.is_open = count, start, False

    def nvmlInit(self) -> None:
        if self.start:
            raise self.start
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"Tesla T4"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=16 * GIB, free=(15 - handle) * GIB)

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:
        return (7, 5)

    def nvmlDeviceGetMaxClockInfo(self, handle: int, clock: int) -> int:
        return 5001

    def nvmlDeviceGetMemoryBusWidth(self, handle: int) -> int:
        return 256

    def nvmlDeviceGetMaxPcieLinkGeneration(self, handle: int) -> int:
        return 3

    def nvmlDeviceGetMaxPcieLinkWidth(self, handle: int) -> int:
        raise self.NVMLError("Not Supported")


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    facts = inspect_machine(write(tmp_path, {}), FakeNvml(0), {})
    assert (facts.memory_total_bytes, facts.memory_available_bytes) == (64 * GIB, 48 * GIB)
    assert facts.cores == len(os.sched_getaffinity(0))
    assert facts.disk_free_bytes
    assert "no GPU: driver reports 0 devices" in facts.notes


def test_version_2_limits_are_sought_up_the_tree(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user/job\n",
            "sys/fs/cgroup/user/job/memory.max": "max\n",
            "sys/fs/cgroup/user/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user/memory.max": f"{8 * GIB}\n",
            "sys/fs/cgroup/user/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/user/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            "sys/fs/cgroup/user/cpu.max": "50000 100000\n",
        },
    )
    facts = inspect_machine(root, FakeNvml(0), {})
    assert (facts.memory_total_bytes, facts.memory_available_bytes) == (8 * GIB, 6 * GIB)
    assert facts.cores == 1
    assert f"memory limited to {8 * GIB:,} bytes by the control group" in facts.notes


def test_version_1_limits(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n1:name=systemd:/\n",
            # Inside a container the group itself is mounted, and the path named by the kernel does not exist.
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1024\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cpu_quota(root) == 2
    (limit,) = memory_limits(root)
    assert (limit.limit_bytes, limit.available_bytes) == (4 * GIB, 3 * GIB + 1024)


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/\n2:cpu:/\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cpu_quota(root) is None
    facts = inspect_machine(root, FakeNvml(0), {})
    assert (facts.memory_total_bytes, facts.memory_available_bytes) == (64 * GIB, 48 * GIB)


def test_usage_above_the_limit_leaves_nothing(tmp_path: Path) -> None:
    files = {"memory.max": "100", "memory.current": "120"}
    root = write(tmp_path, {"proc/self/cgroup": "0::/\n", **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}})
    assert memory_limits(root)[0].available_bytes == 0


def test_without_proc_psutil_answers(tmp_path: Path) -> None:
    pytest.importorskip("psutil")
    facts = inspect_machine(tmp_path, FakeNvml(0), {})
    assert facts.memory_total_bytes > facts.memory_available_bytes > 0


def test_a_gpu_is_described_by_the_driver_and_completed_from_the_catalog() -> None:
    nvml = FakeNvml()
    (gpu,), notes = inspect_gpus(nvml, {})
    assert (gpu.name, gpu.memory_free_bytes, gpu.compute_capability) == ("Tesla T4", 15 * GIB, "7.5")
    assert gpu.memory_bandwidth_bytes_per_second == pytest.approx(320e9, rel=1e-3)
    assert gpu.float32_flops_per_second == 8.1e12
    assert gpu.host_link_bytes_per_second == 15.75e9
    assert notes == []
    assert not nvml.is_open


@pytest.mark.parametrize(
    ("nvml", "reason"),
    [
        (FakeNvml(0), "driver reports 0 devices"),
        (FakeNvml(start=FakeNvml.NVMLError_LibraryNotFound()), "NVML shared library not found (no NVIDIA driver)"),
        (FakeNvml(start=FakeNvml.NVMLError("odd")), "NVML does not start: odd"),
    ],
)
def test_no_gpu_is_an_answer_with_a_reason(nvml: FakeNvml, reason: str) -> None:
    assert inspect_gpus(nvml, {}) == ((), [f"no GPU: {reason}"])


@pytest.mark.parametrize(
    ("choice", "free", "note"),
    [
        ("1,0", [14, 15], None),
        ("1,7,0", [14], None),
        ("", [], "no GPU: CUDA_VISIBLE_DEVICES hides all 2"),
        ("-1", [], "no GPU: CUDA_VISIBLE_DEVICES hides all 2"),
        ("GPU-ab", [15, 14], "CUDA_VISIBLE_DEVICES=GPU-ab names devices by identifier: all 2 are listed"),
    ],
)
def test_hidden_devices_do_not_count(choice: str, free: list[int], note: str | None) -> None:
    gpus, notes = inspect_gpus(FakeNvml(2), {"CUDA_VISIBLE_DEVICES": choice})
    assert [gpu.memory_free_bytes // GIB for gpu in gpus] == free
    assert notes == ([] if note is None else [note])


def test_a_broken_device_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: FakeNvml, handle: int) -> None:
        raise self.NVMLError("lost")

    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetMemoryInfo", broken)
    assert inspect_gpus(FakeNvml(), {}) == ((), ["GPU 0 left out: lost"])


def test_this_machine() -> None:
    facts = inspect_machine()
    assert facts.cores >= 1
    assert 0 < facts.memory_available_bytes <= facts.memory_total_bytes
    assert facts.gpus or any("no GPU" in note or "left out" in note for note in facts.notes)
