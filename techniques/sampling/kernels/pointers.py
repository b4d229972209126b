"""Pointers of compressed rows, and arrays that grow as rows are found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """A longer array that begins like ``array``; the rest is left unset (``ndarray.resize`` would write zeros)."""
    longer = np.empty(size, array.dtype)
    longer[: len(array)] = array
    return longer


@kernel
def degree_range(colptr: NDArray[np.int64]) -> tuple[int, int]:
    """The smallest degree (negative where pointers fall) and the largest."""
    smallest, largest = 0, 0
    for v in range(len(colptr) - 1):
        degree = int(colptr[v + 1] - colptr[v])
        smallest, largest = min(smallest, degree), max(largest, degree)
    return smallest, largest


@kernel
def expand_ptr(ptr: NDArray[np.int64], target: IntArray) -> None:
    """Write the row of each entry: its target's local id."""
    for t in range(len(ptr) - 1):
        for edge in range(ptr[t], ptr[t + 1]):
            target[edge] = t
