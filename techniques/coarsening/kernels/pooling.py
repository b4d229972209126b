"""Features of super-nodes from sparse rows: the mean or the maximum of their members, column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

Csr = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def pool_sparse_rows(
    indptr: IntArray,
    indices: IntArray,
    data: NDArray[np.float32],
    width: int,
    member_ptr: NDArray[np.int64],
    member: NDArray[np.int32],
    *,
    maximum: bool,
) -> Csr:
    """Pool CSR rows by super-node; entries that are not stored are zeros.

    Args:
        indptr: ``[n + 1]``; indices, data: ``[nnz]``; no column twice in a row.
        width: number of columns.
        member_ptr: ``[c + 1]``; member: ``[n]``, as :func:`~techniques.coarsening.kernels.contraction.members_of` made them.
        maximum: the maximum instead of the mean.

    Returns:
        ``indptr`` int64 ``[c + 1]``, ``indices`` int32 and ``data`` float32 ``[nnz']``; columns ascend within each row.
    """
    rows = (read_only(member_ptr), read_only(member), read_only(indptr), read_only(indices))
    out_ptr = np.zeros(len(member_ptr), np.int64)
    _count_columns(*rows, width, out_ptr)
    out_indices = np.empty(out_ptr[-1], np.int32)
    out_data = np.empty(out_ptr[-1], np.float32)
    _pool(*rows, read_only(data), width, maximum, out_ptr, out_indices, out_data)
    return out_ptr, out_indices, out_data


def pooled_nonzeros(
    indptr: IntArray, indices: IntArray, width: int, member_ptr: NDArray[np.int64], member: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Entries that :func:`pool_sparse_rows` would store for every super-node, ``[c]``."""
    out_ptr = np.zeros(len(member_ptr), np.int64)
    rows = (read_only(member_ptr), read_only(member), read_only(indptr), read_only(indices))
    _count_columns(*rows, width, out_ptr)
    return np.diff(out_ptr)


@kernel
def _count_columns(
    member_ptr: IntArray, member: IntArray, indptr: IntArray, indices: IntArray, width: int, out_ptr: NDArray[np.int64]
) -> None:
    seen = np.full(width, -1, np.int64)
    for c in range(len(out_ptr) - 1):
        found = 0
        for i in range(member_ptr[c], member_ptr[c + 1]):
            v = member[i]
            for at in range(indptr[v], indptr[v + 1]):
                if seen[indices[at]] != c:
                    seen[indices[at]] = c
                    found += 1
        out_ptr[c + 1] = out_ptr[c] + found


@kernel
def _pool(
    member_ptr: IntArray,
    member: IntArray,
    indptr: IntArray,
    indices: IntArray,
    data: NDArray[np.float32],
    width: int,
    maximum: bool,
    out_ptr: IntArray,
    out_indices: NDArray[np.int32],
    out_data: NDArray[np.float32],
) -> None:
    value = np.zeros(width, np.float32)
    times = np.zeros(width, np.int64)
    for c in range(len(out_ptr) - 1):
        end = out_ptr[c]
        size = member_ptr[c + 1] - member_ptr[c]
        for i in range(member_ptr[c], member_ptr[c + 1]):
            v = member[i]
            for at in range(indptr[v], indptr[v + 1]):
                column = indices[at]
                if times[column] == 0:
                    out_indices[end] = column
                    end += 1
                    value[column] = data[at]
                else:
                    value[column] = max(value[column], data[at]) if maximum else value[column] + data[at]
                times[column] += 1
        out_indices[out_ptr[c] : end].sort()
        for at in range(out_ptr[c], end):
            column = out_indices[at]
            pooled = value[column]
            if maximum:
                pooled = max(pooled, np.float32(0.0)) if times[column] < size else pooled
            else:
                pooled = pooled / np.float32(size)
            out_data[at] = pooled
            times[column] = 0
