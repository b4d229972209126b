"""Contracting clusters to super-nodes: parallel edges become one that weighs their sum, inner edges disappear.

``P^T A P`` for the 0/1 partition matrix ``P`` without its diagonal (Huang et al., KDD 2021, section 3), computed super-node
by super-node: beside the result it needs 12 bytes a node and 8 a super-node, whatever the number of edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.coarsening.kernels.matching import NO_FLOATS
from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only

SHORT = 24
"""Neighbours up to which insertion sorts them faster than anything else."""


def members_of(cluster: NDArray[np.int32], num_clusters: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Nodes by cluster: ``ptr`` int64 ``[c + 1]`` and ``node`` int32 ``[n]``, ascending within each cluster.

    Raises:
        ValueError: a cluster outside ``0..c-1``.
    """
    if len(cluster) and not (cluster.min() >= 0 and cluster.max() < num_clusters):
        raise ValueError(f"clusters must lie in 0..{num_clusters - 1}, got {cluster.min()}..{cluster.max()}")
    ptr = np.zeros(num_clusters + 1, np.int64)
    node = np.empty(len(cluster), np.int32)
    _sort_members(read_only(cluster), ptr, node)
    return ptr, node


def contract(
    colptr: IntArray,
    row: IntArray,
    weight: NDArray[np.float32] | None,
    cluster: NDArray[np.int32],
    num_clusters: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """The graph of the clusters.

    Args:
        colptr: int64 ``[n + 1]``; row: ``[E]``, the sources of target ``v`` at ``colptr[v]:colptr[v + 1]``.
        weight: ``[E]``, or ``None`` where every edge weighs 1.
        cluster: int32 ``[n]`` in ``0..c-1``.
        num_clusters: ``c``.

    Returns:
        ``colptr`` int64 ``[c + 1]``, ``row`` int32 and ``weight`` float32 ``[E']``; sources ascend within each target, no
        edge is there twice, none leads to itself.

    Raises:
        ValueError: a cluster outside ``0..c-1``, or arrays that do not fit each other.
    """
    if len(cluster) != len(colptr) - 1 or colptr[-1] != len(row):
        raise ValueError(f"cluster must be one per node, got {len(cluster)} for {len(colptr) - 1}")
    if weight is not None and len(weight) != len(row):
        raise ValueError(f"weight must be one per edge, got {len(weight)} for {len(row)}")
    member_ptr, member = members_of(cluster, num_clusters)
    graph = (read_only(member_ptr), read_only(member), read_only(colptr), read_only(row), read_only(cluster))
    out_ptr = np.zeros(num_clusters + 1, np.int64)
    _count(*graph, out_ptr)
    out_row = np.empty(out_ptr[-1], np.int32)
    out_weight = np.empty(out_ptr[-1], np.float32)
    _sum(*graph, read_only(NO_FLOATS if weight is None else weight), out_ptr, out_row, out_weight)
    return out_ptr, out_row, out_weight


def contract_attributes(
    colptr: IntArray,
    row: IntArray,
    attributes: NDArray[np.float32],
    cluster: NDArray[np.int32],
    coarse: tuple[NDArray[np.int64], NDArray[np.int32]],
) -> NDArray[np.float32]:
    """Mean attributes ``[E', D]`` of the edges that became one; ``attributes`` [E, D], ``coarse`` as :func:`contract`
    returned it."""
    out_ptr, out_row = coarse
    member_ptr, member = members_of(cluster, len(out_ptr) - 1)
    out = np.zeros((len(out_row), attributes.shape[1]), np.float32)
    count = np.zeros(len(out_row), np.float32)
    graph = (read_only(member_ptr), read_only(member), read_only(colptr), read_only(row), read_only(cluster))
    _sum_attributes(*graph, read_only(attributes), read_only(out_ptr), read_only(out_row), out, count)
    out /= np.maximum(count, 1.0)[:, None]
    return out


def normalised(
    colptr: NDArray[np.int64], row: IntArray, weight: NDArray[np.float32], root: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weights ``[E']`` over ``root[u] * root[v]`` of their ends; ``root`` float32 ``[c]``."""
    out = np.empty(len(weight), np.float32)
    _normalise(read_only(colptr), read_only(row), read_only(weight), read_only(root), out)
    return out


@kernel
def _normalise(
    colptr: IntArray,
    row: IntArray,
    weight: NDArray[np.float32],
    root: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for v in range(len(colptr) - 1):
        for edge in range(colptr[v], colptr[v + 1]):
            out[edge] = weight[edge] / (root[row[edge]] * root[v])


@kernel
def _sort_members(cluster: IntArray, ptr: NDArray[np.int64], node: NDArray[np.int32]) -> None:
    for v in range(len(cluster)):
        ptr[cluster[v] + 1] += 1
    for c in range(1, len(ptr)):
        ptr[c] += ptr[c - 1]
    end = ptr[:-1].copy()
    for v in range(len(cluster)):
        node[end[cluster[v]]] = v
        end[cluster[v]] += 1


@kernel
def _count(
    member_ptr: IntArray,
    member: IntArray,
    colptr: IntArray,
    row: IntArray,
    cluster: IntArray,
    out_ptr: NDArray[np.int64],
) -> None:
    seen = np.full(len(out_ptr) - 1, -1, np.int32)
    for c in range(len(out_ptr) - 1):
        found = 0
        for i in range(member_ptr[c], member_ptr[c + 1]):
            v = member[i]
            for edge in range(colptr[v], colptr[v + 1]):
                other = cluster[row[edge]]
                if other != c and seen[other] != c:
                    seen[other] = c
                    found += 1
        out_ptr[c + 1] = out_ptr[c] + found


@kernel
def _sum(
    member_ptr: IntArray,
    member: IntArray,
    colptr: IntArray,
    row: IntArray,
    cluster: IntArray,
    weight: NDArray[np.float32],
    out_ptr: IntArray,
    out_row: NDArray[np.int32],
    out_weight: NDArray[np.float32],
) -> None:
    place = np.full(len(out_ptr) - 1, -1, np.int64)
    for c in range(len(out_ptr) - 1):
        start = out_ptr[c]
        end = start
        for i in range(member_ptr[c], member_ptr[c + 1]):
            v = member[i]
            for edge in range(colptr[v], colptr[v + 1]):
                other = cluster[row[edge]]
                if other == c:
                    continue
                value = weight[edge] if len(weight) > 0 else np.float32(1.0)
                if place[other] >= start:
                    out_weight[place[other]] += value
                else:
                    place[other] = end
                    out_row[end], out_weight[end] = other, value
                    end += 1
        _sort_run(out_row, out_weight, start, end)


@kernel
def _sort_run(key: NDArray[np.int32], value: NDArray[np.float32], start: int, end: int) -> None:
    if end - start > SHORT:
        order = np.argsort(key[start:end])
        sorted_key, sorted_value = key[start:end][order], value[start:end][order]
        key[start:end] = sorted_key
        value[start:end] = sorted_value
        return
    for i in range(start + 1, end):
        k, w, j = key[i], value[i], i
        while j > start and key[j - 1] > k:
            key[j], value[j] = key[j - 1], value[j - 1]
            j -= 1
        key[j], value[j] = k, w


@kernel
def _sum_attributes(
    member_ptr: IntArray,
    member: IntArray,
    colptr: IntArray,
    row: IntArray,
    cluster: IntArray,
    attributes: NDArray[np.float32],
    out_ptr: IntArray,
    out_row: IntArray,
    out: NDArray[np.float32],
    count: NDArray[np.float32],
) -> None:
    place = np.full(len(out_ptr) - 1, -1, np.int64)
    for c in range(len(out_ptr) - 1):
        for at in range(out_ptr[c], out_ptr[c + 1]):
            place[out_row[at]] = at
        for i in range(member_ptr[c], member_ptr[c + 1]):
            v = member[i]
            for edge in range(colptr[v], colptr[v + 1]):
                other = cluster[row[edge]]
                if other != c:
                    at = place[other]
                    count[at] += np.float32(1.0)
                    for d in range(attributes.shape[1]):
                        out[at, d] += attributes[edge, d]
