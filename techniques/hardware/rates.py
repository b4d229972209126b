"""How fast the chosen processor moves bytes and multiplies: what turns bytes and FLOPs into seconds."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.base import Slot
from techniques.facts import Facts
from techniques.forecast import Place
from techniques.job import JobSpec

CPU_STEP_SECONDS = 3e-3
"""Python and dispatch of one small training step (2 to 5 ms published for PyG on a T4)."""
GPU_STEP_SECONDS = 4e-3
GEMM_SHARE = 0.5
"""Share of a GPU's peak rate that float32 products of tall, narrow matrices reach."""
BANDWIDTH_SHARE = 0.45
"""Share of a GPU's bandwidth that gathers reach (0.35 to 0.55 from A100 epoch times of Bajaj et al., VLDB 2025, table 21)."""
UNKNOWN_GPU_BANDWIDTH = 300e9
UNKNOWN_GPU_FLOPS = 8e12
UNKNOWN_LINK = 12e9


@dataclass(frozen=True)
class Rates:
    """Where a step runs and how fast: bytes a second, FLOPs a second, seconds a step."""

    place: Place
    bytes_per_second: float
    flops_per_second: float
    step_seconds: float
    link_bytes_per_second: float | None = None
    """Host to device; ``None`` where the step runs on the host."""


def rates(facts: Facts, spec: JobSpec) -> Rates:
    """Rates of the processor that ``spec`` names; threads below the core count slow a CPU in proportion."""
    hardware = facts.hardware
    if spec.options[Slot.HARDWARE] == "cpu":
        threads = spec.settings.get("threads", hardware.cores)
        share = min(1.0, float(threads if isinstance(threads, int) else hardware.cores) / hardware.cores)
        return Rates(
            place=Place.HOST,
            bytes_per_second=hardware.memory_bandwidth_bytes_per_second * share,
            flops_per_second=hardware.gemm_flops_per_second * share,
            step_seconds=CPU_STEP_SECONDS,
        )
    gpu = hardware.gpus[0] if hardware.gpus else None
    bandwidth = (gpu and gpu.memory_bandwidth_bytes_per_second) or UNKNOWN_GPU_BANDWIDTH
    flops = (gpu and gpu.float32_flops_per_second) or UNKNOWN_GPU_FLOPS
    return Rates(
        place=Place.DEVICE,
        bytes_per_second=bandwidth * BANDWIDTH_SHARE,
        flops_per_second=flops * GEMM_SHARE,
        step_seconds=GPU_STEP_SECONDS,
        link_bytes_per_second=(gpu and gpu.host_link_bytes_per_second) or UNKNOWN_LINK,
    )
