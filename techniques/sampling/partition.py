"""Balanced parts with few edges between them (Karypis and Kumar, 1998, SIAM J. Sci. Comput. 20(1): METIS)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError, MissingDependencyError, OptionError
from techniques.sampling.kernels import transpose_csr
from techniques.sampling.kernels.machine_code import IntArray, kernel

METIS_REFINEMENTS, FEW_REFINEMENTS = 10, 1
"""Rounds of refinement per level: METIS's own number, and what does where its parts are refined afterwards."""


def metis_parts(
    colptr: IntArray,
    row: IntArray,
    num_parts: int,
    recursive: bool = False,
    seed: int = 0,
    most_refined: float = math.inf,
) -> NDArray[np.int32]:
    """Split the nodes into ``num_parts`` parts of about the same size that cut few edges.

    METIS works on undirected graphs: directions, self-loops and parallel edges are disregarded. While it runs, two to
    four copies of the edges are in memory.

    Args:
        colptr: int64 ``[n + 1]``, as made by :func:`~techniques.sampling.kernels.csc.build_csc`.
        row: int32 or int64 ``[E]``, the neighbours of node ``v`` at ``colptr[v]:colptr[v + 1]``, ids in ``0..n-1``.
        num_parts: at least 1. No part is empty but those from ``n`` on, where there are more parts than nodes.
        recursive: bisect recursively instead of splitting into all parts at once: slower, for few parts a bit better.
        seed: equal seeds give equal parts.
        most_refined: entries of the symmetric graph x parts x rounds of refinement, by which the rounds are bounded (one at least).

    Returns:
        int32 ``[n]``, the part of every node, ``0..num_parts-1``.

    Raises:
        OptionError: ``num_parts`` below 1.
        GraphError: more edges than METIS can index, or METIS gave up.
        MissingDependencyError: pymetis is not installed.
        ValueError: pointers that do not fit ``row``, or ids outside the graph.
    """
    num_nodes = len(colptr) - 1
    if num_parts < 1:
        raise OptionError(f"num_parts must be at least 1, got {num_parts}", "Ask for 1 or more parts")
    if num_parts == 1:
        return np.zeros(num_nodes, np.int32)
    if num_parts >= num_nodes:
        return np.arange(num_nodes, dtype=np.int32)
    ptr, neighbor = undirected_neighbors(colptr, row)
    if len(neighbor) == 0:  # METIS crashes on a graph without edges
        return (np.arange(num_nodes) * num_parts // num_nodes).astype(np.int32)
    rounds = int(max(min(METIS_REFINEMENTS, most_refined // (len(neighbor) * num_parts)), FEW_REFINEMENTS))
    linked = np.flatnonzero(ptr[1:] > ptr[:-1])
    if len(linked) == num_nodes:
        return _call_metis(ptr, neighbor, num_parts, seed, recursive=recursive, niter=rounds)
    if num_parts >= len(linked):
        return deal_isolated(linked, np.arange(len(linked), dtype=np.int32), num_nodes, num_parts)
    place = np.zeros(num_nodes, neighbor.dtype)
    place[linked] = np.arange(len(linked))
    ptr = np.concatenate([ptr[:1], ptr[1:][linked]])
    parts = _call_metis(ptr, place[neighbor], num_parts, seed, recursive=recursive, niter=rounds)
    return deal_isolated(linked, parts, num_nodes, num_parts)


def deal_isolated(
    linked: NDArray[np.int64], linked_parts: NDArray[np.int32], num_nodes: int, num_parts: int
) -> NDArray[np.int32]:
    """Fill the parts of the linked nodes up to even sizes with all other nodes.

    METIS gets no isolated nodes: it merges nodes along edges, so with many isolated ones it stays at the full size and
    takes minutes where the edges take none.

    Args:
        linked: ``[l]``, ascending ids of the nodes with edges; linked_parts: int32 ``[l]``, the part of each.

    Returns:
        int32 ``[num_nodes]``; a part beyond its even share gets no more nodes, the others share what is left.
    """
    parts = np.full(num_nodes, -1, np.int32)
    parts[linked] = linked_parts
    even = np.diff(np.arange(num_parts + 1) * num_nodes // num_parts)
    room = np.maximum(even - np.bincount(linked_parts, minlength=num_parts), 0)
    free, isolated = np.repeat(np.arange(num_parts, dtype=np.int32), room), num_nodes - len(linked)
    parts[parts < 0] = free[np.arange(isolated) * len(free) // max(isolated, 1)]
    return parts


def weighted_metis_parts(
    ptr: IntArray, neighbor: IntArray, weight: NDArray[Any], size: NDArray[Any], num_parts: int, seed: int = 0
) -> NDArray[np.int32]:
    """Split super-nodes into parts that hold about as many nodes each and cut little weight; METIS refines once per level.

    Args:
        ptr: ``[n + 1]``; neighbor: ``[E]``; weight: ``[E]`` whole numbers: an undirected graph without self-loops.
        size: nodes in each super-node, ``[n]``.
        num_parts: at most ``n``.
        seed: equal seeds give equal parts.

    Returns:
        int32 ``[n]``, without empty parts.
    """
    if num_parts == 1 or len(neighbor) == 0:
        return (np.arange(len(size)) * num_parts // len(size)).astype(np.int32)
    return _call_metis(ptr, neighbor, num_parts, seed, weights=(size, weight), niter=FEW_REFINEMENTS)


def _call_metis(
    ptr: IntArray,
    neighbor: IntArray,
    num_parts: int,
    seed: int,
    *,
    recursive: bool = False,
    weights: tuple[NDArray[Any], NDArray[Any]] | None = None,
    niter: int = METIS_REFINEMENTS,
) -> NDArray[np.int32]:
    try:
        import pymetis
    except ImportError as error:
        raise MissingDependencyError("METIS partitioning needs pymetis", "Install it: pip install pymetis") from error
    dtype = pymetis.zero_copy_dtype()
    _check_size(len(ptr) - 1, len(neighbor), int(np.iinfo(dtype).max))
    graph = pymetis.CSRAdjacency(ptr.astype(dtype, copy=False), neighbor.astype(dtype, copy=False))
    options = pymetis.Options(seed=seed % 2**31, niter=niter)
    nodes, edges = (None, None) if weights is None else (one.astype(dtype, copy=False) for one in weights)
    try:
        _, parts = pymetis.part_graph(
            num_parts, graph, vweights=nodes, eweights=edges, recursive=recursive, options=options
        )
    except RuntimeError as error:
        rule = f"METIS must split {len(ptr) - 1} nodes into {num_parts} parts, but gave up: {error}"
        raise GraphError(rule, "Ask for fewer parts, or free memory") from error
    return fill_empty_parts(np.asarray(parts, dtype=np.int32), num_parts)


def fill_empty_parts(parts: NDArray[np.int32], num_parts: int) -> NDArray[np.int32]:
    """Give every empty part one node of the largest part: METIS leaves parts empty where they are small.

    Args:
        parts: ``[n]``, the part of every node.
        num_parts: at most ``n``.

    Returns:
        int32 ``[n]``, without empty parts.
    """
    size = np.bincount(parts, minlength=num_parts)
    empty = np.flatnonzero(size == 0)
    if len(empty) == 0:
        return parts
    parts, by_part, end = parts.copy(), np.argsort(parts, kind="stable"), np.cumsum(size)
    for part in empty:
        donor = int(size.argmax())
        size[donor] -= 1
        end[donor] -= 1
        parts[by_part[end[donor]]] = part
    return parts


def members_of_parts(parts: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """The nodes of every part that has any; ``parts`` [n] says which part a node is in."""
    order = np.argsort(parts, kind="stable")
    return [nodes for nodes in np.split(order, np.cumsum(np.bincount(parts))[:-1]) if nodes.size]


@dataclass(frozen=True)
class Cut:
    """Parts and the edges that join them: ``nodes`` [P] of every part; ``edges`` [K] from the part ``source`` [K] to ``target`` [K]."""

    nodes: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    edges: NDArray[np.int64]

    def edges_within(self, chosen: NDArray[np.int64]) -> int:
        """Edges of the subgraph on the nodes of the chosen parts."""
        is_chosen = np.zeros(self.nodes.size, bool)
        is_chosen[chosen] = True
        return int(self.edges[is_chosen[self.source] & is_chosen[self.target]].sum())


def cut_into(members: list[NDArray[np.int64]], colptr: IntArray, row: IntArray) -> Cut:
    """``members`` [P] are the nodes of every part, every node is in one; ``colptr`` and ``row`` as for :func:`metis_parts`."""
    part = np.empty(len(colptr) - 1, np.int64)
    for place, nodes in enumerate(members):
        part[nodes] = place
    pairs, edges = np.unique(np.repeat(part, np.diff(colptr)) * len(members) + part[row], return_counts=True)
    target, source = np.divmod(pairs, len(members))
    return Cut(np.array([nodes.size for nodes in members]), source, target, edges)


def _check_size(num_nodes: int, num_entries: int, limit: int) -> None:
    if max(num_nodes + 1, num_entries) > limit:
        rule = f"METIS as built into pymetis can index at most {limit} neighbours, got {num_entries}"
        raise GraphError(rule, "Partition a sparsified graph, or build pymetis with 64-bit indices")


def undirected_neighbors(colptr: IntArray, row: IntArray) -> tuple[NDArray[np.int64], IntArray]:
    """Distinct neighbours of every node, over edges of either direction, without the node itself.

    Args:
        colptr: ``[n + 1]``; row: ``[E]``, both as for :func:`metis_parts`.

    Returns:
        ``ptr`` int64 ``[n + 1]`` and ``neighbor`` in the dtype of ``row``; neighbours ascend within each node.
    """
    num_nodes = len(colptr) - 1
    out_ptr, out = transpose_csr(colptr, row, num_nodes)
    in_ptr, into = transpose_csr(out_ptr, out, num_nodes)  # transposed twice, neighbours ascend
    ptr = np.zeros(num_nodes + 1, np.int64)
    _merge(in_ptr, into, out_ptr, out, ptr, np.empty(0, row.dtype))
    np.cumsum(ptr, out=ptr)
    neighbor = np.empty(ptr[-1], row.dtype)
    _merge(in_ptr, into, out_ptr, out, ptr, neighbor)
    return ptr, neighbor


@kernel
def _merge(
    in_ptr: IntArray, into: IntArray, out_ptr: IntArray, out: IntArray, ptr: NDArray[np.int64], neighbor: IntArray
) -> None:
    """Union of each node's two ascending lists: written to ``neighbor``, or counted in ``ptr[1:]`` where that is empty.

    Every step passes over all copies of the smallest id left.
    """
    for v in range(len(ptr) - 1):
        i, j, found = in_ptr[v], out_ptr[v], 0
        while i < in_ptr[v + 1] or j < out_ptr[v + 1]:
            a = np.int64(into[i]) if i < in_ptr[v + 1] else np.int64(len(ptr))
            b = np.int64(out[j]) if j < out_ptr[v + 1] else np.int64(len(ptr))
            u = min(a, b)
            while i < in_ptr[v + 1] and into[i] == u:
                i += 1
            while j < out_ptr[v + 1] and out[j] == u:
                j += 1
            if u != v:
                if len(neighbor) > 0:
                    neighbor[ptr[v] + found] = u
                found += 1
        if len(neighbor) == 0:
            ptr[v + 1] = found
