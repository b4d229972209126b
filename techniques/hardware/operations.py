"""What a step asks of a processor, operation by operation: shapes only, so that any machine can be asked its price.

Layers list their operations (``techniques/architecture/operations/``), ``techniques.hardware.prices`` turns a list into
seconds, and the FLOPs of dense products are summed from the same list.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kinds of operations that are priced apart."""

    GEMM = "gemm"
    """[rows, inner] times [inner, columns]; rows are many, as nodes are."""
    GEMM_WEIGHT = "gemm_weight"
    """The weight's gradient: [inner, rows] times [rows, columns]."""
    SPMM = "spmm"
    """A sparse matrix of ``inner`` entries times a table: sums of rows, no row per entry in memory."""
    GATHER = "gather"
    """One row of a table per row made, in any order."""
    GATHER_SORTED = "gather_sorted"
    """The same in ascending order: the gradient of a sum over neighbours sorted by target."""
    SCATTER = "scatter"
    """``inner`` rows summed to ``rows``, sorted by where they go."""
    INDEX_ADD = "index_add"
    """``inner`` rows summed to ``rows``, in any order: the gradient of a gather."""
    MAXIMUM = "maximum"
    """The largest of ``inner`` rows for each of ``rows``, sorted by where they go."""
    STREAM = "stream"
    """Element by element; ``inner`` tensors are read or written."""
    EXPONENTIAL = "exponential"
    """Element by element, transcendental."""
    RANDOM = "random"
    """Random numbers, as dropout draws them."""
    SPARSE_INPUT = "sparse_input"
    """Sparse CSR features of ``inner`` non-zeros times a weight."""
    SPARSE_WEIGHT = "sparse_weight"
    """The gradient of that weight: the features are transposed in every step."""
    ADAM = "adam"
    """The optimiser's update of ``rows`` times ``columns`` parameters."""
    LAUNCH = "launch"
    """``inner`` operators that do next to nothing: views, index arithmetic."""


DENSE = (Kind.GEMM, Kind.GEMM_WEIGHT)
"""Bound by arithmetic; everything else waits for memory."""


class Operation(NamedTuple):
    """One operation. ``rows`` and ``columns`` are those of what it makes; the kind says what ``inner`` counts; ``table`` are
    the rows of what is read, or added to, in any order; ``fresh`` says that the result is a new tensor."""

    kind: Kind
    rows: float
    columns: float
    inner: float = 1.0
    table: float = 0.0
    fresh: bool = True


def product(rows: float, inner: float, columns: float) -> Operation:
    """Rows times a weight, or a gradient times a weight."""
    return Operation(Kind.GEMM, rows, columns, inner)


def weight_gradient(rows: float, inner: float, columns: float) -> Operation:
    """What ``rows`` of gradient and input say about a weight [inner, columns]."""
    return Operation(Kind.GEMM_WEIGHT, rows, columns, inner)


def fused_sum(rows: float, columns: float, entries: float, table: float) -> Operation:
    """Sums of a table's rows by a sparse product."""
    return Operation(Kind.SPMM, rows, columns, entries, table)


def gather(entries: float, columns: float, table: float) -> Operation:
    """A row per entry."""
    return Operation(Kind.GATHER, entries, columns, 1.0, table)


def gather_sorted(entries: float, columns: float, table: float) -> Operation:
    """A row per entry, entries in the order of the table."""
    return Operation(Kind.GATHER_SORTED, entries, columns, 1.0, table)


def scatter(rows: float, columns: float, entries: float) -> Operation:
    """Sums of rows per entry."""
    return Operation(Kind.SCATTER, rows, columns, entries, rows)


def index_add(rows: float, columns: float, entries: float) -> Operation:
    """The same in any order."""
    return Operation(Kind.INDEX_ADD, rows, columns, entries, rows)


def stream(rows: float, columns: float, tensors: float = 2, *, fresh: bool = False) -> Operation:
    """Something simple done to every value."""
    return Operation(Kind.STREAM, rows, columns, tensors, 0.0, fresh)


def launches(count: float) -> Operation:
    """Operators whose work is their own overhead."""
    return Operation(Kind.LAUNCH, 0.0, 0.0, count)


def gemm_flops(operations: Iterable[Operation]) -> float:
    """2 per multiply-add of dense products."""
    return 2.0 * sum(one.rows * one.inner * one.columns for one in operations if one.kind in DENSE)
