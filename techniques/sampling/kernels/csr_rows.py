"""Rows of a feature matrix, sparse or dense, in memory or memory-mapped, copied without the GIL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

Array = NDArray[Any]
HALF_TO_SINGLE = np.float32(2.0**112)  # the exponents of float32 and float16 are biased by 127 and 15


def gather_csr_rows(
    indptr: IntArray, indices: IntArray, data: Array, rows: IntArray
) -> tuple[NDArray[np.int64], IntArray, Array]:
    """Slice rows out of a CSR matrix of ``m`` rows.

    Args:
        indptr: ``[m + 1]``, int32 or int64.
        indices: ``[nnz]``, columns, int32 or int64.
        data: ``[nnz]``, values of any dtype that numba knows; kept.
        rows: ``[k]``, the rows wanted, in any order, repeated or not.

    Returns:
        ``indptr`` int64 ``[k + 1]``, ``indices`` and ``data`` of the slice.

    Raises:
        ValueError: arrays that do not fit each other, or a row outside ``0..m-1``.
    """
    if len(indices) != len(data) or len(indptr) == 0 or indptr[-1] != len(indices):
        raise ValueError(f"indptr must end at the length of indices and data, {len(indices)} and {len(data)}")
    _require_rows(rows, len(indptr) - 1)
    out_indptr = np.zeros(len(rows) + 1, np.int64)
    _count_entries(read_only(indptr), read_only(rows), out_indptr)
    out_indices = np.empty(out_indptr[-1], indices.dtype)
    out_data = np.empty(out_indptr[-1], data.dtype)
    _copy_entries(
        read_only(indptr), read_only(indices), read_only(data), read_only(rows), out_indptr, out_indices, out_data
    )
    return out_indptr, out_indices, out_data


def gather_dense_rows(x: Array, rows: IntArray, out: Array) -> Array:
    """Copy ``x[rows]`` into ``out`` and return it.

    Args:
        x: ``[m, f]``, of any dtype that numba knows, or float16, which is widened to float32 on the way.
        rows: ``[k]``, the rows wanted, in any order, repeated or not.
        out: ``[k, f]``, writable and contiguous; float32 where ``x`` is float16, else of the dtype of ``x``.

    Raises:
        ValueError: shapes or dtypes that do not fit, or a row outside ``0..m-1``.
    """
    half = x.dtype == np.float16
    wanted = np.dtype(np.float32) if half else x.dtype
    if x.ndim != 2 or out.shape != (len(rows), x.shape[1]) or out.dtype != wanted or not out.flags.c_contiguous:
        raise ValueError(
            f"out must be contiguous {wanted} [{len(rows)}, {x.shape[-1]}] for x of shape {list(x.shape)}, "
            f"got {out.dtype} {list(out.shape)}"
        )
    _require_rows(rows, len(x))
    if half:  # numba has no float16 on a CPU: the kernel reads its bits
        _widen_rows(read_only(x).view(np.uint16), read_only(rows), out)
    else:
        _copy_rows(read_only(x), read_only(rows), out)
    return out


def _require_rows(rows: IntArray, limit: int) -> None:
    if len(rows) and not (rows.min() >= 0 and rows.max() < limit):
        raise ValueError(f"rows must lie in 0..{limit - 1}, got {rows.min()}..{rows.max()}")


@kernel
def _count_entries(indptr: IntArray, rows: IntArray, out_indptr: NDArray[np.int64]) -> None:
    for i in range(len(rows)):
        out_indptr[i + 1] = out_indptr[i] + indptr[rows[i] + 1] - indptr[rows[i]]


@kernel
def _copy_entries(
    indptr: IntArray,
    indices: IntArray,
    data: Array,
    rows: IntArray,
    out_indptr: NDArray[np.int64],
    out_indices: IntArray,
    out_data: Array,
) -> None:
    for i in range(len(rows)):
        shift = indptr[rows[i]] - out_indptr[i]
        for at in range(out_indptr[i], out_indptr[i + 1]):
            out_indices[at] = indices[at + shift]
            out_data[at] = data[at + shift]


@kernel
def _copy_rows(x: Array, rows: IntArray, out: Array) -> None:
    for i in range(len(rows)):
        r = np.uint64(rows[i])  # unsigned: no test for negative indices
        for j in range(x.shape[1]):
            out[i, j] = x[r, j]


@kernel
def _widen_rows(bits: NDArray[np.uint16], rows: IntArray, out: NDArray[np.float32]) -> None:
    """Float16 bits to float32: shift exponent and mantissa in place, then re-bias by a multiplication, which is exact
    and turns subnormal numbers right as well. Infinity and NaN keep an exponent of all ones."""
    for i in range(len(rows)):
        r = np.uint64(rows[i])  # unsigned: no test for negative indices
        for j in range(bits.shape[1]):
            half = np.uint32(bits[r, j])
            magnitude = np.uint32((half & np.uint32(0x7FFF)) << np.uint32(13))
            value = magnitude.view(np.float32) * HALF_TO_SINGLE
            if half & np.uint32(0x7C00) == np.uint32(0x7C00):
                value = np.uint32(magnitude | np.uint32(0x7F800000)).view(np.float32)
            out[i, j] = -value if half & np.uint32(0x8000) else value
