"""A set of node ids in a table with empty slots (open addressing), as large as the set and not as the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

EMPTY = -1
FIBONACCI = np.uint64(0x9E3779B1)  # 2**32 over the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4)


@kernel
def slot_of(keys: IntArray, v: np.uint64) -> np.uint64:
    """Where the search for ``v`` begins in a table of at most ``2**32`` slots, a power of two."""
    return ((v * FIBONACCI & np.uint64(0xFFFFFFFF)) * np.uint64(len(keys))) >> np.uint64(32)


@kernel
def find(keys: IntArray, v: np.uint64) -> np.uint64:
    """The slot that holds ``v``, or the empty one where it belongs; there must be an empty one."""
    slot = slot_of(keys, v)
    while keys[slot] != EMPTY and keys[slot] != np.int64(v):
        slot = (slot + np.uint64(1)) & np.uint64(len(keys) - 1)
    return slot


def distinct(ids: IntArray) -> NDArray[np.int64]:
    """The distinct members of ``ids`` (int32 or int64, from 0 to 2**31 - 1), int64, in order of first appearance."""
    keys = np.full(1 << (2 * len(ids)).bit_length(), EMPTY, np.int32)
    node = np.empty(len(ids), np.int64)
    return node[: _distinct(read_only(ids), keys, node)].copy()


@kernel
def _distinct(ids: IntArray, keys: NDArray[np.int32], node: NDArray[np.int64]) -> int:
    size = 0
    for i in range(len(ids)):
        slot = find(keys, np.uint64(ids[i]))
        node[size] = ids[i]
        size += int(keys[slot] == EMPTY)
        keys[slot] = ids[i]
    return size
