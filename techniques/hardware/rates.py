"""How fast the chosen processor moves bytes and multiplies: what turns bytes and FLOPs into seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from techniques.base import Slot
from techniques.facts import Facts, HardwareFacts
from techniques.forecast import Place
from techniques.hardware.calibration import ThreadRates
from techniques.hardware.operations import DENSE, Operation
from techniques.hardware.prices import Prices, calibrated_prices, published_prices
from techniques.hardware.reclaim import mapped_bytes, slowdown
from techniques.job import JobSpec

CPU_STEP_SECONDS = 1e-3
"""Of one training step beside its operators: the loop itself, the loss on the host, gradients set to none."""
GPU_STEP_SECONDS = 4e-3
GEMM_SHARE = 0.5
"""Share of a GPU's peak rate that float32 products of tall, narrow matrices reach."""
BANDWIDTH_SHARE = 0.45
"""Share of a GPU's bandwidth that gathers reach (0.35 to 0.55 from A100 epoch times of Bajaj et al., VLDB 2025, table 21)."""
PUBLISHED_FACTOR, CALIBRATED_FACTOR = 3.0, 1.8
"""How far off times may be, nine times in ten; the second fits 53 and 145 candidates of tests/benchmarks/accuracy.py on 2 cores
(1.79 and 1.70), among which the first would be 2.0 to 2.3: it stands for machines that nobody has measured."""
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
    prices: Prices = field(repr=False)
    threads: int = 1
    time_factor: float = PUBLISHED_FACTOR
    """A measurement lies within this many times less and more, nine times in ten."""
    link_bytes_per_second: float | None = None
    """Host to device; ``None`` where the step runs on the host."""

    measured: ThreadRates | None = field(default=None, repr=False, compare=False)
    """Where the machine is calibrated."""

    def seconds(self, operations: Iterable[Operation]) -> float:
        """All of them, one after the other."""
        return self.prices.seconds(operations)

    def training_seconds(self, operations: Sequence[Operation], kind: str, fused: bool, free: float = 0.0) -> float:
        """The same of a whole training step of an architecture, corrected by what such steps took on this machine.

        Dense products take what they take alone; what waits for memory finds other things in the caches than it does alone.
        ``free`` are the bytes that the step has free at any moment, and will make again.
        """
        if self.measured is None:
            return self.prices.seconds(operations)
        rest = self.prices.seconds([one for one in operations if one.kind not in DENSE])
        dense = self.prices.seconds([one for one in operations if one.kind in DENSE])
        seconds = dense + rest * self.measured.step_factor(kind, fused, rest)
        return seconds * slowdown(seconds, mapped_bytes(operations), free, self.measured.reclaimed_seconds)


def rates(facts: Facts, spec: JobSpec) -> Rates:
    """Rates of the processor that ``spec`` names; threads below the core count slow a CPU in proportion."""
    hardware = facts.hardware
    if spec.options[Slot.HARDWARE] == "cpu":
        threads = spec.settings.get("threads", hardware.cores)
        return host_rates(hardware, threads if isinstance(threads, int) else hardware.cores)
    gpu = hardware.gpus[0] if hardware.gpus else None
    bandwidth = (gpu and gpu.memory_bandwidth_bytes_per_second) or UNKNOWN_GPU_BANDWIDTH
    flops = (gpu and gpu.float32_flops_per_second) or UNKNOWN_GPU_FLOPS
    bandwidth, flops = bandwidth * BANDWIDTH_SHARE, flops * GEMM_SHARE
    return Rates(
        place=Place.DEVICE,
        bytes_per_second=bandwidth,
        flops_per_second=flops,
        step_seconds=GPU_STEP_SECONDS,
        prices=published_prices(bandwidth, flops, on_host=False),
        link_bytes_per_second=(gpu and gpu.host_link_bytes_per_second) or UNKNOWN_LINK,
    )


def host_rates(hardware: HardwareFacts, threads: int = 0) -> Rates:
    """Of so many threads, all cores by default: measured where the machine is calibrated, else in proportion."""
    threads = threads or hardware.cores
    share = min(1.0, threads / hardware.cores)
    bandwidth = hardware.memory_bandwidth_bytes_per_second * share
    flops = hardware.gemm_flops_per_second * share
    prices: Prices = published_prices(bandwidth, flops, on_host=True, threads=threads)
    step, factor, measured = CPU_STEP_SECONDS, PUBLISHED_FACTOR, None
    if hardware.calibration is not None and hardware.calibration.rates:
        measured = hardware.calibration.at(threads)
        prices, step, factor = calibrated_prices(measured), measured.step_seconds, CALIBRATED_FACTOR
    return Rates(Place.HOST, bandwidth, flops, step, prices, threads, factor, measured=measured)
