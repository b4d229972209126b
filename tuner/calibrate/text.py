"""A calibration as text: what this machine does per second."""

from __future__ import annotations

from collections.abc import Callable

from planner.quantities import format_bytes
from planner.render import table
from techniques.hardware.calibration import Calibration, ThreadRates
from techniques.hardware.operations import Kind

CACHED, FAR = 2**18, 2**26


def calibration_text(found: Calibration) -> str:
    """Rates that a person can judge, by number of threads."""
    header = ["", *(f"{one.threads} thread{'s' * (one.threads > 1)}" for one in found.rates)]
    rows = [[name, *(told(one) for one in found.rates)] for name, told in ROWS]
    storage = found.storage_bytes_per_second
    link = found.host_to_device_bytes_per_second
    lines = [
        f"{found.fingerprint}, {found.date}, {', '.join(f'{name} {text}' for name, text in found.packages.items())}",
        "",
        *table(header, rows),
        "",
        *(
            f"sampling, {name}: {1e9 * one.seconds_per_edge.values[-1]:.1f} ns per edge"
            for name, one in found.samplers.items()
        ),
        *([f"memory before a graph: {format_bytes(found.baseline_host_bytes)}"] if found.baseline_host_bytes else []),
        f"storage: {storage / 1e9:.2f} GB/s" if storage else "storage: not measured",
        f"host to device: {link / 1e9:.1f} GB/s" if link else "host to device: not measured",
        found.disturbed or f"other work meanwhile: {found.others_share:.0%} of the cores",
    ]
    return "\n".join(lines)


def _gemm(one: ThreadRates, kind: Kind) -> str:
    return f"{2e-9 / one.grids[kind].at(20_000, 64, 64):.0f} GFLOP/s"


def _sums(one: ThreadRates, kind: Kind, size: int) -> str:
    point = (size, 64, 10) if kind is Kind.SPMM else (size, 64)
    return f"{4e-9 / one.grids[kind].at(*point):.1f} GB/s"


ROWS: tuple[tuple[str, Callable[[ThreadRates], str]], ...] = (
    ("dense products", lambda one: _gemm(one, Kind.GEMM)),
    ("gradients of weights", lambda one: _gemm(one, Kind.GEMM_WEIGHT)),
    ("sparse product, rows in cache", lambda one: _sums(one, Kind.SPMM, CACHED)),
    ("sparse product, rows in memory", lambda one: _sums(one, Kind.SPMM, FAR)),
    ("rows gathered, in cache", lambda one: _sums(one, Kind.GATHER, CACHED)),
    ("rows gathered, in memory", lambda one: _sums(one, Kind.GATHER, FAR)),
    ("rows scattered", lambda one: _sums(one, Kind.SCATTER, FAR)),
    ("memory, streamed", lambda one: f"{4e-9 / one.grids[Kind.STREAM].at(FAR):.1f} GB/s"),
    ("random numbers", lambda one: f"{1e-6 / one.grids[Kind.RANDOM].at(FAR):.0f} M/s"),
    ("an operator", lambda one: f"{1e6 * one.operator_seconds:.1f} us"),
    ("a step beside its operators", lambda one: f"{1e3 * one.step_seconds:.2f} ms"),
    ("slowest round over fastest, median", lambda one: f"{one.varied:.2f}"),
)
