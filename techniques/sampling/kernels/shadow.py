"""Ego graphs of ShaDow-GNN: a small neighbourhood of each root, apart (Zeng et al., NeurIPS 2021, arXiv:2201.07858)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from techniques.sampling.kernels.ego_graph import EgoOutput, EgoScratch, sample_egos
from techniques.sampling.kernels.machine_code import IntArray, read_only
from techniques.sampling.kernels.pointers import degree_range, expand_ptr
from techniques.sampling.kernels.subgraph import checked_csc


@dataclass(frozen=True)
class EgoGraphs:
    """Ego graphs of a batch of roots, side by side and without edges between them.

    Attributes:
        node: int64 ``[total]``, global id of each local id; the nodes of graph ``i`` at ``node_ptr[i]:node_ptr[i + 1]``
            are distinct.
        node_ptr: int64 ``[B + 1]``.
        root: int64 ``[B]``, local id of each root.
        ptr: int64 ``[total + 1]``.
        col_source: ``[m]``, local ids of the sources of target ``t`` at ``ptr[t]:ptr[t + 1]``.
        edge: int64 ``[m]``, position of each edge in the CSC arrays, or None where not asked for.
    """

    node: NDArray[np.int64]
    node_ptr: NDArray[np.int64]
    root: NDArray[np.int64]
    ptr: NDArray[np.int64]
    col_source: IntArray
    edge: NDArray[np.int64] | None

    def col_target(self) -> IntArray:
        """The local id of each edge's target, ``[m]``: the second row of an edge list."""
        target = np.empty_like(self.col_source)
        expand_ptr(self.ptr, target)
        return target


class ShadowKernel:
    """Samples ego graphs of one graph; any number of threads may call :meth:`sample` at the same time.

    Each thread keeps the arrays of its largest batch, one byte per edge of the largest in-degree, and a table of the
    nodes of one ego graph, which fits in the cache; nothing is as long as the graph.

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
        smallest, largest = degree_range(self._colptr)
        if smallest < 0:
            raise ValueError(f"colptr must rise from 0 to the {len(row)} entries of row")
        self.num_nodes = num_nodes
        self.max_degree = int(largest)
        self._local = threading.local()

    def sample(
        self,
        roots: IntArray,
        depth: int,
        num_neighbors: int,
        seed: int,
        *,
        replace: bool = False,
        by_root: bool = False,
        with_edge: bool = False,
        local_dtype: DTypeLike = np.int64,
    ) -> EgoGraphs:
        """Sample the ego graph of each root: the subgraph induced by a sampled neighbourhood.

        Hop by hop, each node found at the hop before chooses ``num_neighbors`` of its in-edges; all edges of the graph
        between the nodes found belong to the ego graph, also those that no node chose.

        Args:
            roots: global ids ``[B]``; a repeated root has an ego graph of its own each time.
            depth: number of hops.
            num_neighbors: in-edges that each node chooses; -1 takes all.
            seed: equal seeds give equal results, on whatever thread; the choices of root ``i`` depend on ``seed`` and
                ``i`` only.
            by_root: let the choices depend on ``seed`` and the root's id instead of its place: a node then has the same
                ego graph whatever batch it is in.
            replace: choose with replacement; otherwise a node with at most ``num_neighbors`` in-edges takes all.
            with_edge: also return each edge's position in ``row``.
            local_dtype: dtype of ``col_source``, int64 or int32.

        Raises:
            ValueError: a negative depth, ``num_neighbors`` below -1, a root outside the graph, or another
                ``local_dtype``.
        """
        self._check(roots, depth, num_neighbors, np.dtype(local_dtype))
        scratch = self._borrow()
        first, start, roots = 0, np.uint64(seed % 2**64), read_only(roots)
        node_ptr, needed = np.zeros(len(roots) + 1, np.int64), np.zeros(3, np.int64)
        while True:
            first = sample_egos(
                self._colptr, self._row, roots, depth, num_neighbors, replace, start, by_root, with_edge, first, node_ptr,
                scratch.ego, scratch.out, needed,
            )  # fmt: skip
            if first == len(roots):
                break
            scratch.make_room(*needed)
        self._local.scratch = scratch
        return _cut(scratch.out, node_ptr, with_edge, np.dtype(local_dtype))

    def _check(self, roots: IntArray, depth: int, num_neighbors: int, local_dtype: np.dtype[Any]) -> None:
        if local_dtype not in (np.int32, np.int64):
            raise ValueError(f"local_dtype must be int32 or int64, got {local_dtype}")
        for name, value in (("depth", depth), ("num_neighbors", num_neighbors)):
            if not isinstance(value, (int, np.integer)):  # machine code would misread a float
                raise ValueError(f"{name} must be a whole number, got {value!r}")
        if roots.dtype.kind != "i":
            raise ValueError(f"roots must be node ids, got {roots.dtype}")
        if depth < 0:
            raise ValueError(f"depth must be at least 0, got {depth}")
        if num_neighbors < -1:
            raise ValueError(f"num_neighbors must be at least 0, or -1 for all, got {num_neighbors}")
        if len(roots) and not (roots.min() >= 0 and roots.max() < self.num_nodes):
            raise ValueError(f"roots must lie in 0..{self.num_nodes - 1}, got {roots.min()}..{roots.max()}")

    def _borrow(self) -> EgoScratch:
        scratch: EgoScratch | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        return scratch if scratch is not None else EgoScratch(self.max_degree)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _local=threading.local())
        self._colptr, self._row = read_only(self._colptr), read_only(self._row)  # pickled arrays come back writable


def _cut(out: EgoOutput, node_ptr: NDArray[np.int64], with_edge: bool, local_dtype: np.dtype[Any]) -> EgoGraphs:
    ptr = out.ptr[: node_ptr[-1] + 1].copy()
    source = out.source[: ptr[-1]].astype(local_dtype)
    edge = out.edge[: ptr[-1]].copy() if with_edge else None
    return EgoGraphs(out.node[: node_ptr[-1]].copy(), node_ptr, node_ptr[:-1].copy(), ptr, source, edge)
