"""Batches of whole graphs, copied out of one block-diagonal graph run by run: no Python per graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only
from techniques.sampling.kernels.subgraph import Subgraph, checked_csc


@dataclass(frozen=True)
class GatheredGraphs(Subgraph):
    """Some graphs of a set side by side, as one block-diagonal graph in compressed rows.

    Attributes:
        graph_ptr: int64 ``[B + 1]``, where the nodes of each of them begin.
    """

    graph_ptr: NDArray[np.int64]


class GraphSetKernel:
    """Gathers graphs out of a set; any number of threads may call :meth:`gather` at the same time.

    The nodes of a graph stand side by side, and so do its edges once they are sorted by target: a graph is two runs to
    copy, with its ids shifted.

    Args:
        colptr: int64 ``[n + 1]``, as made by :func:`~techniques.sampling.kernels.csc.build_csc`.
        row: int32 or int64 ``[E]``; no edge leads from one graph to another. Arrays may be read-only or memory-mapped.
        graph_ptr: ``[G + 1]``, graph ``g`` has nodes ``graph_ptr[g]:graph_ptr[g + 1]``.

    Raises:
        ValueError: pointers that do not fit each other, or wrong dtypes.
    """

    def __init__(self, colptr: IntArray, row: IntArray, graph_ptr: IntArray) -> None:
        nodes = int(graph_ptr[-1]) if len(graph_ptr) else -1
        if nodes < 0 or graph_ptr[0] != 0 or bool((np.diff(graph_ptr) < 0).any()):
            raise ValueError("graph_ptr must rise from 0 to the number of nodes")
        self._colptr, self._row = checked_csc(colptr, row, nodes)
        self._ptr = read_only(np.ascontiguousarray(graph_ptr, np.int64))

    @property
    def num_graphs(self) -> int:
        return len(self._ptr) - 1

    def gather(self, graphs: IntArray, *, with_edge: bool = False, local_dtype: DTypeLike = np.int64) -> GatheredGraphs:
        """These graphs in this order; a graph may come more than once.

        Args:
            graphs: ``[B]`` places in the set.
            with_edge: also return each edge's position in ``row``.
            local_dtype: dtype of ``col_source``, int64 or int32.

        Raises:
            ValueError: a graph outside the set, or another ``local_dtype``.
        """
        if np.dtype(local_dtype) not in (np.int32, np.int64):
            raise ValueError(f"local_dtype must be int32 or int64, got {np.dtype(local_dtype)}")
        if len(graphs) and not (graphs.min() >= 0 and graphs.max() < self.num_graphs):
            raise ValueError(f"graphs must lie in 0..{self.num_graphs - 1}, got {graphs.min()}..{graphs.max()}")
        chosen = read_only(np.ascontiguousarray(graphs, np.int64))
        graph_ptr, edge_ptr = np.zeros((2, len(chosen) + 1), np.int64)
        _measure(self._ptr, self._colptr, chosen, graph_ptr, edge_ptr)
        node = np.empty(graph_ptr[-1], np.int64)
        ptr = np.empty(graph_ptr[-1] + 1, np.int64)
        source = np.empty(edge_ptr[-1], local_dtype)
        edge = np.empty(edge_ptr[-1] if with_edge else 0, np.int64)
        ptr[-1] = edge_ptr[-1]
        _copy(self._ptr, self._colptr, self._row, chosen, graph_ptr, edge_ptr, node, ptr, source, edge)
        return GatheredGraphs(node, ptr, source, edge if with_edge else None, graph_ptr)

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)  # pickled arrays come back writable
        self._colptr, self._row, self._ptr = (read_only(one) for one in (self._colptr, self._row, self._ptr))


@kernel
def _measure(
    set_ptr: NDArray[np.int64], colptr: NDArray[np.int64], chosen: NDArray[np.int64], graph_ptr: NDArray[np.int64],
    edge_ptr: NDArray[np.int64],
) -> None:  # fmt: skip
    """Where the nodes and the edges of each gathered graph will begin."""
    for i in range(len(chosen)):
        g = np.uint64(chosen[i])
        first, last = set_ptr[g], set_ptr[g + np.uint64(1)]
        graph_ptr[i + 1] = graph_ptr[i] + last - first
        edge_ptr[i + 1] = edge_ptr[i] + colptr[last] - colptr[first]


@kernel
def _copy(
    set_ptr: NDArray[np.int64], colptr: NDArray[np.int64], row: IntArray, chosen: NDArray[np.int64],
    graph_ptr: NDArray[np.int64], edge_ptr: NDArray[np.int64], node: NDArray[np.int64],
    ptr: NDArray[np.int64], source: IntArray, edge: NDArray[np.int64],
) -> None:  # fmt: skip
    """Copy both runs of every graph; ``edge`` is empty where positions are not asked for."""
    for i in range(len(chosen)):
        first, at = set_ptr[np.uint64(chosen[i])], graph_ptr[i]
        edges, to_edge = colptr[first], edge_ptr[i]
        for j in range(np.uint64(graph_ptr[i + 1] - at)):
            place = np.uint64(at) + j
            node[place] = np.uint64(first) + j
            ptr[place] = colptr[np.uint64(first) + j] - edges + to_edge
        for j in range(np.uint64(edge_ptr[i + 1] - to_edge)):
            source[np.uint64(to_edge) + j] = row[np.uint64(edges) + j] - first + at
        if len(edge):
            for j in range(np.uint64(edge_ptr[i + 1] - to_edge)):
                edge[np.uint64(to_edge) + j] = np.uint64(edges) + j
