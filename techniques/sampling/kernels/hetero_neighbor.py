"""Neighbour sampling by edge type, without replacement (Hamilton et al., 2017, on every relation; Hu et al., 2020, WWW).

The three stages of the homogeneous kernel, once for every hop and edge type: each node type has ids and a position
array of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.hop import count_edges, enter_seeds, sample_edges
from techniques.sampling.kernels.machine_code import IntArray, read_only
from techniques.sampling.kernels.neighbor import INT32_LIMIT, Scratch
from techniques.sampling.kernels.pointers import degree_range, expand_ptr, grown


@dataclass(frozen=True)
class TypedEdges:
    """One edge type in compressed columns.

    Attributes:
        source, target: numbers of the node types at its ends.
        colptr: int64 ``[n_target + 1]``, where the in-edges of each target begin.
        row: int32 or int64 ``[E]``, their sources.
    """

    source: int
    target: int
    colptr: NDArray[np.int64]
    row: IntArray


@dataclass(frozen=True)
class TypedHops:
    """A sampled neighbourhood by type, one compressed row per expanded node and edge type.

    Attributes:
        node: for every node type, int64 ids in the graph: the seeds, then new nodes in order of discovery.
        ptr: for every edge type, int64 ``[expanded + 1]`` over the local ids of its target type that were expanded.
        col_source: for every edge type, local ids of the sources, grouped by target.
        edge: for every edge type, int64 positions of the edges in ``row``; None where not asked for.
        num_sampled_nodes: for every node type, new nodes per hop, the seeds first: ``L + 1`` counts.
        num_sampled_edges: for every edge type, edges per hop: ``L`` counts.
    """

    node: list[NDArray[np.int64]]
    ptr: list[NDArray[np.int64]]
    col_source: list[NDArray[np.int64]]
    edge: list[NDArray[np.int64]] | None
    num_sampled_nodes: list[list[int]]
    num_sampled_edges: list[list[int]]

    def col_target(self, edge_type: int) -> NDArray[np.int64]:
        """The local id of each edge's target: the second row of an edge list."""
        target = np.empty_like(self.col_source[edge_type])
        expand_ptr(self.ptr[edge_type], target)
        return target


class HeteroNeighborKernel:
    """Samples neighbourhoods of one heterogeneous graph; any number of threads may call :meth:`sample` at once.

    Each thread keeps scratch of 4 bytes a node plus one byte per edge of the largest in-degree of any edge type.

    Args:
        num_nodes: nodes of every type, each below ``2**31``.
        edges: the edge types. Arrays may be read-only or memory-mapped; ids are trusted to be in range.

    Raises:
        ValueError: pointers that do not fit ``row`` or the number of targets, wrong dtypes, too many nodes, or an edge
            type between node types that are not there.
    """

    def __init__(self, num_nodes: Sequence[int], edges: Sequence[TypedEdges]) -> None:
        if not all(0 <= count < INT32_LIMIT for count in num_nodes):
            raise ValueError(f"num_nodes must be from 0 to 2**31 - 1 for each type, got {list(num_nodes)}")
        self.num_nodes = tuple(num_nodes)
        self.edges = tuple(_checked(place, one, self.num_nodes) for place, one in enumerate(edges))
        self.max_degree = max((int(degree_range(one.colptr)[1]) for one in self.edges), default=0)
        self._local = threading.local()

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each sampling thread keeps between batches."""
        return 4 * sum(self.num_nodes) + self.max_degree

    def sample(
        self,
        seeds: Mapping[int, IntArray],
        fanouts: Sequence[Sequence[int]],
        seed: int,
        *,
        with_edge: bool = False,
    ) -> TypedHops:
        """Sample the neighbourhood of ``seeds``, as many hops deep as ``fanouts`` has entries.

        Hop ``h`` expands the nodes of every type that were first found at hop ``h - 1``, along every edge type that
        leads to them: a node keeps all of at most ``fanouts[h][r]`` in-edges of edge type ``r``, or exactly that many,
        a uniform choice without replacement.

        Args:
            seeds: ids of seed nodes by node type, kept in this order; a repeated seed is kept and expanded each time.
            fanouts: for each hop, in-edges per node for every edge type; -1 takes all, 0 none.
            seed: equal seeds give equal results, on whatever thread.
            with_edge: also return each edge's position in ``row``.

        Raises:
            ValueError: a fanout below -1, hops that do not name every edge type, or a seed node outside its type.
        """
        self._check(seeds, fanouts)
        batch = _TypedBatch(self, self._borrow(), seeds, seed, with_edge)
        for hop in fanouts:
            batch.expand(hop)
        self._local.scratch = batch.finish()  # an interrupted batch never comes here and its scratch is dropped
        return batch.result()

    def _check(self, seeds: Mapping[int, IntArray], fanouts: Sequence[Sequence[int]]) -> None:
        for hop in fanouts:
            if len(hop) != len(self.edges):
                raise ValueError(f"every hop needs a fanout for each of {len(self.edges)} edge types, got {list(hop)}")
            if not all(isinstance(fanout, (int, np.integer)) and fanout >= -1 for fanout in hop):
                raise ValueError(f"fanouts must be whole numbers of at least 0, or -1 for all, got {list(hop)}")
        for kind, ids in seeds.items():
            if not 0 <= kind < len(self.num_nodes):
                raise ValueError(f"seeds must be of node types 0..{len(self.num_nodes) - 1}, got {kind}")
            if len(ids) and not (ids.min() >= 0 and ids.max() < self.num_nodes[kind]):
                raise ValueError(
                    f"seeds of type {kind} must lie in 0..{self.num_nodes[kind] - 1}, got {ids.min()}..{ids.max()}"
                )

    def _borrow(self) -> list[Scratch]:
        scratch: list[Scratch] | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        if scratch is not None:
            return scratch
        taken = np.zeros(self.max_degree, np.uint8)
        return [Scratch(np.zeros(count, np.int32), taken, base=1) for count in self.num_nodes]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())
        # Pickled arrays come back writable.
        self.edges = tuple(
            TypedEdges(one.source, one.target, read_only(one.colptr), read_only(one.row)) for one in self.edges
        )


def _checked(place: int, one: TypedEdges, num_nodes: tuple[int, ...]) -> TypedEdges:
    if not (0 <= one.source < len(num_nodes) and 0 <= one.target < len(num_nodes)):
        raise ValueError(
            f"edge type {place} must join node types 0..{len(num_nodes) - 1}, got {one.source} and {one.target}"
        )
    targets = num_nodes[one.target]
    if one.colptr.shape != (targets + 1,) or one.colptr.dtype != np.int64:
        raise ValueError(
            f"colptr of edge type {place} must be int64 [{targets + 1}], got {one.colptr.dtype} {list(one.colptr.shape)}"
        )
    if one.row.ndim != 1 or one.row.dtype not in (np.int32, np.int64):
        raise ValueError(f"row of edge type {place} must be int32 or int64 [E], got {one.row.dtype}")
    smallest, _ = degree_range(read_only(one.colptr))
    if smallest < 0 or one.colptr[0] != 0 or one.colptr[-1] != len(one.row):
        raise ValueError(f"colptr of edge type {place} must rise from 0 to the {len(one.row)} entries of row")
    arrays = (np.ascontiguousarray(read_only(array)) for array in (one.colptr, one.row))
    return TypedEdges(one.source, one.target, *arrays)


class _TypedBatch:
    """One batch under construction: grows by a hop at a time."""

    def __init__(
        self,
        graph: HeteroNeighborKernel,
        scratch: list[Scratch],
        seeds: Mapping[int, IntArray],
        seed: int,
        with_edge: bool,
    ) -> None:
        self.graph, self.scratch, self.with_edge = graph, scratch, with_edge
        self.state = np.uint64(seed % 2**64)
        kinds, edge_types = range(len(graph.num_nodes)), range(len(graph.edges))
        self.node = [np.array(seeds.get(kind, ()), dtype=np.int64) for kind in kinds]
        self.ptr = [np.zeros(1, np.int64) for _ in edge_types]
        self.source = [np.empty(0, np.int64) for _ in edge_types]
        self.edge = [np.empty(0, np.int64) for _ in edge_types]
        self.num_nodes = [[len(self.node[kind])] for kind in kinds]
        self.num_edges: list[list[int]] = [[] for _ in edge_types]
        for kind, one in enumerate(scratch):
            one.make_room(len(self.node[kind]) + graph.num_nodes[kind])
            enter_seeds(self.node[kind], one.position, one.base)

    def expand(self, fanouts: Sequence[int]) -> None:
        """Expand the nodes of every type found last, along every edge type that leads to them."""
        before = [len(node) for node in self.node]
        fresh = [node[len(node) - counts[-1] :] for node, counts in zip(self.node, self.num_nodes, strict=True)]
        for place, (one, fanout) in enumerate(zip(self.graph.edges, fanouts, strict=True)):
            self._expand_one(place, one, fresh[one.target], fanout)
        for kind, size in enumerate(before):
            self.num_nodes[kind].append(len(self.node[kind]) - size)

    def _expand_one(self, place: int, one: TypedEdges, frontier: NDArray[np.int64], fanout: int) -> None:
        first, count = len(self.ptr[place]) - 1, len(frontier)
        begin, degree = np.empty(count, np.int64), np.empty(count, np.int64)
        self.ptr[place] = grown(self.ptr[place], first + count + 1)
        added = count_edges(one.colptr, frontier, fanout, begin, degree, self.ptr[place][first:])
        self.num_edges[place].append(added)
        if not added:
            return
        self.source[place] = source = grown(self.source[place], len(self.source[place]) + added)
        if self.with_edge:
            self.edge[place] = grown(self.edge[place], len(source))
        scratch, size = self.scratch[one.source], len(self.node[one.source])
        # One entry to spare: the relabelling writes each candidate before it knows whether it is new.
        node = grown(self.node[one.source], size + min(added, self.graph.num_nodes[one.source]) + 1)
        total, state = sample_edges(
            one.row, begin, degree, fanout, self.state, scratch.taken, scratch.position, scratch.base,
            node, size, source, self.edge[place], len(source) - added,
        )  # fmt: skip
        self.state = np.uint64(state)
        self.node[one.source] = node[:total]

    def finish(self) -> list[Scratch]:
        for one, node in zip(self.scratch, self.node, strict=True):
            one.base += len(node)
        return self.scratch

    def result(self) -> TypedHops:
        edge = self.edge if self.with_edge else None
        return TypedHops(self.node, self.ptr, self.source, edge, self.num_nodes, self.num_edges)
