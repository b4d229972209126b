"""Refining parts on the way back from super-nodes to nodes (Karypis and Kumar, 1998, section 3.3: greedy refinement)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

PASSES = 4
IMBALANCE = 1.03
"""Largest part over the mean, as METIS allows."""


def refined_parts(ptr: IntArray, neighbor: IntArray, part: NDArray[np.int32], num_parts: int) -> NDArray[np.int32]:
    """Move every node to the part that most of its neighbours are in, where there is room; a few times over.

    Args:
        ptr: ``[n + 1]``; neighbor: ``[E]``, an undirected graph.
        part: int32 ``[n]``, the part of every node, ``0..num_parts-1``, none of them empty.

    Returns:
        int32 ``[n]``, none of the parts empty, at most as many edges between parts as before.
    """
    found = part.copy()
    size = np.bincount(part, minlength=num_parts)
    most = int(np.ceil(IMBALANCE * len(part) / num_parts))
    _refine(read_only(ptr), read_only(neighbor), found, size, most)
    return found


@kernel
def _refine(ptr: IntArray, neighbor: IntArray, part: NDArray[np.int32], size: NDArray[np.int64], most: int) -> None:
    near = np.zeros(len(size), np.int64)
    for _ in range(PASSES):
        moved = 0
        for v in range(len(part)):
            own = best = part[v]
            for at in range(ptr[v], ptr[v + 1]):
                near[part[neighbor[at]]] += 1
            for at in range(ptr[v], ptr[v + 1]):
                other = part[neighbor[at]]
                if near[other] > near[best] and size[other] < most:
                    best = other
            for at in range(ptr[v], ptr[v + 1]):
                near[part[neighbor[at]]] = 0
            if best != own and size[own] > 1:
                size[own] -= 1
                size[best] += 1
                part[v] = best
                moved += 1
        if moved == 0:
            break
