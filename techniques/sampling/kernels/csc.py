"""Compressed sparse columns from an edge list, and transposition: counting sorts that need no edge-sized scratch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

INT32_LIMIT = 2**31


def build_csc(
    edge_index: IntArray, num_nodes: int, *, with_permutation: bool = False
) -> tuple[NDArray[np.int64], IntArray, NDArray[np.int64] | None]:
    """Sort an edge list by target node: a stable counting sort in two sequential passes over the edges.

    Besides the result it needs no scratch, and it reads ``edge_index`` twice from start to end, so a memory-mapped
    edge list larger than memory is fine.

    Args:
        edge_index: ``[2, E]``, int32 or int64; row 0 holds the sources, row 1 the targets. Parallel edges and
            self-loops are kept.
        num_nodes: number of nodes ``n``.
        with_permutation: also return where each sorted edge stood in ``edge_index``.

    Returns:
        ``colptr`` int64 ``[n + 1]``; ``row`` ``[E]``, the sources of target ``v`` at ``colptr[v]:colptr[v + 1]``, int32
        where ``n < 2**31`` and int64 otherwise; the permutation int64 ``[E]``, or None.

    Raises:
        ValueError: wrong shape or dtype, or a node id outside ``0..n-1``.
    """
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}")
    _require_ids("edge_index", edge_index)
    if num_nodes < 0:
        raise ValueError(f"num_nodes must be at least 0, got {num_nodes}")
    source, target = read_only(edge_index[0]), read_only(edge_index[1])
    ends = np.zeros(num_nodes + 2, dtype=np.int64)
    bad = _count_targets(source, target, num_nodes, ends)
    if bad >= 0:
        raise ValueError(
            f"edge_index must hold node ids from 0 to {num_nodes - 1}, "
            f"got the edge {int(source[bad])} -> {int(target[bad])} at position {bad}"
        )
    row: IntArray = np.empty(len(source), dtype=np.int32 if num_nodes < INT32_LIMIT else np.int64)
    permutation = np.empty(len(source) if with_permutation else 0, dtype=np.int64)
    _place_sources(source, target, ends, row, permutation)
    return ends[:-1], row, permutation if with_permutation else None


def transpose_csr(ptr: IntArray, idx: IntArray, num_cols: int) -> tuple[NDArray[np.int64], IntArray]:
    """Transpose a compressed sparse matrix of ``m`` rows and ``num_cols`` columns without values.

    With values: :func:`transpose_weighted_csr`.

    Args:
        ptr: ``[m + 1]``, int32 or int64.
        idx: ``[nnz]``, the columns of row ``i`` at ``ptr[i]:ptr[i + 1]``; int32 or int64.
        num_cols: number of columns ``c``; the matrix need not be square.

    Returns:
        ``tptr`` int64 ``[c + 1]`` and ``tidx`` ``[nnz]`` in the dtype of ``idx``; rows ascend within each column.

    Raises:
        ValueError: wrong dtype, a pointer that does not fit ``idx``, or a column outside ``0..c-1``.
    """
    _require_ids("ptr", ptr)
    _require_ids("idx", idx)
    if len(ptr) == 0 or ptr[0] != 0 or ptr[-1] != len(idx):
        raise ValueError(f"ptr must start at 0 and end at the {len(idx)} entries of idx")
    ends = np.zeros(num_cols + 2, dtype=np.int64)
    bad = _count_targets(read_only(idx), read_only(idx), num_cols, ends)
    if bad >= 0:
        raise ValueError(f"idx must hold columns from 0 to {num_cols - 1}, got {int(idx[bad])} at position {bad}")
    tidx = np.empty(len(idx), dtype=idx.dtype)
    _place_rows(read_only(ptr), read_only(idx), ends, tidx)
    return ends[:-1], tidx


def transpose_weighted_csr(
    ptr: IntArray, idx: IntArray, values: NDArray[np.float32], num_cols: int
) -> tuple[NDArray[np.int64], IntArray, NDArray[np.float32]]:
    """The same for a matrix with ``values`` float32 ``[nnz]``, which come along in the new order.

    Raises:
        ValueError: as :func:`transpose_csr`, or another number of values than of columns.
    """
    if values.shape != idx.shape:
        raise ValueError(f"values must be one per entry of idx, got {list(values.shape)} and {list(idx.shape)}")
    tptr, tidx = transpose_csr(ptr, idx, num_cols)
    moved = np.empty(len(idx), dtype=np.float32)
    _place_values(read_only(idx), read_only(values), tptr[:-1].copy(), moved)
    return tptr, tidx, moved


def _require_ids(name: str, array: NDArray[Any]) -> None:
    if array.dtype not in (np.int32, np.int64):
        raise ValueError(f"{name} must be int32 or int64, got {array.dtype}")


@kernel
def _count_targets(source: IntArray, target: IntArray, size: int, ends: NDArray[np.int64]) -> int:
    """Leave in ``ends[v + 1]`` where the edges of ``v`` begin; return the first edge with a bad id, or -1.

    The shift by one makes ``ends`` its own cursor: placing an edge of ``v`` advances ``ends[v + 1]``, which at the end
    is where ``v`` ends, that is, a finished pointer array.
    """
    for edge in range(len(target)):
        v, u = target[edge], source[edge]
        if v < 0 or v >= size or u < 0 or u >= size:
            return edge
        ends[v + 2] += 1
    for v in range(2, len(ends)):
        ends[v] += ends[v - 1]
    return -1


@kernel
def _place_sources(
    source: IntArray, target: IntArray, ends: NDArray[np.int64], row: IntArray, permutation: NDArray[np.int64]
) -> None:
    keep = len(permutation) > 0
    for edge in range(len(target)):
        at = ends[target[edge] + 1]
        ends[target[edge] + 1] = at + 1
        row[at] = source[edge]
        if keep:
            permutation[at] = edge


@kernel
def _place_rows(ptr: IntArray, idx: IntArray, ends: NDArray[np.int64], tidx: IntArray) -> None:
    for i in range(len(ptr) - 1):
        for edge in range(ptr[i], ptr[i + 1]):
            at = ends[idx[edge] + 1]
            ends[idx[edge] + 1] = at + 1
            tidx[at] = i


@kernel
def _place_values(
    idx: IntArray, values: NDArray[np.float32], begin: NDArray[np.int64], moved: NDArray[np.float32]
) -> None:
    for edge in range(len(idx)):
        at = begin[idx[edge]]
        begin[idx[edge]] = at + 1
        moved[at] = values[edge]
