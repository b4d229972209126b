"""Random parts of the nodes and the subgraphs that they induce."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from techniques.errors import OptionError
from techniques.sampling.kernels import SubgraphKernel
from techniques.sampling.loader.graph import cut_attributes, edge_list, sort_edges


class RandomNodeLoader(DataLoader[int]):
    """Splits the nodes into ``num_parts`` parts, random ones with ``shuffle=True``; a batch is the subgraph of a part.

    A drop-in for ``torch_geometric.loader.RandomNodeLoader``, for homogeneous graphs. A batch takes time in proportion
    to the part's edges, where PyG's passes over all edges of the graph. Batches hold the same nodes, edges and
    attributes, but edges are grouped by target.

    Args:
        data: the graph.
        num_parts: parts per epoch, at least 1; each has ``ceil(n / num_parts)`` nodes, the last one what is left.
        **kwargs: of ``torch.utils.data.DataLoader``, such as ``shuffle`` and ``num_workers``.

    Raises:
        OptionError: ``num_parts`` below 1, or ``data`` is not homogeneous.
        GraphError: ``data`` has no ``edge_index``.
    """

    def __init__(self, data: Data, num_parts: int, **kwargs: Any) -> None:
        if num_parts < 1:
            raise OptionError(f"num_parts must be at least 1, got {num_parts}", "Ask for 1 or more parts")
        for name in ("dataset", "collate_fn"):  # PyTorch Lightning passes these when it builds anew
            kwargs.pop(name, None)
        self.edges = sort_edges(data, "RandomNodeLoader")
        self.kernel = SubgraphKernel(self.edges.colptr, self.edges.row, self.edges.num_nodes)
        self.data, self.num_parts = data, num_parts
        self.kernel.induced(np.empty(0, np.int64), with_edge=True)  # compiles here, and not again in every worker
        size = max(1, math.ceil(data.num_nodes / num_parts))
        nodes: Any = range(data.num_nodes)
        super().__init__(nodes, batch_size=size, collate_fn=self.collate_fn, **kwargs)

    def collate_fn(self, index: list[int]) -> Data:
        """The subgraph that the nodes ``index`` induce."""
        subgraph = self.kernel.induced(np.asarray(index, dtype=np.int64), with_edge=True)
        out = copy.copy(self.data)
        for name, value in cut_attributes(
            self.data, torch.from_numpy(subgraph.node), self.edges.positions(subgraph.edge)
        ):
            out[name] = value
        out.edge_index = edge_list(subgraph).to(self.data.edge_index.device)
        if "num_nodes" in self.data:
            out.num_nodes = len(subgraph.node)
        return out
