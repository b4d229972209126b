"""The graph's edges in memory, by target node (CSC): what samplers draw from and inference walks over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from techniques.representation.block import Block, Csr, Dense
from techniques.sampling.edge_data import NO_EDGE_DATA, EdgeData, weight_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT32_MAX = 2**31 - 1


@dataclass
class Structure:
    """In-edges of every node.

    Shapes: ``colptr`` [N + 1] int64; ``row`` [E] sources, int32 (int64 from 2**31 nodes on), grouped by target.
    ``fused`` says whether blocks are CSR (fused product) or COO; ``dense`` that training multiplies by a dense matrix.
    """

    colptr: NDArray[np.int64]
    row: NDArray[np.integer]
    undirected: bool
    fused: bool = False
    edges: EdgeData = NO_EDGE_DATA
    """Weights and attributes that the layers read, in the order of ``row``."""
    dense: bool = False
    matrix: Dense | None = None
    """All edges, from the first use of :meth:`whole` on where ``dense``."""
    every: Block | None = None
    """The block of a sparse :meth:`whole`, from then on: inference on the whole graph makes no second one."""

    @staticmethod
    def build(
        edge_index: NDArray[np.integer],
        num_nodes: int,
        undirected: bool,
        drop_self_loops: bool,
        edges: EdgeData = NO_EDGE_DATA,
    ) -> Structure:
        """Sort edges [2, E] by target.

        ``drop_self_loops`` is for layers that add a loop of their own to every node (GCN, GAT): PyG replaces stored
        loops there too. ``edges`` in the order of ``edge_index`` come along.
        """
        from techniques.sampling.kernels import build_csc

        kept = None
        if drop_self_loops:
            keep = np.asarray(edge_index[0] != edge_index[1])
            if not keep.all():
                edge_index = np.ascontiguousarray(edge_index[:, keep])
                kept = np.flatnonzero(keep) if edges.given else None
        colptr, row, position = build_csc(edge_index, num_nodes, with_permutation=edges.given)
        if kept is not None:
            position = kept[position]
        return Structure(colptr, row, undirected, edges=edges.at(position))

    @property
    def num_nodes(self) -> int:
        return int(self.colptr.size - 1)

    @property
    def num_edges(self) -> int:
        return int(self.row.size)

    def degrees(self) -> torch.Tensor:
        """In-degree of every node, [N] float32: the sum of its in-edges' weights where they have some."""
        if self.edges.weight is not None:
            return torch.from_numpy(weight_sums(self.colptr, self.edges.weight))
        return torch.from_numpy(np.diff(self.colptr).astype(np.float32))

    def chunk_end(self, start: int, max_edges: int) -> int:
        """End of the longest run of targets from ``start`` with at most ``max_edges`` edges; at least one target."""
        end = int(np.searchsorted(self.colptr, self.colptr[start] + max_edges, side="right")) - 1
        return min(max(end, start + 1), self.num_nodes)

    def rows(self, start: int, stop: int) -> Block:
        """In-edges of targets ``start`` to ``stop - 1`` from all nodes, for inference: a view of a dense matrix that is
        there already."""
        if self.matrix is not None:
            part = Dense(*(one[start:stop] for one in self.matrix))
            return Block(self.num_nodes, stop - start, dense=part)
        if self.every is not None and stop - start == self.num_nodes:
            return self.every
        first, last = int(self.colptr[start]), int(self.colptr[stop])
        source = self.row[first:last]
        pointer = self.colptr[start : stop + 1] - first
        edges = self.edges.run(first, last)
        weight, attr = (None if one is None else torch.from_numpy(one) for one in (edges.weight, edges.attr))
        if self.fused:
            values = self._ones_of(source.size) if weight is None else weight
            csr = Csr(_index(pointer, last - first), torch.from_numpy(source), values, None, None)
            return Block(self.num_nodes, stop - start, csr=csr)
        return Block(self.num_nodes, stop - start, edge_index=_coo(pointer, source), weight=weight, edge_attr=attr)

    def _ones_of(self, count: int) -> torch.Tensor:
        """What edges without weights count in a fused product."""
        made = None if self.every is None else self.every.csr
        return torch.ones(count) if made is None else made.values[:count]

    def whole(self) -> Block:
        """All edges, with the transposed copy that training needs; an undirected graph is its own transpose where both
        directions of its edges weigh the same."""
        if self.dense and self.matrix is None:
            self.matrix = dense_matrix(self.colptr, self.row, self.num_nodes, self.edges.weight)
        block = self.rows(0, self.num_nodes)
        self.every = None if self.dense else block
        if self.edges.weight is not None:
            block = block._replace(degrees=self.degrees())
        if block.csr is None:
            return block
        if self.shares_values:
            return block._replace(
                csr=block.csr._replace(transposed_ptr=block.csr.ptr, transposed_target=block.csr.source)
            )
        if self.edges.weight is not None:
            return block._replace(csr=with_weighted_transpose(block.csr, self.num_nodes))
        return block._replace(csr=with_transpose(block.csr, self.num_nodes))

    @property
    def shares_values(self) -> bool:
        """Whether the matrix of all edges, and of every induced subgraph, is its own transpose."""
        return self.undirected and (self.edges.weight is None or self.edges.symmetric)


def dense_matrix(
    ptr: NDArray[np.integer],
    source: NDArray[np.integer],
    num_sources: int,
    weight: NDArray[np.float32] | None = None,
) -> Dense:
    """Edges by target as a matrix over all pairs, 4 T S bytes; parallel edges add up."""
    from techniques.sampling.kernels import fill_dense

    values = torch.from_numpy(fill_dense(ptr, source, num_sources, weight))
    return Dense(values, torch.from_numpy(np.diff(ptr).astype(np.float32)))


def with_transpose(csr: Csr, num_sources: int) -> Csr:
    """The same edges, sorted by source as well."""
    from techniques.sampling.kernels import transpose_csr

    pointer, index = transpose_csr(csr.ptr.numpy(), csr.source.numpy(), num_sources)
    return csr._replace(
        transposed_ptr=_index(pointer, index.size),
        transposed_target=torch.from_numpy(index.astype(np.int32, copy=False)),
    )


def with_weighted_transpose(csr: Csr, num_sources: int) -> Csr:
    """The same where edges have values."""
    from techniques.sampling.kernels import transpose_weighted_csr

    pointer, index, values = transpose_weighted_csr(
        csr.ptr.numpy(), csr.source.numpy(), csr.values.numpy(), num_sources
    )
    return csr._replace(
        transposed_ptr=_index(pointer, index.size),
        transposed_target=torch.from_numpy(index.astype(np.int32, copy=False)),
        transposed_values=torch.from_numpy(values),
    )


def _index(pointer: NDArray[np.integer], num_edges: int) -> torch.Tensor:
    dtype = np.int32 if num_edges <= INT32_MAX else np.int64
    return torch.from_numpy(pointer.astype(dtype, copy=False))


def _coo(pointer: NDArray[np.integer], source: NDArray[np.integer]) -> torch.Tensor:
    edge_index = torch.empty((2, source.size), dtype=torch.int64)
    edge_index[0] = torch.from_numpy(source)
    counts = torch.from_numpy(np.diff(pointer))
    edge_index[1] = torch.repeat_interleave(counts, output_size=source.size)
    return edge_index
