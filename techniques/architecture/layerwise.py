"""Exact inference in the memory of a few chunks, whatever the size of the graph: for graphs that training samples.

Layer by layer, as PyG's ``BasicGNN.inference``: every layer is finished for all nodes before the next begins, so no
neighbourhood is computed twice. What a layer says of all nodes goes to a file behind a memory map, and every chunk of
targets gathers the rows of its own neighbourhood only.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from techniques.architecture.chunks import INFERENCE_CHUNK_BYTES
from techniques.facts import FLOAT_BYTES
from techniques.hardware.heap import give_back_freed
from techniques.representation.block import Block, Csr, on_device
from techniques.sampling.kernels import NeighborKernel
from techniques.sampling.structure import INT32_MAX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.architecture.network import Network
    from techniques.remote.rows import RowStore
    from techniques.sampling.structure import Structure

FEWEST_ROWS = 32
"""Of a product, however wide they are: each reads the whole weight."""
Rows = Callable[["NDArray[np.int64]"], Tensor]


class InPieces(NamedTuple):
    """How a target is finished of which a chunk holds a part of the edges only (``pieces.Pieces``)."""

    piece: Callable[[Tensor, Block], Tensor]
    join: Callable[[Tensor, Tensor], Tensor]
    finish: Callable[[Tensor, Tensor, Block, int], Tensor]


class LayerWise:
    """Walks one graph's layers on ``device``; files go to ``folder`` and are gone with the tensors behind them.

    Args:
        chunk_bytes: rows that a chunk gathers, and rows that it makes, at once; a node with more neighbours than that is
            finished piece by piece.
    """

    columns_made = 1
    """Columns of the widest rows that a layer makes, its inner ones included."""

    def __init__(
        self, structure: Structure, device: torch.device, folder: Path, chunk_bytes: int = INFERENCE_CHUNK_BYTES
    ) -> None:
        self.structure, self.device, self.folder, self.chunk_bytes = structure, device, folder, chunk_bytes
        self.kernel = NeighborKernel(structure.colptr, structure.row, structure.num_nodes)
        self.degrees = structure.degrees()

    @torch.no_grad()
    def inference(self, network: Network, features: RowStore) -> Tensor:
        """What ``network`` says of every node in full neighbourhoods, [N, C] on the host."""
        was_training = network.training
        network.eval()
        self.columns_made = max(one.size(0) for one in network.convs.parameters() if one.dim() == 2)
        rows: Rows = features.rows
        if network.embedding is not None:
            table = network.embedding.weight
            rows = lambda ids: table[torch.from_numpy(ids).to(table.device)]  # noqa: E731
        out = network.over_chunks(self, rows)
        network.train(was_training)
        return out

    def layer(self, conv: Any, rows: Rows, *, active: bool) -> Tensor:
        """What a convolution says of every node; ``active`` adds a ReLU."""
        projected = self._projected(conv, rows)

        def combine(gathered: Tensor, block: Block, start: int) -> Tensor:
            made: Tensor = conv.combine(gathered, block, 0)
            return made.relu_() if active else made

        def finish(piece: Tensor, target: Tensor, block: Block, start: int) -> Tensor:
            made: Tensor = conv.finish(piece, target, block)
            return made.relu_() if active else made

        return self.by_neighborhood(combine, projected, InPieces(conv.piece, conv.join, finish))

    def by_neighborhood(
        self, combine: Callable[[Tensor, Block, int], Tensor], rows: Rows, pieces: InPieces | None = None
    ) -> Tensor:
        """``combine(rows of the sources [S, F], block, first target)`` for every node, [N, C] on the host; targets with more
        sources than a chunk holds by ``pieces`` of them, where these are given."""
        width = rows(np.zeros(1, np.int64)).size(1)
        out: Tensor | None = None
        most, targets = self._rows_per_chunk(width), self._rows_per_chunk(self.columns_made)
        for start, stop in self.runs(most, targets):
            block = self.structure.rows(start, stop)
            if pieces is not None and stop == start + 1 and block.num_edges >= max(most, 2):
                made = self._hub(pieces, rows, start, max(most - 1, 1))
            else:
                ids, block = self.neighborhood(start, stop)
                made = combine(rows(ids).to(self.device), on_device(block, self.device), start)
            out = self._table(made.size(1)) if out is None else out
            out[start:stop] = made
        assert out is not None, "a graph has at least one node"
        give_back_freed()  # what chunks of other sizes leave behind would add up
        return out

    def _hub(self, pieces: InPieces, rows: Rows, target: int, edges_at_once: int) -> Tensor:
        """What a layer says of one target, [1, C], some of its edges at a time: a row per edge, behind the target's own."""
        first, last = int(self.structure.colptr[target]), int(self.structure.colptr[target + 1])
        whole: Tensor | None = None
        attributes: Tensor | None = None
        for start in range(first, last, edges_at_once):
            stop = min(start + edges_at_once, last)
            ids = np.concatenate([[target], self.structure.row[start:stop]])
            block = on_device(self._star(ids, start, stop), self.device)
            gathered = rows(ids).to(self.device)
            piece = pieces.piece(gathered, block)
            whole = piece if whole is None else pieces.join(whole, piece)
            if block.edge_attr is not None:
                some = block.edge_attr.sum(0, keepdim=True)
                attributes = some if attributes is None else attributes.add_(some)
        assert whole is not None, "a hub has edges"
        if attributes is not None:  # those of the loop that attention adds
            block = block._replace(edge_attr=attributes.div_(last - first))
        return pieces.finish(whole, gathered[:1], block, target)

    def _star(self, ids: NDArray[np.int64], first: int, last: int) -> Block:
        """Edges ``first`` to ``last - 1`` of one target, which is source 0; the others follow in the edges' order."""
        count, edges = last - first, self.structure.edges.run(first, last)
        weight, attr = (None if one is None else torch.from_numpy(one) for one in (edges.weight, edges.attr))
        degrees = self.degrees[torch.from_numpy(ids)]
        if self.structure.fused:
            pointer, source = torch.tensor([0, count], dtype=torch.int32), torch.arange(1, count + 1, dtype=torch.int32)
            csr = Csr(pointer, source, torch.ones(count) if weight is None else weight, None, None)
            return Block(count + 1, 1, csr=csr, degrees=degrees)
        edge_index = torch.stack([torch.arange(1, count + 1), torch.zeros(count, dtype=torch.long)])
        return Block(count + 1, 1, edge_index=edge_index, weight=weight, degrees=degrees, edge_attr=attr)

    def by_row(self, function: Callable[[Tensor], Tensor], rows: Rows) -> Tensor:
        """``function(rows [B, F])`` for every node, [N, C] on the host."""
        given = rows(np.zeros(1, np.int64)).to(self.device)
        made = function(given)
        step = max(self._rows_per_chunk(max(given.size(1), made.size(1), self.columns_made)), FEWEST_ROWS)
        table = self._table(made.size(1))
        for start in range(0, self.structure.num_nodes, step):
            ids = np.arange(start, min(start + step, self.structure.num_nodes))
            table[start : start + ids.size] = function(rows(ids).to(self.device))
        give_back_freed()
        return table

    def _projected(self, conv: Any, rows: Rows) -> Rows:
        """Rows after the half that needs no neighbours; the rows themselves where a layer sums them first."""
        given = rows(np.zeros(1, np.int64)).to(self.device)
        return rows if conv.transform(given) is given else rows_of(self.by_row(conv.transform, rows))

    def chosen(self, every: Tensor, nodes: Tensor) -> Tensor:
        """Rows of ``every`` [N, C] for some nodes [B], on the host, in memory or on disk as a layer's."""
        out, step = self._table(every.size(1), nodes.numel()), self._rows_per_chunk(every.size(1))
        for start in range(0, nodes.numel(), step):
            out[start : start + step] = every[nodes[start : start + step]]
        return out

    def runs(self, max_rows: int, max_targets: int = INT32_MAX) -> Iterator[tuple[int, int]]:
        """First targets, and ends, of runs whose targets and in-edges together are at most ``max_rows``, or one target's."""
        structure, start, colptr = self.structure, 0, self.structure.colptr
        while start < structure.num_nodes:
            most = int(colptr[start]) + start + max_rows  # edges and targets up to a node rise with it
            every = range(start + 1, structure.num_nodes + 1)
            stop = start + max(bisect_right(every, most, key=lambda node: int(colptr[node]) + node), 1)
            stop = min(stop, start + max_targets)
            yield start, stop
            start = stop

    def neighborhood(self, start: int, stop: int) -> tuple[NDArray[np.int64], Block]:
        """Ids of the sources [S] of some targets, which come first, and the block over them."""
        hop = self.kernel.sample(np.arange(start, stop), [-1], 0, local_dtype=np.int32)
        return hop.node, self._block(start, stop, hop.node, hop.col_source)

    def _block(self, start: int, stop: int, ids: NDArray[np.int64], source: NDArray[np.integer]) -> Block:
        """The rows of the graph's own matrix with sources by their place in ``ids``."""
        block = self.structure.rows(start, stop)._replace(num_sources=ids.size, degrees=self.degrees[ids])
        local = torch.from_numpy(source)
        if block.csr is not None:
            return block._replace(csr=block.csr._replace(source=local))
        assert block.edge_index is not None, "full neighbourhoods are no dense matrices"
        return block._replace(edge_index=torch.stack([local.long(), block.edge_index[1]]))

    def _rows_per_chunk(self, columns: int) -> int:
        return max(self.chunk_bytes // (4 * columns), 1)

    def _table(self, columns: int, rows: int | None = None) -> Tensor:
        """[rows or N, columns] float32: in memory where it is no larger than the smallest chunk, else behind a file without a
        name."""
        most = min(self.chunk_bytes, INFERENCE_CHUNK_BYTES)
        return new_table(self.structure.num_nodes if rows is None else rows, columns, self.folder, most)


def new_table(rows: int, columns: int, folder: Path, most_bytes: int = INFERENCE_CHUNK_BYTES) -> Tensor:
    """[rows, columns] float32: in memory up to ``most_bytes``, else behind a file in ``folder`` that has no name.

    Raises:
        OSError: the disk has no room for it; a file with holes would end the process with SIGBUS at the first row instead.
    """
    size_bytes = FLOAT_BYTES * rows * columns
    if size_bytes <= most_bytes:
        return torch.empty(rows, columns)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="inference-") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size_bytes)
        return torch.from_file(file.name, shared=True, size=rows * columns).view(-1, columns)


def rows_of(table: Tensor) -> Rows:
    """Rows of a table by their ids."""
    return lambda ids: table.index_select(0, torch.from_numpy(ids))
