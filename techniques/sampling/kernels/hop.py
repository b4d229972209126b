"""One hop of neighbour sampling in machine code: edges are chosen, gathered and relabelled, block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, prefetch
from techniques.sampling.kernels.random_bits import WEYL, mix

# Edges that are in flight at once: enough to cover the memory's latency, few enough that their cache lines (of row and
# of the position array) are still in the second-level cache when the next stage reads them.
BLOCK_EDGES = 512

# Indices inside the kernels are unsigned: numba then leaves out its test for negative ones, a quarter of the time.


@kernel
def enter_seeds(node: NDArray[np.int64], position: NDArray[np.int32], base: int) -> None:
    """Give the seeds local ids, the first copy of each its own."""
    for i in range(len(node)):
        if position[node[i]] < base:
            position[node[i]] = base + i


@kernel
def count_edges(
    colptr: NDArray[np.int64],
    frontier: NDArray[np.int64],
    fanout: int,
    begin: NDArray[np.int64],
    degree: NDArray[np.int64],
    ptr: NDArray[np.int64],
) -> int:
    """Look up every frontier node's edges, loads that do not wait for each other; return how many will be taken."""
    for i in range(len(frontier)):
        v = np.uint64(frontier[i])
        begin[i] = colptr[v]
        degree[i] = colptr[v + np.uint64(1)] - colptr[v]
    total = ptr[0]
    for i in range(len(frontier)):
        total += degree[i] if fanout < 0 else min(degree[i], fanout)
        ptr[i + 1] = total
    return int(total - ptr[0])


@kernel
def choose(
    row: IntArray,
    begin: NDArray[np.int64],
    degree: NDArray[np.int64],
    first: int,
    stop: int,
    fanout: int,
    state: np.uint64,
    taken: NDArray[np.uint8],
    source: IntArray,
    at: int,
) -> tuple[int, np.uint64]:
    """Stage one, targets ``first:stop``: write the chosen positions to ``source[at:]``, ask for their lines of ``row``.

    Floyd's method, the set of chosen positions being one byte each, cleared again pick by pick. A draw below ``bound``
    is a multiplication and a shift, with a bias below ``bound / 2**32``.
    """
    one, end = np.uint64(1), np.uint64(at)
    for i in range(np.uint64(first), np.uint64(stop)):
        start = np.uint64(begin[i])
        if fanout < 0 or degree[i] <= fanout:
            for position in range(start, start + np.uint64(degree[i])):
                prefetch(row, np.int64(position))
                source[end] = position
                end += one
            continue
        for last in range(np.uint64(degree[i] - fanout), np.uint64(degree[i])):
            state += WEYL
            pick = (mix(state) * (last + one)) >> np.uint64(32)
            pick = np.uint64(last) if taken[pick] else pick
            taken[pick] = 1
            prefetch(row, np.int64(start + pick))
            source[end] = start + pick
            end += one
        for j in range(end - np.uint64(fanout), end):
            taken[np.uint64(source[j]) - start] = 0
    return int(np.int64(end)), state


@kernel
def _gather(
    row: IntArray, position: NDArray[np.int32], source: IntArray, edge: NDArray[np.int64], first: int, stop: int
) -> None:
    """Stage two, edges ``first:stop``: positions become global ids; ask for their entries of the position array."""
    if len(edge) > 0:
        for i in range(first, stop):
            edge[i] = source[i]
    for i in range(np.uint64(first), np.uint64(stop)):
        v = row[np.uint64(source[i])]
        prefetch(position, v)
        source[i] = v


@kernel
def _relabel(
    position: NDArray[np.int32],
    base: int,
    node: NDArray[np.int64],
    size: int,
    source: IntArray,
    first: int,
    stop: int,
) -> int:
    """Stage three, edges ``first:stop``: global ids become local ids, and new ones join ``node``.

    Whether a node is new is a coin toss, so there is no branch on it: every candidate is written behind the end.
    """
    for i in range(np.uint64(first), np.uint64(stop)):
        v = np.uint64(source[i])
        known = np.int64(position[v]) - base
        is_new = known < 0
        local = size if is_new else known
        position[v] = local + base
        node[np.uint64(size)] = v
        source[i] = local
        size += int(is_new)
    return size


@kernel
def sample_edges(
    row: IntArray,
    begin: NDArray[np.int64],
    degree: NDArray[np.int64],
    fanout: int,
    state: np.uint64,
    taken: NDArray[np.uint8],
    position: NDArray[np.int32],
    base: int,
    node: NDArray[np.int64],
    size: int,
    source: IntArray,
    edge: NDArray[np.int64],
    at: int,
) -> tuple[int, np.uint64]:
    """One hop, whose edges begin at ``at``.

    The three stages run over blocks of edges, one block apart, so that the loads a stage asks for arrive while the
    other stages compute. Positions, global ids and local ids take each other's place in ``source``.
    """
    step = max(1, BLOCK_EDGES // max(1, fanout)) if fanout >= 0 else 8
    chosen, gathered, relabelled = at, at, at
    for block in range(0, len(begin) + 2 * step, step):
        size = _relabel(position, base, node, size, source, relabelled, gathered)
        relabelled = gathered
        _gather(row, position, source, edge, gathered, chosen)
        gathered = chosen
        stop = min(block + step, len(begin))
        chosen, state = choose(row, begin, degree, block, stop, fanout, state, taken, source, chosen)
    return size, state
