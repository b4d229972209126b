"""Orders of the nodes under which neighbours lie close together in memory, and a structure in such an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.csc import transpose_csr
from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

COMMUNITY_ROUNDS = 6
"""Passes of label propagation; later ones move few nodes (Raghavan et al., 2007, section III)."""


def rcm_order(colptr: IntArray, row: IntArray, undirected: bool) -> NDArray[np.int64]:
    """Reverse Cuthill-McKee: breadth first, neighbours by degree, each component from its least degree, then reversed.

    Cuthill and McKee, "Reducing the bandwidth of sparse symmetric matrices", ACM 1969; George, "Computer implementation
    of the finite element method", 1971, for the reversal. Directions are disregarded.

    Args:
        colptr: int64 ``[n + 1]``; row: int32 or int64 ``[E]``, as made by
            :func:`~techniques.sampling.kernels.csc.build_csc`.
        undirected: both directions of every edge are there, so no transposed copy of the edges is made.

    Returns:
        int64 ``[n]``, the node that comes first, second, ...
    """
    back_ptr, back = (colptr, row) if undirected else transpose_csr(colptr, row, len(colptr) - 1)
    order = np.empty(len(colptr) - 1, np.int64)
    views = (read_only(colptr), read_only(row), read_only(back_ptr), read_only(back))
    _cuthill_mckee(*views, not undirected, degree_order(colptr)[::-1].copy(), order)
    return order[::-1].copy()


def community_order(colptr: IntArray, row: IntArray, undirected: bool, most_nodes: int) -> NDArray[np.int64]:
    """Nodes by community, found by label propagation with communities of at most ``most_nodes``.

    Raghavan, Albert and Kumara, "Near linear time algorithm to detect community structures in large-scale networks",
    Physical Review E 76, 2007; as an order of nodes Boldi et al., "Layered label propagation", WWW 2011. Nodes are
    visited in the order of :func:`rcm_order`, which the communities keep, too. Arguments and result as there.
    """
    back_ptr, back = (colptr, row) if undirected else transpose_csr(colptr, row, len(colptr) - 1)
    first = rcm_order(colptr, row, undirected)
    label = np.arange(len(colptr) - 1, dtype=np.int64)
    views = (read_only(colptr), read_only(row), read_only(back_ptr), read_only(back))
    _propagate_labels(*views, not undirected, first, label, most_nodes, COMMUNITY_ROUNDS)
    seen = np.full(len(label), len(label), np.int64)
    np.minimum.at(seen, label[first], np.arange(len(label)))
    return np.asarray(first[np.argsort(seen[label[first]], kind="stable")])


def degree_order(colptr: IntArray) -> NDArray[np.int64]:
    """Nodes by in-degree, largest first; int64 ``[n]``."""
    return np.argsort(-np.diff(colptr), kind="stable")


def renumbered_csc(
    colptr: IntArray, row: IntArray, order: NDArray[np.int64], *, with_position: bool = False
) -> tuple[NDArray[np.int64], IntArray, NDArray[np.int64] | None]:
    """The same edges where node ``order[i]`` is called ``i``; sources of every target ascend.

    Args:
        order: int64 ``[n]``, every node once.
        with_position: also return where each edge stood in ``row``.

    Returns:
        ``colptr`` int64 ``[n + 1]``, ``row`` in its dtype, and positions int64 ``[E]`` or None.
    """
    rank = np.empty(len(order), row.dtype)
    rank[order] = np.arange(len(order), dtype=row.dtype)
    pointer = np.zeros(len(order) + 1, np.int64)
    np.cumsum(np.diff(colptr)[order], out=pointer[1:])
    moved = np.empty(len(row), row.dtype)
    position = np.empty(len(row) if with_position else 0, np.int64)
    _renumber(read_only(colptr), read_only(row), read_only(order), rank, pointer, moved, position)
    return pointer, moved, position if with_position else None


@kernel
def _cuthill_mckee(
    ptr: IntArray,
    row: IntArray,
    back_ptr: IntArray,
    back: IntArray,
    both: bool,
    by_degree: NDArray[np.int64],
    order: NDArray[np.int64],
) -> None:
    """Fill ``order``, which is its own queue."""
    nodes = len(order)
    seen = np.zeros(nodes, np.bool_)
    found = 0
    head = 0
    for start in by_degree:
        if seen[start]:
            continue
        seen[start] = True
        order[found] = start
        found += 1
        while head < found:
            v = order[head]
            head += 1
            first = found
            for at in range(ptr[v], ptr[v + 1]):
                u = row[at]
                if not seen[u]:
                    seen[u] = True
                    order[found] = (ptr[u + 1] - ptr[u]) * nodes + u
                    found += 1
            if both:
                for at in range(back_ptr[v], back_ptr[v + 1]):
                    u = back[at]
                    if not seen[u]:
                        seen[u] = True
                        order[found] = (ptr[u + 1] - ptr[u]) * nodes + u
                        found += 1
            if found > first + 1:
                order[first:found].sort()
            for at in range(first, found):
                order[at] %= nodes


@kernel
def _propagate_labels(
    ptr: IntArray,
    row: IntArray,
    back_ptr: IntArray,
    back: IntArray,
    both: bool,
    first: NDArray[np.int64],
    label: NDArray[np.int64],
    most_nodes: int,
    rounds: int,
) -> None:
    """Give every node the label that most of its neighbours have, of those with room."""
    nodes = len(label)
    size = np.ones(nodes, np.int64)
    votes = np.zeros(nodes, np.int64)
    for _ in range(rounds):
        for v in first:
            for at in range(ptr[v], ptr[v + 1]):
                votes[label[row[at]]] += 1
            if both:
                for at in range(back_ptr[v], back_ptr[v + 1]):
                    votes[label[back[at]]] += 1
            own = label[v]
            best, most = own, votes[own]
            for at in range(ptr[v], ptr[v + 1]):
                other = label[row[at]]
                if votes[other] > most and size[other] < most_nodes:
                    best, most = other, votes[other]
            if both:
                for at in range(back_ptr[v], back_ptr[v + 1]):
                    other = label[back[at]]
                    if votes[other] > most and size[other] < most_nodes:
                        best, most = other, votes[other]
            for at in range(ptr[v], ptr[v + 1]):
                votes[label[row[at]]] = 0
            if both:
                for at in range(back_ptr[v], back_ptr[v + 1]):
                    votes[label[back[at]]] = 0
            if best != own:
                size[own] -= 1
                size[best] += 1
                label[v] = best


@kernel
def _renumber(
    ptr: IntArray,
    row: IntArray,
    order: NDArray[np.int64],
    rank: IntArray,
    pointer: NDArray[np.int64],
    moved: IntArray,
    position: NDArray[np.int64],
) -> None:
    keep = len(position) > 0
    for i in range(len(order)):
        begin = pointer[i]
        start = ptr[order[i]]
        count = pointer[i + 1] - begin
        for at in range(count):
            moved[begin + at] = rank[row[start + at]]
        if keep:
            by_source = np.argsort(moved[begin : begin + count], kind="mergesort")
            moved[begin : begin + count] = moved[begin : begin + count][by_source]
            for at in range(count):
                position[begin + at] = start + by_source[at]
        elif count > 1:
            moved[begin : begin + count].sort()
