"""Accelerators, as the NVIDIA driver and as torch see them. What is missing is an ordinary answer with a reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from planner.catalog import find_gpu
from techniques.facts import GpuFacts

BYTES_PER_SECOND_PER_LANE = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.94e9, 5: 3.94e9, 6: 7.56e9}
"""PCI Express by generation, one direction, after encoding."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


def inspect_gpus(nvml: Any = None, environ: Mapping[str, str] = os.environ) -> tuple[tuple[GpuFacts, ...], list[str]]:
    """NVIDIA devices that this process may use, and notes on what is missing.

    Args:
        nvml: the ``pynvml`` module, or a fake; imported on demand.
        environ: where ``CUDA_VISIBLE_DEVICES`` may hide devices.
    """
    if nvml is None:
        try:
            nvml = import_module("pynvml")
        except ImportError:
            return (), ["no GPU: nvidia-ml-py is not installed"]
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return (), [f"no GPU: {_start_failure(nvml, error)}"]
    try:
        return _devices(nvml, environ)
    except nvml.NVMLError as error:
        return (), [f"no GPU: the driver answers {str(error) or type(error).__name__}"]
    finally:
        _asked(nvml, nvml.nvmlShutdown)


def torch_devices() -> tuple[str, ...]:
    """What torch could train on besides the processor, or why not. Imports torch: 3 seconds."""
    try:
        import torch
    except ImportError as error:
        return (f"torch cannot be imported: {error}",)
    return (*_cuda_devices(torch), *_mps_devices(torch))


def _start_failure(nvml: Any, error: Exception) -> str:
    reasons = {
        "NVMLError_LibraryNotFound": "NVML shared library not found (no NVIDIA driver)",
        "NVMLError_DriverNotLoaded": "NVIDIA driver not loaded",
        "NVMLError_NoPermission": "no permission to talk to the NVIDIA driver",
    }
    known = (reason for name, reason in reasons.items() if isinstance(error, getattr(nvml, name, ())))
    return next(known, f"NVML does not start: {str(error) or type(error).__name__}")


def _devices(nvml: Any, environ: Mapping[str, str]) -> tuple[tuple[GpuFacts, ...], list[str]]:
    count = int(nvml.nvmlDeviceGetCount())
    if count == 0:
        return (), ["no GPU: driver reports 0 devices"]
    gpus: list[GpuFacts] = []
    notes: list[str] = []
    for index in _visible(count, environ.get(VISIBLE), notes):
        try:
            gpus.append(_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index)))
        except nvml.NVMLError as error:
            notes.append(f"GPU {index} left out: {str(error) or type(error).__name__}")
    if not gpus and not notes:
        notes.append(f"no GPU: {VISIBLE} hides all {count}")
    return tuple(gpus), notes


def _visible(count: int, choice: str | None, notes: list[str]) -> list[int]:
    """CUDA's rule: the listed indices in order, up to the first that does not exist."""
    if choice is None:
        return list(range(count))
    words = [word.strip() for word in choice.split(",") if word.strip()]
    if any(not word.lstrip("-").isdigit() for word in words):
        notes.append(f"{VISIBLE}={choice} names devices by identifier: all {count} are listed")
        return list(range(count))
    indices: list[int] = []
    for word in words:
        if not 0 <= int(word) < count:
            break
        indices.append(int(word))
    return indices


def _gpu(nvml: Any, handle: Any) -> GpuFacts:
    name = nvml.nvmlDeviceGetName(handle)
    name = name.decode() if isinstance(name, bytes) else str(name)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    capability = _asked(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    reported = {
        "name": name,
        "memory_total_bytes": int(memory.total),
        "compute_capability": ".".join(map(str, capability)) if capability else None,
        "memory_bandwidth_bytes_per_second": _asked(nvml, lambda: _bandwidth(nvml, handle)),
        "host_link_bytes_per_second": _asked(nvml, lambda: _host_link(nvml, handle)),
    }
    # The catalog knows what the driver does not say; what the driver says is nearer the truth.
    known = find_gpu(name) or GpuFacts(name=name, memory_total_bytes=0, memory_free_bytes=0)
    answered = {field: value for field, value in reported.items() if value}
    return known.model_copy(update={**answered, "memory_free_bytes": int(memory.free)})


def _bandwidth(nvml: Any, handle: Any) -> float:
    """Two transfers a clock on every line of the bus: 5,001 MHz x 256 bit = 320 GB/s for a T4."""
    megahertz = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)
    bits = nvml.nvmlDeviceGetMemoryBusWidth(handle)
    return float(megahertz) * 1e6 * 2 * float(bits) / 8


def _host_link(nvml: Any, handle: Any) -> float:
    """The widest and fastest the slot allows: an idle card reports less at the moment."""
    generation = int(nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle))
    lanes = int(nvml.nvmlDeviceGetMaxPcieLinkWidth(handle))
    return BYTES_PER_SECOND_PER_LANE.get(generation, 0.0) * lanes


def _asked(nvml: Any, question: Callable[[], Any]) -> Any:
    """The answer, or ``None`` where this driver or card does not give one."""
    try:
        return question()
    except (nvml.NVMLError, AttributeError):
        return None


def _cuda_devices(torch: Any) -> tuple[str, ...]:
    if torch.version.cuda is None and torch.version.hip is None:
        return ("no CUDA: torch is built for the CPU only",)
    if not torch.cuda.is_available():
        return (f"no CUDA: torch is built for CUDA {torch.version.cuda} and finds no usable device or driver",)
    return tuple(f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count()))


def _mps_devices(torch: Any) -> tuple[str, ...]:
    if torch.backends.mps.is_available():
        return ("mps",)
    built = torch.backends.mps.is_built()
    return ("no MPS: macOS 12.3 or newer on Apple silicon is needed" if built else "no MPS: torch is built without it",)
