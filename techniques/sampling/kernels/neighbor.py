"""Multi-hop neighbour sampling without replacement (Hamilton, Ying and Leskovec, 2017, GraphSAGE, arXiv:1706.02216)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from techniques.sampling.kernels.hop import count_edges, enter_seeds, sample_edges
from techniques.sampling.kernels.machine_code import IntArray, read_only
from techniques.sampling.kernels.pointers import degree_range, expand_ptr, grown

INT32_LIMIT = 2**31


@dataclass(frozen=True)
class SampledHops:
    """A sampled neighbourhood in compressed rows, one row per expanded node.

    Each node is expanded once, in the order of its local id, so edges come out grouped by target and nothing is sorted.

    Attributes:
        node: int64 ``[num_sampled]``, global id of each local id: the seeds, then new nodes in order of discovery.
        ptr: int64 ``[num_targets + 1]``; targets are the local ids ``0..num_targets-1``, all but the last hop's nodes.
        col_source: ``[num_edges]``, local ids of the sources of target ``t`` at ``ptr[t]:ptr[t + 1]``.
        edge: int64 ``[num_edges]``, position of each edge in the CSC arrays, or None where not asked for.
        num_sampled_nodes: new nodes per hop, the seeds first: ``L + 1`` counts.
        num_sampled_edges: edges per hop: ``L`` counts.
    """

    node: NDArray[np.int64]
    ptr: NDArray[np.int64]
    col_source: IntArray
    edge: NDArray[np.int64] | None
    num_sampled_nodes: list[int]
    num_sampled_edges: list[int]

    def col_target(self) -> IntArray:
        """The local id of each edge's target, ``[num_edges]``: the second row of an edge list."""
        target = np.empty_like(self.col_source)
        expand_ptr(self.ptr, target)
        return target


class NeighborKernel:
    """Samples neighbourhoods of one graph; any number of threads may call :meth:`sample` at the same time.

    Each thread keeps scratch of ``4 n`` bytes plus one byte per edge of the largest in-degree, see ``scratch_bytes``.

    Args:
        colptr: int64 ``[n + 1]``, as made by :func:`~techniques.sampling.kernels.csc.build_csc`.
        row: int32 or int64 ``[E]``; ids are trusted to lie in ``0..n-1``. Both arrays may be read-only or
            memory-mapped.
        num_nodes: number of nodes ``n``, below ``2**31``.

    Raises:
        ValueError: pointers that do not fit ``row`` or ``num_nodes``, wrong dtypes, or too many nodes.
    """

    def __init__(self, colptr: IntArray, row: IntArray, num_nodes: int) -> None:
        if not 0 <= num_nodes < INT32_LIMIT:
            raise ValueError(f"num_nodes must be from 0 to 2**31 - 1, got {num_nodes}")
        if colptr.shape != (num_nodes + 1,) or colptr.dtype != np.int64:
            raise ValueError(f"colptr must be int64 [{num_nodes + 1}], got {colptr.dtype} {list(colptr.shape)}")
        if row.ndim != 1 or row.dtype not in (np.int32, np.int64):
            raise ValueError(f"row must be int32 or int64 [E], got {row.dtype} {list(row.shape)}")
        smallest, largest = degree_range(read_only(colptr))
        if smallest < 0 or colptr[0] != 0 or colptr[-1] != len(row):
            raise ValueError(f"colptr must rise from 0 to the {len(row)} entries of row")
        self.num_nodes = num_nodes
        self.max_degree = int(largest)
        self._colptr = np.ascontiguousarray(read_only(colptr))
        self._row = np.ascontiguousarray(read_only(row))
        self._local = threading.local()

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each sampling thread keeps between batches."""
        return 4 * self.num_nodes + self.max_degree

    def sample(
        self,
        seeds: IntArray,
        fanouts: Sequence[int],
        seed: int,
        *,
        with_edge: bool = False,
        local_dtype: DTypeLike = np.int64,
    ) -> SampledHops:
        """Sample the neighbourhood of ``seeds``, ``len(fanouts)`` hops deep.

        Hop ``h`` expands the nodes first found at hop ``h - 1``. A node with at most ``fanouts[h]`` in-edges keeps all
        of them; any other keeps exactly that many, a uniform choice without replacement by Floyd's method (Bentley
        and Floyd, 1987, CACM 30(9)). Parallel edges count one by one.

        Args:
            seeds: global ids ``[num_seeds]``, kept in this order. A repeated seed is kept and expanded each time; edges
                that lead to it then point at its first copy.
            fanouts: in-edges per node for each hop; -1 takes all.
            seed: equal seeds give equal results, on whatever thread.
            with_edge: also return each edge's position in ``row``.
            local_dtype: dtype of ``col_source``, int64 or int32.

        Raises:
            ValueError: a fanout below -1, a seed node outside the graph, or another ``local_dtype``.
        """
        self._check(seeds, fanouts, np.dtype(local_dtype))
        compact = np.dtype(local_dtype) == np.int32 and len(self._row) < INT32_LIMIT
        batch = _Batch(self, self._borrow(), seeds, seed, with_edge, np.int32 if compact else np.int64)
        for fanout in fanouts:
            batch.expand(fanout)
        self._local.scratch = batch.finish()  # an interrupted batch never comes here and its scratch is dropped
        return batch.result(np.dtype(local_dtype))

    def _check(self, seeds: IntArray, fanouts: Sequence[int], local_dtype: np.dtype[Any]) -> None:
        if local_dtype not in (np.int32, np.int64):
            raise ValueError(f"local_dtype must be int32 or int64, got {local_dtype}")
        if not all(isinstance(fanout, (int, np.integer)) for fanout in fanouts):  # machine code would misread a float
            raise ValueError(f"fanouts must be whole numbers, got {list(fanouts)}")
        if any(fanout < -1 for fanout in fanouts):
            raise ValueError(f"fanouts must be at least 0, or -1 for all, got {list(fanouts)}")
        if len(seeds) and not (seeds.min() >= 0 and seeds.max() < self.num_nodes):
            raise ValueError(f"seeds must lie in 0..{self.num_nodes - 1}, got {seeds.min()}..{seeds.max()}")

    def _borrow(self) -> Scratch:
        scratch: Scratch | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        return scratch if scratch is not None else Scratch.fresh(self.num_nodes, self.max_degree)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())
        self._colptr, self._row = read_only(self._colptr), read_only(self._row)  # pickled arrays come back writable


@dataclass
class Scratch:
    """One thread's memory between batches.

    ``position[v] >= base`` means that this batch found ``v``, as local id ``position[v] - base``. Every batch raises
    ``base`` past the ids it gave, so old entries lapse by themselves and nothing is reset until int32 runs out.
    """

    position: NDArray[np.int32]
    taken: NDArray[np.uint8]
    base: int

    @classmethod
    def fresh(cls, num_nodes: int, max_degree: int) -> Scratch:
        return cls(np.zeros(num_nodes, np.int32), np.zeros(max_degree, np.uint8), base=1)

    def make_room(self, num_ids: int) -> None:
        if self.base + num_ids >= INT32_LIMIT:
            self.position.fill(0)
            self.base = 1


class _Batch:
    """One batch under construction: grows by a hop at a time."""

    def __init__(
        self,
        graph: NeighborKernel,
        scratch: Scratch,
        seeds: IntArray,
        seed: int,
        with_edge: bool,
        dtype: type[np.int32 | np.int64],
    ) -> None:
        self.graph, self.scratch, self.with_edge = graph, scratch, with_edge
        self.state = np.uint64(seed % 2**64)
        self.node = np.array(seeds, dtype=np.int64)
        self.ptr = np.zeros(1, np.int64)
        self.source: IntArray = np.empty(0, dtype)
        self.edge = np.empty(0, np.int64)
        self.num_nodes, self.num_edges = [len(self.node)], list[int]()
        scratch.make_room(len(seeds) + graph.num_nodes)
        enter_seeds(self.node, scratch.position, scratch.base)

    def expand(self, fanout: int) -> None:
        """Expand the nodes found last, and append what that finds."""
        first, size = len(self.ptr) - 1, len(self.node)
        begin, degree = np.empty(size - first, np.int64), np.empty(size - first, np.int64)
        self.ptr = grown(self.ptr, size + 1)
        added = count_edges(self.graph._colptr, self.node[first:], fanout, begin, degree, self.ptr[first:])
        self.source = grown(self.source, len(self.source) + added)
        if self.with_edge:
            self.edge = grown(self.edge, len(self.source))
        # One entry to spare: the relabelling writes each candidate before it knows whether it is new.
        self.node = grown(self.node, size + min(added, self.graph.num_nodes) + 1)
        scratch = self.scratch
        total, state = sample_edges(
            self.graph._row, begin, degree, fanout, self.state, scratch.taken, scratch.position, scratch.base,
            self.node, size, self.source, self.edge, len(self.source) - added,
        )  # fmt: skip
        self.state = np.uint64(state)
        self.node.resize(total, refcheck=False)
        self.num_nodes.append(total - size)
        self.num_edges.append(added)

    def finish(self) -> Scratch:
        self.scratch.base += len(self.node)
        return self.scratch

    def result(self, local_dtype: np.dtype[Any]) -> SampledHops:
        source = self.source.astype(local_dtype, copy=False)
        edge = self.edge if self.with_edge else None
        return SampledHops(self.node, self.ptr, source, edge, self.num_nodes, self.num_edges)
