"""Uniform random walks, many side by side so that their loads overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, prefetch, read_only
from techniques.sampling.kernels.random_bits import WEYL, mix

BLOCK_WALKS = 256  # walks in flight at once: their lines of ptr and neighbor stay in the first-level cache


def random_walks(ptr: IntArray, neighbor: IntArray, roots: IntArray, length: int, seed: int) -> NDArray[np.int64]:
    """Walk from each root, each step to a uniformly chosen neighbour; parallel edges count one by one.

    A node without neighbours stays where it is. Walk ``i`` depends on its root, ``seed``, ``length`` and ``i`` only.

    Args:
        ptr: ``[n + 1]``, int32 or int64.
        neighbor: ``[E]``, the neighbours of ``v`` at ``ptr[v]:ptr[v + 1]``; int32 or int64, trusted to lie in
            ``0..n-1``. Both may be read-only or memory-mapped.
        roots: global ids ``[w]``, repeated or not.
        length: steps of each walk.
        seed: equal seeds give equal walks, on whatever thread.

    Returns:
        int64 ``[w, length + 1]``, the nodes of each walk, its root first.

    Raises:
        ValueError: a negative length, a root outside the graph, or a pointer that does not end at ``neighbor``.
    """
    if length < 0:
        raise ValueError(f"length must be at least 0, got {length}")
    if len(ptr) == 0 or ptr[-1] != len(neighbor):
        raise ValueError(f"ptr must end at the {len(neighbor)} entries of neighbor")
    if len(roots) and not (roots.min() >= 0 and roots.max() < len(ptr) - 1):
        raise ValueError(f"roots must lie in 0..{len(ptr) - 2}, got {roots.min()}..{roots.max()}")
    walks = np.empty((len(roots), length + 1), np.int64)
    walks[:, 0] = roots
    contiguous = [read_only(np.ascontiguousarray(read_only(array))) for array in (ptr, neighbor)]
    _walk(contiguous[0], contiguous[1], walks, np.uint64(seed % 2**64))
    return walks


@kernel
def _walk(ptr: IntArray, neighbor: IntArray, walks: NDArray[np.int64], seed: np.uint64) -> None:
    length = walks.shape[1] - 1
    pick = np.empty(BLOCK_WALKS, np.int64)
    for first in range(0, len(walks), BLOCK_WALKS):
        stop = min(first + BLOCK_WALKS, len(walks))
        for i in range(first, stop):
            prefetch(ptr, walks[i, 0])
        for step in range(length):
            _choose(ptr, neighbor, walks, first, stop, step, seed, pick)
            _move(ptr, neighbor, walks, first, stop, step, pick)


@kernel
def _choose(
    ptr: IntArray, neighbor: IntArray, walks: NDArray[np.int64], first: int, stop: int, step: int, seed: np.uint64,
    pick: NDArray[np.int64],
) -> None:  # fmt: skip
    """Draw each walk's next edge and ask for its line of ``neighbor``; -1 where there is none."""
    length = walks.shape[1] - 1
    for i in range(np.uint64(first), np.uint64(stop)):
        v = np.uint64(walks[i, np.uint64(step)])
        begin, degree = np.uint64(ptr[v]), np.uint64(ptr[v + np.uint64(1)] - ptr[v])
        draw = np.uint64(i) * np.uint64(length) + np.uint64(step + 1)
        edge = np.int64(begin + ((mix(seed + draw * WEYL) * degree) >> np.uint64(32)))
        pick[i - np.uint64(first)] = edge if degree > np.uint64(0) else -1
        prefetch(neighbor, edge)


@kernel
def _move(
    ptr: IntArray, neighbor: IntArray, walks: NDArray[np.int64], first: int, stop: int, step: int,
    pick: NDArray[np.int64],
) -> None:  # fmt: skip
    for i in range(np.uint64(first), np.uint64(stop)):
        edge = pick[i - np.uint64(first)]
        v = np.int64(neighbor[np.uint64(edge)]) if edge >= 0 else walks[i, np.uint64(step)]
        walks[i, np.uint64(step + 1)] = v
        prefetch(ptr, v)
