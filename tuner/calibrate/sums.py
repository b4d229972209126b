"""Sums over neighbours, fused and row by row: tables that caches hold and tables that they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle

import torch
from torch import Tensor

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from tuner.calibrate.timing import seconds_of

TABLE_BYTES = (2**18, 2**22, 2**24, 2**25, 2**26)
"""What a row takes changes most where the last of the caches ends, at 8 to 32 MB."""
COLUMNS = (4, 32, 128, 512)
FUSED_COLUMNS = (*COLUMNS, 2048)
"""Fused sums read the rows of wide layers as streams: the wider, the less an entry and column takes."""
DEGREES = (3, 30)
LEAST_ROWS = 8
ROWS_BYTES = 2**26
"""Rows per entry take turns in so much memory: a step has last touched them some operators ago, and no cache holds them all."""
VALUES, MOST_ROWS = 1_000_000, 400_000
"""Entries times columns of one measurement, at least; and as many entries as the table has rows, up to a number whose
cache lines no cache holds."""
MOST_TURNS = 256


def measure_sums() -> dict[Kind, Grid]:
    """Seconds per entry and column; axes bytes of the table, columns, and entries per row for fused sums."""
    points = [(size, columns) for size in TABLE_BYTES for columns in COLUMNS]
    kinds: dict[Kind, Callable[[int, int], float]] = {
        Kind.GATHER: _gather,
        Kind.GATHER_SORTED: _gather_sorted,
        Kind.SCATTER: _scatter,
        Kind.INDEX_ADD: _index_add,
        Kind.MAXIMUM: _maximum,
    }
    found = {
        kind: Grid(axes=(TABLE_BYTES, COLUMNS), values=tuple(one(*point) for point in points))
        for kind, one in kinds.items()
    }
    wider = [(size, columns) for size in TABLE_BYTES for columns in FUSED_COLUMNS]
    fused = tuple(_fused(*point, degree) for point in wider for degree in DEGREES)
    return found | {Kind.SPMM: Grid(axes=(TABLE_BYTES, FUSED_COLUMNS, DEGREES), values=fused)}


@cache
def _memory(values: int, what: str) -> Tensor:
    """In which every table lies, or every row per entry: new memory takes longer to fill than a table to read."""
    return torch.ones(values)


def _turns(rows: int, columns: int) -> Iterator[Tensor]:
    """Rows per entry, or of sums, in other memory every time until all of it has been touched."""
    values = rows * columns
    memory = _memory(max(ROWS_BYTES // 4, values), "rows")
    count = max(min(memory.numel() // values, MOST_TURNS), 1)
    return cycle([memory[turn * values : (turn + 1) * values].view(rows, columns) for turn in range(count)])


def _table(size: int, columns: int) -> tuple[Tensor, int]:
    """A table, and how many entries to read."""
    rows = max(size // (4 * columns), LEAST_ROWS)
    values = max(max(TABLE_BYTES) // 4, LEAST_ROWS * max(FUSED_COLUMNS))
    table = _memory(values, "table")[: rows * columns].view(rows, columns)
    return table, max(VALUES // columns, min(rows, MOST_ROWS))


def _ascending(rows: int, entries: int, columns: int) -> Tensor:
    """Places in order, for every column."""
    return (torch.arange(entries) * rows // entries).unsqueeze(1).expand(-1, columns)


def _per_value(work: Callable[[], object], entries: int, columns: int) -> float:
    return seconds_of(work) / (entries * columns)


def _gather(size: int, columns: int) -> float:
    table, entries = _table(size, columns)
    index, made = torch.randint(table.size(0), (entries,)), _turns(entries, columns)
    return _per_value(lambda: torch.index_select(table, 0, index, out=next(made)), entries, columns)


def _gather_sorted(size: int, columns: int) -> float:
    table, entries = _table(size, columns)
    index = _ascending(table.size(0), entries, columns)
    made = _turns(entries, columns)
    return _per_value(lambda: torch.gather(table, 0, index, out=next(made)), entries, columns)


def _scatter(size: int, columns: int) -> float:
    table, entries = _table(size, columns)
    index = _ascending(table.size(0), entries, columns)
    rows = _turns(entries, columns)
    return _per_value(lambda: table.scatter_add_(0, index, next(rows)), entries, columns)


def _index_add(size: int, columns: int) -> float:
    table, entries = _table(size, columns)
    index, rows = torch.randint(table.size(0), (entries,)), _turns(entries, columns)
    return _per_value(lambda: table.index_add_(0, index, next(rows)), entries, columns)


def _maximum(size: int, columns: int) -> float:
    table, entries = _table(size, columns)
    index = _ascending(table.size(0), entries, columns)
    rows = _turns(entries, columns)
    work = lambda: table.scatter_reduce_(0, index, next(rows), "amax", include_self=False)  # noqa: E731
    return _per_value(work, entries, columns)


def _fused(size: int, columns: int, degree: int) -> float:
    """int32 indices, as blocks have them."""
    table, entries = _table(size, columns)
    rows = max(entries // degree, 1)
    pointer = torch.arange(0, rows * degree + 1, degree, dtype=torch.int32)
    index, values = torch.randint(table.size(0), (rows * degree,), dtype=torch.int32), torch.ones(rows * degree)
    matrix = torch.sparse_csr_tensor(pointer, index, values, size=(rows, table.size(0)), check_invariants=False)
    turns = _turns(rows, columns)

    def work() -> None:
        out = next(turns)
        torch.addmm(out, matrix, table, beta=0, out=out)

    return _per_value(work, rows * degree, columns)
