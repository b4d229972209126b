"""A compressed matrix written out in full, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only


def fill_dense(
    ptr: IntArray, index: IntArray, num_columns: int, weight: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The matrix [T, ``num_columns``] of rows that hold ``index[ptr[i]:ptr[i + 1]]``; needs no other memory.

    An entry counts 1, or its ``weight`` [m]; entries of one place add up, so parallel edges count as often as stored.
    """
    out = np.zeros((len(ptr) - 1, num_columns), dtype=np.float32)
    if weight is None:
        _count(read_only(ptr), read_only(index), out)
    else:
        _add(read_only(ptr), read_only(index), read_only(weight), out)
    return out


@kernel
def _count(ptr: IntArray, index: IntArray, out: NDArray[np.float32]) -> None:
    for i in range(len(ptr) - 1):
        for at in range(ptr[i], ptr[i + 1]):
            out[i, np.uint64(index[at])] += np.float32(1.0)


@kernel
def _add(ptr: IntArray, index: IntArray, weight: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for i in range(len(ptr) - 1):
        for at in range(ptr[i], ptr[i + 1]):
            out[i, np.uint64(index[at])] += weight[at]
