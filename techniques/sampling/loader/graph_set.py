"""Batches of whole graphs out of one ``Data`` that holds them all, side by side."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from techniques.errors import OptionError
from techniques.sampling.graph_cuts import even_cuts
from techniques.sampling.kernels import GraphSetKernel
from techniques.sampling.loader.graph import cut_attributes, edge_list, sort_edges

COSTS = ("nodes", "edges")


class GraphLoader:
    """Iterates over batches of graphs: what ``torch_geometric.loader.DataLoader`` makes of a list of ``Data``.

    The set is one ``Data`` with ``ptr`` [G + 1]: graph ``g`` has nodes ``ptr[g]:ptr[g + 1]``. A batch is copied out of it
    by a kernel, with no Python per graph. It holds the same nodes, edges and attributes as PyG's, with ``batch``, ``ptr``
    and ``num_graphs``, but edges are grouped by target. Every chosen graph is in one batch of an epoch.

    Args:
        data: the set; attributes of length G are cut to the graphs of the batch.
        graphs: which graphs to iterate over: [G] bool, places, or ``None`` for all.
        batch_size: graphs per batch; the last batch has what is left.
        batch_cost: instead, nodes (or edges) that a batch should have: the epoch has as many batches as cost that on
            average, cut where the running cost passes each multiple of its share.
        cost: ``nodes`` or ``edges``.
        shuffle: a new random order in every epoch, from torch's generator.

    Raises:
        OptionError: neither or both of ``batch_size`` and ``batch_cost``, or a value below 1.
    """

    def __init__(
        self,
        data: Data,
        graphs: Tensor | None = None,
        *,
        batch_size: int | None = None,
        batch_cost: int | None = None,
        cost: str = "nodes",
        shuffle: bool = False,
    ) -> None:
        if (batch_size is None) == (batch_cost is None) or (batch_size or batch_cost or 0) < 1:
            raise OptionError(
                f"one of batch_size and batch_cost must be 1 or more, got {batch_size} and {batch_cost}",
                "Give batch_size=64, or batch_cost=2000 for batches of even cost",
            )
        if cost not in COSTS:
            raise OptionError(f"cost must be nodes or edges, got {cost!r}", "Write cost='nodes'")
        self.edges = sort_edges(data, "GraphLoader")
        pointer: NDArray[np.int64] = data.ptr.cpu().numpy().astype(np.int64)
        self.kernel = GraphSetKernel(self.edges.colptr, self.edges.row, pointer)
        self.data, self.shuffle, self.batch_size = data, shuffle, batch_size
        self.graphs = _places(graphs, self.kernel.num_graphs)
        sizes = np.diff(pointer if cost == "nodes" else self.edges.colptr[pointer])
        self.costs: NDArray[np.int64] = sizes[self.graphs]
        if batch_cost is None:
            self.steps = -(-len(self.graphs) // int(batch_size or 1))
        else:
            self.steps = min(max(1, round(int(self.costs.sum()) / batch_cost)), max(len(self.graphs), 1))

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.steps

    def __iter__(self) -> Iterator[Data]:
        count = len(self.graphs)
        order = torch.randperm(count).numpy() if self.shuffle else np.arange(count)
        if self.batch_size is not None:
            runs = [order[start : start + self.batch_size] for start in range(0, count, self.batch_size)]
        else:
            runs = even_cuts(order, self.costs, self.steps) if count else []
        for run in runs:
            yield self.collate(self.graphs[run])

    def collate(self, graphs: NDArray[np.int64]) -> Data:
        """These graphs as one ``Data``."""
        gathered = self.kernel.gather(graphs, with_edge=True)
        out = copy.copy(self.data)
        chosen = torch.from_numpy(graphs)
        for name, value in cut_attributes(
            self.data, torch.from_numpy(gathered.node), self.edges.positions(gathered.edge)
        ):
            per_graph = isinstance(value, Tensor) and value.dim() and value.size(0) == self.kernel.num_graphs
            out[name] = value[chosen.to(value.device)] if per_graph and value is self.data[name] else value
        out.edge_index = edge_list(gathered).to(self.data.edge_index.device)
        out.ptr = torch.from_numpy(gathered.graph_ptr)
        out.batch = torch.repeat_interleave(out.ptr.diff())
        out.num_nodes, out.num_graphs = len(gathered.node), len(graphs)
        return out


def _places(graphs: Any, count: int) -> NDArray[np.int64]:
    if graphs is None:
        return np.arange(count)
    chosen = graphs.nonzero().flatten() if graphs.dtype == torch.bool else graphs
    places: NDArray[np.int64] = chosen.cpu().numpy().astype(np.int64)
    return places
