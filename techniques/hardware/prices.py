"""Operations to seconds: by published rates of a processor, or by what a calibration has measured on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from techniques.facts import FLOAT_BYTES
from techniques.hardware.calibration import ThreadRates
from techniques.hardware.operations import DENSE, Kind, Operation

OPERATOR_SECONDS = 4e-6
"""Dispatch of one operator on a host (measured 3 to 8 microseconds)."""
SHARED_VALUES = 32_768
"""From so many values on, torch shares an operator among its threads (``at::internal::GRAIN_SIZE``)."""
CACHE_BYTES = 4 * 2**20
"""Rows of so many bytes are read over and over from the cores' caches."""
CACHED_STREAM, CACHED_ROWS = 0.75, 3.3
"""Multiply-adds of a dense product that take as long as a value in the caches: streamed, and of a row that is summed or
gathered. Caches are the cores' own: their rate grows with the cores, not with the memory's (measured on one core: 0.03 and
0.08 to 0.2 ns a value, 0.02 to 0.03 a multiply-add)."""
TOUCH = 3.0
"""Time to get and clear new memory over that to stream as much of it, for large tensors only. Measured alone 1 to 3 in a virtual
machine, and up to 25 where its hypervisor has taken the memory (``reclaim.py``). Epochs of 242 candidates are forecast within a
factor of 1.30 in the median with 3, 1.53 with 0.8, 1.26 with 4 (2 cores; ``tests/benchmarks/accuracy.py``)."""
HEAP_BLOCK_BYTES = 6 * 2**20
"""Smaller tensors lie in memory that was used before."""
PASSES = {
    Kind.SPMM: 2.5,
    Kind.GATHER: 2.5,
    Kind.GATHER_SORTED: 1.0,
    Kind.SCATTER: 1.0,
    Kind.INDEX_ADD: 3.0,
    Kind.MAXIMUM: 4.0,
    Kind.SPARSE_INPUT: 0.4,
    Kind.SPARSE_WEIGHT: 0.4,
    Kind.ADAM: 6.0,
}
"""Traffic in units of what is summed or made, 4 bytes an entry and column: rows in any order cost whole cache lines and
their latency (measured with random tables of 2 to 256 MB)."""
NARROW_COLUMNS = 16
"""Products with so many columns take twice as long per operation (measured with 8, 48 and 256)."""
SERIAL = (Kind.SCATTER, Kind.INDEX_ADD, Kind.MAXIMUM)
"""Sums by target take no less with two threads than with one where caches hold the rows: entries are sorted first (measured
0.7 to 1.0 of one thread's rate)."""
LINE_COLUMNS = 16
"""Less than a cache line of 64 bytes is never read."""
WIDE_COLUMNS = 128
"""Rows that are wider come as a stream but for their beginning (measured with 128, 512, 1,024 and 2,048 columns: 0.6, 0.26, 0.22
and 0.21 ns an entry and column of a sparse product on one core)."""
DEVICE_PASSES = 1.3
"""The same on a GPU, whose share of the bandwidth already is that of gathers; not measured."""
ENTRY_SECONDS = {Kind.SCATTER: 8e-9, Kind.INDEX_ADD: 8e-9, Kind.MAXIMUM: 25e-9, Kind.SPARSE_WEIGHT: 70e-9}
"""Per entry, whatever its columns: sorting, transposing (measured on one core)."""
RANDOM_SECONDS, EXPONENTIAL_SECONDS = 11.7e-9, 1.0e-9
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
    threads: int = 1
    known: dict[Operation, float] = field(default_factory=dict, repr=False, compare=False)
    """Prices asked before: of the 8,000 operations of a plan some 750 differ."""

    def seconds(self, operations: Iterable[Operation]) -> float:
        total, known = 0.0, self.known
        for one in operations:
            if (price := known.get(one)) is None:
                if len(known) >= MOST_KNOWN:
                    known.clear()
                price = known[one] = self._seconds(one)
            total += price
        return total

    def _seconds(self, one: Operation) -> float:
        if one.kind is Kind.LAUNCH:
            return one.inner * OPERATOR_SECONDS if self.on_host else 0.0
        values = one.rows * one.columns
        made, stream = FLOAT_BYTES * values, FLOAT_BYTES * values / self.bytes_per_second
        fresh = 0.0
        if self.on_host:
            fresh = OPERATOR_SECONDS + (TOUCH * stream if one.fresh and made > HEAP_BLOCK_BYTES else 0.0)
        if one.kind in DENSE:
            narrow = 1.0 + NARROW_COLUMNS / one.columns if self.on_host else 1.0
            return fresh + max(narrow * 2.0 * values * one.inner / self.flops_per_second, stream)
        if self.on_host and one.kind in (Kind.RANDOM, Kind.EXPONENTIAL):
            return fresh + values * (RANDOM_SECONDS if one.kind is Kind.RANDOM else EXPONENTIAL_SECONDS)
        if one.kind is Kind.STREAM:
            if self.on_host and made < CACHE_BYTES:
                return fresh + one.inner * values * CACHED_STREAM * 2.0 / self.flops_per_second
            return fresh + one.inner * stream * (0.5 if self.on_host else 1.0)
        return fresh + self._row_seconds(one)

    def _row_seconds(self, one: Operation) -> float:
        """Rows of a table that caches hold in part: an index and a value are read beside each."""
        read = FLOAT_BYTES * (one.table or one.rows) * one.columns
        cached = min(1.0, CACHE_BYTES / max(read, 1.0))
        rows = one.rows if one.kind in (Kind.GATHER, Kind.GATHER_SORTED, Kind.ADAM) else max(one.inner, one.rows)
        beside, line = (2, LINE_COLUMNS) if one.table else (0, 1)
        passes = _passes(one) if self.on_host else DEVICE_PASSES
        far = passes * (max(one.columns, line) + beside)
        near = CACHED_ROWS * 2.0 / self.flops_per_second * (one.columns + beside)
        near *= self.threads if one.kind in SERIAL else 1
        entries = ENTRY_SECONDS.get(one.kind, 0.0) * one.inner if self.on_host else 0.0
        return entries + rows * (FLOAT_BYTES * far / self.bytes_per_second * (1.0 - cached) + near * cached)


@lru_cache(maxsize=8)
def published_prices(
    bytes_per_second: float, flops_per_second: float, *, on_host: bool, threads: int = 1
) -> PublishedPrices:
    """The prices of these rates: a plan asks for them once per candidate."""
    return PublishedPrices(bytes_per_second, flops_per_second, on_host, threads)


def _passes(one: Operation) -> float:
    """Traffic of rows in any order, which falls to that of a stream where they are wide."""
    passes = PASSES.get(one.kind, 2.0)
    return passes if passes <= 1.0 or not one.table else 1.0 + (passes - 1.0) * min(1.0, WIDE_COLUMNS / one.columns)


def is_shared(one: Operation) -> bool:
    """Whether several threads do it: random numbers are drawn by one."""
    return one.kind is not Kind.RANDOM and one.rows * one.columns >= SHARED_VALUES


@dataclass(frozen=True)
class CalibratedPrices:
    """What this machine took for operations of like shapes."""

    measured: ThreadRates
    known: dict[Operation, float] = field(default_factory=dict, repr=False)
    """Prices asked before: candidates of a plan have many operations in common."""

    def seconds(self, operations: Iterable[Operation]) -> float:
        total, launches, shared = 0.0, 0.0, 0
        for one in operations:
            if one.kind is Kind.LAUNCH:
                launches += one.inner
            elif one.rows > 0 and one.columns > 0:
                launches += 1.0
                shared += is_shared(one)
                if (price := self.known.get(one)) is None:
                    if len(self.known) >= MOST_KNOWN:
                        self.known.clear()
                    price = self.known[one] = self._seconds(one)
                total += price
        return total + launches * self.measured.operator_seconds + shared * self.measured.sharing_seconds

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
                work = one.inner * one.columns * grid.at(one.inner, one.columns)
            case Kind.ADAM:
                return values * grid.at(values)
            case _:
                work = values * one.inner * grid.at(made)
        return work + touched


_CALIBRATED: dict[int, CalibratedPrices] = {}
MOST_REMEMBERED, MOST_KNOWN = 16, 50_000


def calibrated_prices(measured: ThreadRates) -> CalibratedPrices:
    """The prices of these rates, told apart by identity: a plan asks for them once per candidate."""
    found = _CALIBRATED.get(id(measured))
    if found is None:
        if len(_CALIBRATED) >= MOST_REMEMBERED:
            _CALIBRATED.clear()
        found = _CALIBRATED[id(measured)] = CalibratedPrices(measured)
    return found
