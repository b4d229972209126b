"""The edges of a heterogeneous graph in memory, by relation and target node (CSC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.representation.block import Block, Csr
from techniques.sampling.kernels.hetero_neighbor import HeteroNeighborKernel, TypedEdges
from techniques.sampling.structure import _coo, _index, with_transpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from techniques.architecture.hetero.relation import Relation


@dataclass
class HeteroStructure:
    """In-edges of every node by relation.

    Shapes: ``colptr[r]`` [T + 1] int64 and ``row[r]`` [E_r] int32, local ids of sources grouped by target. ``num_nodes``
    counts the nodes of every type. ``fused`` says whether blocks are CSR (fused product) or COO.
    """

    num_nodes: tuple[int, ...]
    relations: tuple[Relation, ...]
    colptr: list[NDArray[np.int64]]
    row: list[NDArray[np.integer[Any]]]
    fused: bool = False

    @staticmethod
    def build(
        num_nodes: Sequence[int], relations: Sequence[Relation], edges: list[NDArray[np.int32]]
    ) -> HeteroStructure:
        """Sort the edges of every stored type [2, E_r], once for each relation made of it; ``edges`` is emptied."""
        colptr: list[Any] = [None] * len(relations)
        row: list[Any] = [None] * len(relations)
        by_stored: dict[int, list[int]] = {}
        for place, one in enumerate(relations):
            by_stored.setdefault(one.stored, []).append(place)
        for stored in range(len(edges)):
            for place in by_stored.get(stored, []):
                colptr[place], row[place] = _sorted(edges[stored], relations[place], num_nodes)
            edges[stored] = np.empty((2, 0), np.int32)
        return HeteroStructure(tuple(num_nodes), tuple(relations), colptr, row)

    def kernel(self) -> HeteroNeighborKernel:
        """Our sampler over it."""
        parts = zip(self.relations, self.colptr, self.row, strict=True)
        edges = [TypedEdges(one.source, one.target, colptr, row) for one, colptr, row in parts]
        return HeteroNeighborKernel(self.num_nodes, edges)

    @property
    def num_edges(self) -> int:
        return sum(row.size for row in self.row)

    def degrees(self, kind: int) -> torch.Tensor:
        """In-degree of every node of a type over all relations, [N_t] float32."""
        total = np.zeros(self.num_nodes[kind], np.float32)
        for one, colptr in zip(self.relations, self.colptr, strict=True):
            if one.target == kind:
                total += np.diff(colptr)
        return torch.from_numpy(total)

    def chunk_end(self, places: Sequence[int], start: int, stop: int, max_edges: int) -> int:
        """End of the longest run of targets from ``start`` with at most ``max_edges`` in-edges of these relations."""
        low, high = start + 1, stop
        while low < high:  # the sum of pointers rises with the target
            middle = (low + high + 1) // 2
            edges = sum(int(self.colptr[place][middle] - self.colptr[place][start]) for place in places)
            low, high = (middle, high) if edges <= max_edges else (low, middle - 1)
        return min(low, stop)

    def rows(self, place: int, start: int, stop: int) -> Block:
        """In-edges, by one relation, of targets ``start`` to ``stop - 1``, for inference."""
        one = self.relations[place]
        first, last = int(self.colptr[place][start]), int(self.colptr[place][stop])
        source, pointer = self.row[place][first:last], self.colptr[place][start : stop + 1] - first
        sources = self.num_nodes[one.source]
        if self.fused:
            csr = Csr(_index(pointer, last - first), torch.from_numpy(source), torch.ones(source.size), None, None)
            return Block(sources, stop - start, csr=csr)
        return Block(sources, stop - start, edge_index=_coo(pointer, source))

    def whole(self, places: Sequence[int]) -> dict[int, Block]:
        """All edges of these relations with the transposed copy that training needs: that of a relation whose reverse
        is among them is the reverse itself."""
        blocks = {place: self.rows(place, 0, self.num_nodes[self.relations[place].target]) for place in places}
        if not self.fused:
            return blocks
        return {place: self._transposed(place, blocks) for place in places}

    def _transposed(self, place: int, blocks: dict[int, Block]) -> Block:
        block, mirror = blocks[place], self.relations[place].mirror
        assert block.csr is not None
        other = blocks[mirror].csr if mirror in blocks else None  # type: ignore[index]
        if other is not None:
            return block._replace(csr=block.csr._replace(transposed_ptr=other.ptr, transposed_target=other.source))
        return block._replace(csr=with_transpose(block.csr, block.num_sources))


def _sorted(edges: NDArray[np.int32], one: Relation, num_nodes: Sequence[int]) -> tuple[Any, Any]:
    """The counting sort wants ids of one range: that of the larger type, whose surplus targets have no edges."""
    from techniques.sampling.kernels import build_csc

    pairs = edges[::-1] if one.turned else edges
    targets = num_nodes[one.target]
    colptr, row, _ = build_csc(pairs, max(targets, num_nodes[one.source]))
    return np.ascontiguousarray(colptr[: targets + 1]), row
