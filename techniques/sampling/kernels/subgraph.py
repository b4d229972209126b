"""The subgraph that a set of nodes induces: every edge with both ends in the set."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, prefetch, read_only
from techniques.sampling.kernels.pointers import degree_range, expand_ptr, grown

INT32_LIMIT = 2**31
BLOCK_EDGES = 512
AHEAD_TARGETS, AHEAD_EDGES = 4, 32  # how far ahead memory is asked for
FIRST_EDGES = 1024
ONE, SIX, LOW_SIX = np.uint64(1), np.uint64(6), np.uint64(63)


@dataclass(frozen=True)
class Subgraph:
    """An induced subgraph in compressed rows, one row per node.

    Attributes:
        node: int64 ``[k]``, global id of each local id, in the order given.
        ptr: int64 ``[k + 1]``.
        col_source: ``[m]``, local ids of the sources of target ``t`` at ``ptr[t]:ptr[t + 1]``, in the order of the
            graph's arrays.
        edge: int64 ``[m]``, position of each edge in the CSC arrays, or None where not asked for.
    """

    node: NDArray[np.int64]
    ptr: NDArray[np.int64]
    col_source: IntArray
    edge: NDArray[np.int64] | None

    def col_target(self) -> IntArray:
        """The local id of each edge's target, ``[m]``: the second row of an edge list."""
        target = np.empty_like(self.col_source)
        expand_ptr(self.ptr, target)
        return target


def checked_csc(colptr: IntArray, row: IntArray, num_nodes: int) -> tuple[NDArray[np.int64], IntArray]:
    """The arrays of a graph as kernels take them; looks at shapes, dtypes and both ends of ``colptr`` only.

    Raises:
        ValueError: wrong dtypes, pointers that do not fit ``row`` or ``num_nodes``, or too many nodes.
    """
    if not 0 <= num_nodes < INT32_LIMIT:
        raise ValueError(f"num_nodes must be from 0 to 2**31 - 1, got {num_nodes}")
    if colptr.shape != (num_nodes + 1,) or colptr.dtype != np.int64:
        raise ValueError(f"colptr must be int64 [{num_nodes + 1}], got {colptr.dtype} {list(colptr.shape)}")
    if row.ndim != 1 or row.dtype not in (np.int32, np.int64):
        raise ValueError(f"row must be int32 or int64 [E], got {row.dtype} {list(row.shape)}")
    if colptr[0] != 0 or colptr[-1] != len(row):
        raise ValueError(f"colptr must rise from 0 to the {len(row)} entries of row")
    return read_only(np.ascontiguousarray(read_only(colptr))), read_only(np.ascontiguousarray(read_only(row)))


class SubgraphKernel:
    """Cuts induced subgraphs out of one graph; any number of threads may call :meth:`induced` at the same time.

    Args:
        colptr: int64 ``[n + 1]``, as made by :func:`~techniques.sampling.kernels.csc.build_csc`.
        row: int32 or int64 ``[E]``; ids are trusted to lie in ``0..n-1``. Both arrays may be read-only or
            memory-mapped.
        num_nodes: number of nodes ``n``, below ``2**31``.

    Raises:
        ValueError: pointers that do not fit ``row`` or ``num_nodes``, wrong dtypes, or too many nodes.
    """

    def __init__(self, colptr: IntArray, row: IntArray, num_nodes: int) -> None:
        self._colptr, self._row = checked_csc(colptr, row, num_nodes)
        if degree_range(self._colptr)[0] < 0:
            raise ValueError(f"colptr must rise from 0 to the {len(row)} entries of row")
        self.num_nodes = num_nodes
        self._local = threading.local()

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread keeps between subgraphs."""
        return 4 * self.num_nodes + 8 * max(1, 1 << max(0, self.num_nodes - 1).bit_length() >> 6)

    def induced(self, nodes: IntArray, *, with_edge: bool = False, local_dtype: DTypeLike = np.int64) -> Subgraph:
        """The subgraph induced by ``nodes``: self-loops and parallel edges are kept.

        Args:
            nodes: distinct global ids ``[k]``, kept in this order.
            with_edge: also return each edge's position in ``row``.
            local_dtype: dtype of ``col_source``, int64 or int32.

        Raises:
            ValueError: a repeated node, one outside the graph, or another ``local_dtype``.
        """
        if np.dtype(local_dtype) not in (np.int32, np.int64):
            raise ValueError(f"local_dtype must be int32 or int64, got {np.dtype(local_dtype)}")
        if len(nodes) and not (nodes.min() >= 0 and nodes.max() < self.num_nodes):
            raise ValueError(f"nodes must lie in 0..{self.num_nodes - 1}, got {nodes.min()}..{nodes.max()}")
        node = np.array(nodes, np.int64)
        (begin, degree), ptr = np.empty((2, len(node)), np.int64), np.zeros(len(node) + 1, np.int64)
        scratch = self._borrow()
        scratch.make_room(len(node))
        found = _enter(self._colptr, node, scratch.position, scratch.base, scratch.bits, begin, degree)
        done = _scan(self._row, begin[:found], degree, 0, with_edge, scratch.bits, ptr, scratch.source, scratch.edge)
        while done < found:
            scratch.lengthen(with_edge)
            done = _scan(
                self._row, begin[:found], degree, done, with_edge, scratch.bits, ptr, scratch.source, scratch.edge
            )
        _relabel(scratch.position, scratch.base, with_edge, ptr[: found + 1], scratch.source, scratch.edge)
        scratch.forget(node[:found])
        self._local.scratch = scratch
        if found < len(node):
            raise ValueError(f"nodes must be distinct, got {node[found]} again at position {found}")
        source = scratch.source[: ptr[-1]].astype(local_dtype)
        return Subgraph(node, ptr, source, scratch.edge[: ptr[-1]].copy() if with_edge else None)

    def _borrow(self) -> _Scratch:
        scratch: _Scratch | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        return scratch if scratch is not None else _Scratch(self.num_nodes)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())
        self._colptr, self._row = read_only(self._colptr), read_only(self._row)  # pickled arrays come back writable


class _Scratch:
    """One thread's memory between subgraphs.

    ``position[v] >= base`` means that ``v`` is in this subgraph, as local id ``position[v] - base``; each subgraph
    raises ``base`` past its ids, so old entries lapse by themselves. ``bits`` is a filter in front of it that fits in
    the cache: the bit of ``v`` is set if ``v`` is in the subgraph, and for few others; it is cleared node by node.
    """

    def __init__(self, num_nodes: int) -> None:
        self.position = np.zeros(num_nodes, np.int32)
        self.base = 1
        self.all_bits = np.zeros(max(1, 1 << max(0, num_nodes - 1).bit_length() >> 6), np.uint64)
        self.bits = self.all_bits
        self.source = np.empty(FIRST_EDGES, np.int32)
        self.edge = np.empty(0, np.int64)

    def make_room(self, num_ids: int) -> None:
        if self.base + num_ids >= INT32_LIMIT:
            self.position.fill(0)
            self.base = 1
        self.bits = self.all_bits[: max(2**9, 1 << num_ids.bit_length())]  # 64 bits and more per node

    def lengthen(self, with_edge: bool) -> None:
        self.source = grown(self.source, 2 * len(self.source))
        if with_edge:
            self.edge = grown(self.edge, len(self.source))

    def forget(self, node: NDArray[np.int64]) -> None:
        self.base += len(node)
        _clear(node, self.bits)


@kernel
def _enter(
    colptr: NDArray[np.int64], node: NDArray[np.int64], position: NDArray[np.int32], base: int,
    bits: NDArray[np.uint64], begin: NDArray[np.int64], degree: NDArray[np.int64],
) -> int:  # fmt: skip
    """Number the nodes and look up their edges; return the place of the first repeated node, or their number."""
    mask = np.uint64(len(bits) - 1)
    for i in range(len(node)):
        v = np.uint64(node[i])
        if position[v] >= base:
            return i
        position[v] = base + i
        bits[(v >> SIX) & mask] |= ONE << (v & LOW_SIX)
        begin[i] = colptr[v]
        degree[i] = colptr[v + ONE] - colptr[v]
    return len(node)


@kernel
def _clear(node: NDArray[np.int64], bits: NDArray[np.uint64]) -> None:
    for i in range(len(node)):
        bits[(np.uint64(node[i]) >> SIX) & np.uint64(len(bits) - 1)] = np.uint64(0)


@kernel
def prefetch_list(row: IntArray, begin: int, degree: int) -> None:
    """Ask for the first lines of ``row[begin:begin + degree]``; later ones the machine foresees by itself."""
    for e in range(begin, begin + min(degree, 512), 64 // row.itemsize):
        prefetch(row, e)


@kernel
def _scan(
    row: IntArray, begin: NDArray[np.int64], degree: NDArray[np.int64], first: int, with_edge: bool,
    bits: NDArray[np.uint64], ptr: NDArray[np.int64], source: NDArray[np.int32], edge: NDArray[np.int64],
) -> int:  # fmt: skip
    """Stage one, targets from ``first`` on: append the edges that pass the filter, with global ids.

    Return the first target whose edges find no room.
    """
    passed = np.empty(BLOCK_EDGES, np.int64)
    for t in range(first, len(begin)):
        if t + AHEAD_TARGETS < len(begin):
            prefetch_list(row, begin[t + AHEAD_TARGETS], degree[t + AHEAD_TARGETS])
        end, last = ptr[t], begin[t] + degree[t]
        for block in range(begin[t], last, BLOCK_EDGES):
            found = _filter(row, block, min(block + BLOCK_EDGES, last), bits, passed)
            if end + found > len(source) or (with_edge and len(edge) < len(source)):
                return t
            for j in range(np.uint64(found)):
                source[np.uint64(end) + j] = row[np.uint64(passed[j])]
                if with_edge:
                    edge[np.uint64(end) + j] = passed[j]
            end += found
        ptr[t + 1] = end
    return len(begin)


@kernel
def _filter(row: IntArray, first: int, stop: int, bits: NDArray[np.uint64], passed: NDArray[np.int64]) -> int:
    """Edges ``first:stop`` whose source has its bit set. A coin toss, so no branch: each is written behind the end."""
    found, mask = np.uint64(0), np.uint64(len(bits) - 1)
    for e in range(np.uint64(first), np.uint64(stop)):
        v = np.uint64(row[e])
        passed[found] = e
        found += (bits[(v >> SIX) & mask] >> (v & LOW_SIX)) & ONE
    return int(np.int64(found))


@kernel
def _relabel(
    position: NDArray[np.int32], base: int, with_edge: bool, ptr: NDArray[np.int64], source: NDArray[np.int32],
    edge: NDArray[np.int64],
) -> None:  # fmt: skip
    """Stage two: global ids become local ids, and edges that passed the filter by mistake drop out."""
    at, last = np.uint64(0), ptr[-1] - 1
    begin = ptr[0]
    for t in range(len(ptr) - 1):
        for i in range(np.uint64(begin), np.uint64(ptr[t + 1])):
            prefetch(position, source[np.uint64(min(np.int64(i) + AHEAD_EDGES, last))])
            local = np.int64(position[np.uint64(source[i])]) - base
            source[at] = local
            if with_edge:
                edge[at] = edge[i]
            at += np.uint64(local >= 0)
        begin, ptr[t + 1] = ptr[t + 1], np.int64(at)
