"""Operations to seconds: by published rates of a processor, or by what a calibration has measured on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from techniques.facts import FLOAT_BYTES
from techniques.hardware.calibration import ThreadRates
from techniques.hardware.operations import Kind, Operation

OPERATOR_SECONDS = 6e-6
"""Dispatch of one operator on a host (measured 4 to 8 microseconds)."""
CACHE_BYTES = 4 * 2**20
"""Rows of so many bytes are read over and over from the cores' caches."""
CACHED = 0.15
"""Time for a value in the caches over that for one in memory (measured 0.1 to 0.3)."""
TOUCH = 4.0
"""Time to touch new memory over that to stream as much of it (page faults; measured 3 to 5), for large tensors only."""
HEAP_BLOCK_BYTES = 6 * 2**20
"""Smaller tensors lie in memory that was used before."""
PASSES = {
    Kind.SPMM: 2.5,
    Kind.GATHER: 2.5,
    Kind.GATHER_SORTED: 1.0,
    Kind.SCATTER: 1.0,
    Kind.INDEX_ADD: 3.0,
    Kind.MAXIMUM: 4.0,
    Kind.SPARSE_INPUT: 1.0,
    Kind.SPARSE_WEIGHT: 2.0,
    Kind.ADAM: 8.0,
}
"""Traffic in units of what is summed or made, 4 bytes an entry and column: rows in any order cost whole cache lines and
their latency (measured with random tables of 2 to 256 MB)."""
LINE_COLUMNS = 8
"""Less than a sector of 32 bytes is never read."""
DEVICE_PASSES = 1.3
"""The same on a GPU, whose share of the bandwidth already is that of gathers; not measured."""
RANDOM_SECONDS, EXPONENTIAL_SECONDS = 11e-9, 1.5e-9
"""Per value on one core; random numbers are drawn by one thread alone (measured)."""


class Prices(Protocol):
    """Turns operations into seconds."""

    def seconds(self, operations: Iterable[Operation]) -> float:
        """All of them, one after the other."""


@dataclass(frozen=True)
class PublishedPrices:
    """Bandwidth and peak rates: every operation is bound by one or the other."""

    bytes_per_second: float
    flops_per_second: float
    on_host: bool

    def seconds(self, operations: Iterable[Operation]) -> float:
        total = 0.0
        for one in operations:
            total += self._seconds(one)
        return total

    def _seconds(self, one: Operation) -> float:
        if one.kind is Kind.LAUNCH:
            return one.inner * OPERATOR_SECONDS if self.on_host else 0.0
        work = FLOAT_BYTES * one.rows * one.columns / self.bytes_per_second
        fresh, made = 0.0, FLOAT_BYTES * one.rows * one.columns
        if self.on_host:
            fresh = OPERATOR_SECONDS + (TOUCH * work if one.fresh and made > HEAP_BLOCK_BYTES else 0.0)
        if one.kind in (Kind.GEMM, Kind.GEMM_WEIGHT):
            return fresh + max(2.0 * one.rows * one.inner * one.columns / self.flops_per_second, work)
        if self.on_host and one.kind is Kind.RANDOM:
            return fresh + RANDOM_SECONDS * one.rows * one.columns
        if self.on_host and one.kind is Kind.EXPONENTIAL:
            return fresh + EXPONENTIAL_SECONDS * one.rows * one.columns
        if one.kind is Kind.STREAM:
            near, far = (CACHED, 0.5) if self.on_host else (1.0, 1.0)
            return fresh + one.inner * work * (near if made < CACHE_BYTES else far)
        read = FLOAT_BYTES * one.table * one.columns if one.table else made
        cached = min(1.0, CACHE_BYTES / max(read, 1.0))
        values = one.rows if one.kind in (Kind.GATHER, Kind.GATHER_SORTED, Kind.ADAM) else max(one.inner, one.rows)
        passes = PASSES.get(one.kind, 2.0) if self.on_host else DEVICE_PASSES
        passes = passes * (1.0 - cached) + CACHED * cached
        columns = max(one.columns, LINE_COLUMNS) + 2 if one.table else one.columns  # an index and a value beside
        return fresh + passes * FLOAT_BYTES * values * columns / self.bytes_per_second


@dataclass(frozen=True)
class CalibratedPrices:
    """What this machine took for operations of like shapes."""

    measured: ThreadRates

    def seconds(self, operations: Iterable[Operation]) -> float:
        total, launches = 0.0, 0.0
        for one in operations:
            if one.kind is Kind.LAUNCH:
                launches += one.inner
            elif one.rows > 0 and one.columns > 0:
                launches += 1.0
                total += self._seconds(one)
        return total + launches * self.measured.operator_seconds

    def _seconds(self, one: Operation) -> float:
        grid, made = self.measured.grids[one.kind], FLOAT_BYTES * one.rows * one.columns
        touched = made * self.measured.touch.at(made) if one.fresh else 0.0
        values = one.rows * one.columns
        match one.kind:
            case Kind.GEMM | Kind.GEMM_WEIGHT:
                work = values * one.inner * grid.at(one.rows, one.inner, one.columns)
                touched = touched if one.kind is Kind.GEMM else 0.0  # a weight's gradient is small
            case Kind.SPMM:
                degree = one.inner / one.rows
                work = one.inner * one.columns * grid.at(FLOAT_BYTES * one.table * one.columns, one.columns, degree)
            case Kind.GATHER | Kind.GATHER_SORTED:
                work = values * grid.at(FLOAT_BYTES * one.table * one.columns, one.columns)
            case Kind.SCATTER | Kind.INDEX_ADD | Kind.MAXIMUM:
                work = one.inner * one.columns * grid.at(FLOAT_BYTES * one.table * one.columns, one.columns)
            case Kind.SPARSE_INPUT | Kind.SPARSE_WEIGHT:
                work = one.inner * one.columns * grid.at(one.columns)
            case Kind.ADAM:
                return values * grid.at(values)
            case _:
                work = values * one.inner * grid.at(made)
        return work + touched
