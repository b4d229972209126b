"""How many rows a sum over neighbours reads from memory, looked at in a few places of a graph.

Targets are walked in order; a source row that one of the last few thousand rows was is found in the processor's cache.
Each function returns rows that are read and entries that read them: the share found in the cache is 1 - rows / entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

TELEPORT = 0.05
"""Chance of PageRank to return to its start in each step; small: sets of thousands of nodes are found."""


def rows_in_order(colptr: IntArray, row: IntArray, start: int, most_rows: int) -> tuple[int, int]:
    """Of the targets from ``start`` on, as they stand, until ``most_rows`` different sources are read."""
    rows, entries = _window(read_only(colptr), read_only(row), start, most_rows)
    return int(rows), int(entries)


def rows_of_ball(colptr: IntArray, row: IntArray, start: int, most_rows: int) -> tuple[int, int]:
    """Of the ``most_rows`` targets next to ``start`` by breadth first: what reverse Cuthill-McKee puts side by side."""
    ball = np.empty(min(most_rows, len(colptr) - 1), np.int64)
    count = _breadth_first(read_only(colptr), read_only(row), start, ball)
    rows, entries = _best_prefix(read_only(colptr), read_only(row), ball[:count], count)
    return int(rows), int(entries)


def rows_of_community(colptr: IntArray, row: IntArray, start: int, most_rows: int) -> tuple[int, int]:
    """Of the best community of at most ``most_rows`` targets around ``start``, for undirected graphs.

    PageRank-Nibble: Andersen, Chung and Lang, "Local graph partitioning using PageRank vectors", FOCS 2006. Its cost
    depends on ``most_rows``, not on the graph.
    """
    mean_degree = max(len(row) / max(len(colptr) - 1, 1), 1.0)
    least = 1.0 / (most_rows * mean_degree)
    rank, touched = _page_rank(read_only(colptr), read_only(row), start, TELEPORT, least, 4 * most_rows)
    degrees = np.maximum(colptr[touched + 1] - colptr[touched], 1)
    members = touched[np.argsort(-rank[touched] / degrees, kind="stable")][:most_rows]
    rows, entries = _best_prefix(read_only(colptr), read_only(row), members, 1)
    return int(rows), int(entries)


@kernel
def _window(ptr: IntArray, row: IntArray, start: int, most_rows: int) -> tuple[int, int]:
    nodes = len(ptr) - 1
    seen = np.zeros(nodes, np.bool_)
    rows = 0
    entries = 0
    for step in range(nodes):
        v = (start + step) % nodes
        for at in range(ptr[v], ptr[v + 1]):
            entries += 1
            u = row[at]
            if not seen[u]:
                seen[u] = True
                rows += 1
        if rows >= most_rows:
            break
    return rows, entries


@kernel
def _breadth_first(ptr: IntArray, row: IntArray, start: int, ball: NDArray[np.int64]) -> int:
    seen = np.zeros(len(ptr) - 1, np.bool_)
    seen[start] = True
    ball[0] = start
    found, head = 1, 0
    while head < found and found < len(ball):
        v = ball[head]
        head += 1
        for at in range(ptr[v], ptr[v + 1]):
            u = row[at]
            if not seen[u] and found < len(ball):
                seen[u] = True
                ball[found] = u
                found += 1
    return found


@kernel
def _page_rank(
    ptr: IntArray, row: IntArray, start: int, teleport: float, least: float, most_nodes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Approximate PageRank of a start, and the nodes that have some: pushes what is left, first come first served."""
    nodes = len(ptr) - 1
    rank, left = np.zeros(nodes), np.zeros(nodes)
    waiting = np.zeros(nodes, np.bool_)
    touched = np.empty(min(most_nodes, nodes), np.int64)
    queue = np.empty(nodes, np.int64)
    head, length, found = 0, 1, 0
    queue[0] = start
    left[start] = 1.0
    waiting[start] = True
    while length > 0:
        v = queue[head]
        head = (head + 1) % nodes
        length -= 1
        waiting[v] = False
        if rank[v] == 0.0:
            if found == len(touched):
                break
            touched[found] = v
            found += 1
        amount = left[v]
        rank[v] += teleport * amount
        left[v] = 0.5 * (1.0 - teleport) * amount
        degree = ptr[v + 1] - ptr[v]
        for at in range(ptr[v], ptr[v + 1]):
            u = row[at]
            left[u] += 0.5 * (1.0 - teleport) * amount / degree
            if not waiting[u] and left[u] >= least * max(ptr[u + 1] - ptr[u], 1):
                waiting[u] = True
                queue[(head + length) % nodes] = u
                length += 1
        if not waiting[v] and left[v] >= least * max(degree, 1):
            waiting[v] = True
            queue[(head + length) % nodes] = v
            length += 1
    return rank, touched[:found]


@kernel
def _best_prefix(ptr: IntArray, row: IntArray, members: NDArray[np.int64], fewest: int) -> tuple[int, int]:
    """Rows and entries of the first members, as many as reuse their rows most; links are taken as mutual."""
    inside = np.zeros(len(ptr) - 1, np.bool_)
    best_rows, best_entries, best = 1, 1, -1.0
    entries = within = 0
    for count in range(len(members)):
        v = members[count]
        inside[v] = True
        entries += ptr[v + 1] - ptr[v]
        for at in range(ptr[v], ptr[v + 1]):
            if inside[row[at]]:
                within += 1 if row[at] == v else 2
        reads = min(entries, count + 1 + max(entries - within, 0))
        if count + 1 >= fewest and entries > 0 and 1.0 - reads / entries > best:
            best_rows, best_entries, best = reads, entries, 1.0 - reads / entries
    return best_rows, best_entries
