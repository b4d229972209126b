"""GraphSAINT's samplers and normalisation (Zeng et al., ICLR 2020, arXiv:1907.04931)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, prefetch, read_only
from techniques.sampling.kernels.node_table import distinct
from techniques.sampling.kernels.random_bits import WEYL
from techniques.sampling.kernels.random_walk import random_walks
from techniques.sampling.kernels.subgraph import Subgraph, checked_csc


def saint_nodes(colptr: IntArray, row: IntArray, num_nodes: int, budget: int, seed: int) -> NDArray[np.int64]:
    """Draw ``budget`` nodes with replacement, each with probability proportional to its out-degree.

    Algorithm 1, node sampler: on an undirected graph without weights its probabilities are proportional to the degree.
    Each draw is the source of a uniformly drawn edge.

    Args:
        colptr: int64 ``[n + 1]``.
        row: int32 or int64 ``[E]``, the sources of target ``v`` at ``colptr[v]:colptr[v + 1]``.
        num_nodes: number of nodes ``n``.
        budget: number of draws.
        seed: equal seeds give equal nodes, on whatever thread.

    Returns:
        The distinct nodes drawn, int64, in order of discovery.

    Raises:
        ValueError: arrays that do not fit each other, a graph without edges, or a budget below 1.
    """
    _, row = _drawable(colptr, row, num_nodes, budget)
    ends = np.empty(budget, np.int64)
    _draw_sources(row, np.uint64(seed % 2**64), ends)
    return distinct(ends)


def saint_edges(colptr: IntArray, row: IntArray, num_nodes: int, budget: int, seed: int) -> NDArray[np.int64]:
    """Draw ``budget`` edges with replacement, the edge between ``u`` and ``v`` with probability proportional to
    ``1 / deg(u) + 1 / deg(v)`` (algorithm 1, edge sampler), and return their ends.

    A uniform node that has neighbours and then a uniform one of these draws just so where each edge is stored in both
    directions. In a directed graph ``u -> v`` is drawn in proportion to ``1 / in_degree(v)``.

    Args:
        colptr: int64 ``[n + 1]``.
        row: int32 or int64 ``[E]``, the sources of target ``v`` at ``colptr[v]:colptr[v + 1]``.
        num_nodes: number of nodes ``n``.
        budget: number of edges to draw.
        seed: equal seeds give equal nodes, on whatever thread.

    Returns:
        The distinct ends of the edges drawn, int64, in order of discovery.

    Raises:
        ValueError: arrays that do not fit each other, a graph without edges, or a budget below 1.
    """
    colptr, row = _drawable(colptr, row, num_nodes, budget)
    ends = np.empty((budget, 2), np.int64)
    _draw_edges(colptr, row, np.uint64(seed % 2**64), ends)
    return distinct(ends.reshape(-1))


def saint_walks(
    colptr: IntArray, row: IntArray, num_nodes: int, roots: int, length: int, seed: int
) -> NDArray[np.int64]:
    """Walk ``length`` steps from each of ``roots`` uniformly drawn nodes (algorithm 1, random walk sampler).

    Args:
        colptr: int64 ``[n + 1]``.
        row: int32 or int64 ``[E]``; walks go from ``v`` to one of ``row[colptr[v]:colptr[v + 1]]``.
        num_nodes: number of nodes ``n``.
        roots: number of walks, whose first nodes are drawn with replacement.
        length: steps of each walk.
        seed: equal seeds give equal nodes, on whatever thread.

    Returns:
        The distinct nodes of the walks, int64, in order of discovery.

    Raises:
        ValueError: arrays that do not fit each other, a graph without nodes, no roots, or a negative length.
    """
    colptr, row = checked_csc(colptr, row, num_nodes)
    if roots < 1 or num_nodes < 1:
        raise ValueError(f"roots and num_nodes must be at least 1, got {roots} and {num_nodes}")
    first = np.empty(roots, np.int64)
    _draw_below(num_nodes, ~np.uint64(seed % 2**64), first)
    return distinct(random_walks(colptr, row, first, length, seed).reshape(-1))


class SaintCounts:
    """How often presampled subgraphs held each node and each edge, and the normalisation that follows (section 3.4).

    Add from one thread at a time. What was never seen counts as seen once.

    Args:
        colptr: int64 ``[n + 1]``, the graph that the subgraphs were cut from.
    """

    def __init__(self, colptr: IntArray) -> None:
        self._colptr = read_only(colptr)
        self.node_count = np.zeros(len(colptr) - 1, np.int32)
        self.edge_count = np.zeros(int(colptr[-1]), np.int32)
        self.num_samples = 0
        self.num_sampled_nodes = 0

    def add(self, subgraph: Subgraph) -> None:
        """Count one subgraph.

        Raises:
            ValueError: a subgraph without edge positions.
        """
        if subgraph.edge is None:
            raise ValueError("subgraph must have edge positions, got none: pass with_edge=True to induced()")
        _add_one(self.node_count, subgraph.node)
        _add_one(self.edge_count, subgraph.edge)
        self.num_samples += 1
        self.num_sampled_nodes += len(subgraph.node)

    def node_norm(self) -> NDArray[np.float32]:
        """Loss weight of each node, float32 ``[n]``: ``num_samples / (n * count)``."""
        count = np.maximum(self.node_count, 1) * float(max(1, len(self.node_count)))
        return (self.num_samples / count).astype(np.float32)

    def edge_norm(self) -> NDArray[np.float32]:
        """Aggregation weight of each edge by its position in the CSC arrays, float32 ``[E]``.

        ``node_count[target] / edge_count[edge]``, where what was never seen counts as seen once: PyG gives an unseen edge
        1e4 times the weight of a common one, and a few of those in a batch drown its gradient.
        """
        norm = np.empty(len(self.edge_count), np.float32)
        _edge_norm(self._colptr, self.node_count, self.edge_count, norm)
        return norm


def _drawable(colptr: IntArray, row: IntArray, num_nodes: int, budget: int) -> tuple[NDArray[np.int64], IntArray]:
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
    if len(row) == 0:
        raise ValueError("the graph must have edges to draw from, got none: sample walks instead")
    return checked_csc(colptr, row, num_nodes)


@kernel
def _below(bound: int, state: np.uint64) -> int:
    """A uniform integer below ``bound < 2**52`` from a counter: splitmix64's 53 high bits, with a bias below
    ``bound / 2**53``."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int(np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53 * bound)


@kernel
def _draw_below(bound: int, state: np.uint64, out: NDArray[np.int64]) -> None:
    for i in range(len(out)):
        out[i] = _below(bound, state + np.uint64(i + 1) * WEYL)


@kernel
def _draw_sources(row: IntArray, state: np.uint64, ends: NDArray[np.int64]) -> None:
    _draw_below(len(row), state, ends)
    for i in range(len(ends)):
        ends[i] = row[np.uint64(ends[i])]


@kernel
def _draw_edges(colptr: NDArray[np.int64], row: IntArray, state: np.uint64, ends: NDArray[np.int64]) -> None:
    for i in range(len(ends)):
        degree = 0
        while degree == 0:  # a node without neighbours is drawn anew
            state += WEYL
            v = np.uint64(_below(len(colptr) - 1, state))
            degree = colptr[v + np.uint64(1)] - colptr[v]
        state += WEYL
        ends[i, 0] = v
        ends[i, 1] = colptr[v] + _below(degree, state)
        prefetch(row, ends[i, 1])
    for i in range(len(ends)):
        ends[i, 1] = row[np.uint64(ends[i, 1])]


@kernel
def _add_one(count: NDArray[np.int32], index: NDArray[np.int64]) -> None:
    for i in range(len(index)):
        count[np.uint64(index[i])] += 1


@kernel
def _edge_norm(
    colptr: NDArray[np.int64],
    node_count: NDArray[np.int32],
    edge_count: NDArray[np.int32],
    norm: NDArray[np.float32],
) -> None:
    for v in range(len(colptr) - 1):
        seen = np.float32(max(node_count[v], 1))
        for e in range(colptr[v], colptr[v + 1]):
            norm[e] = seen / np.float32(max(edge_count[e], 1))
