"""Cluster-GCN; ``torch_geometric.loader`` has the same two where pyg-lib or torch-sparse is installed."""

from typing import Any

import numpy as np
import pymetis
import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, remove_self_loops, to_undirected

from tuner.export.plain.sampling import InEdges, cut, edges_between


class ClusterData:
    """The nodes in ``num_parts`` parts by METIS (``pip install pymetis``)."""

    def __init__(self, data: Data, num_parts: int) -> None:
        self.data, self.edges = data, InEdges(data)
        both = coalesce(to_undirected(remove_self_loops(data.edge_index.cpu())[0], num_nodes=data.num_nodes))
        pointer = torch.cat(
            [torch.zeros(1, dtype=torch.long), both[0].bincount(minlength=self.edges.num_nodes).cumsum(0)]
        )
        member = np.zeros(self.edges.num_nodes, dtype=np.int64)
        if num_parts > 1:
            adjacency = pymetis.CSRAdjacency(adj_starts=pointer.numpy(), adjacent=both[1].numpy())
            _, found = pymetis.part_graph(num_parts, adjacency=adjacency)
            member = np.asarray(found)
        self.parts = [torch.from_numpy(np.flatnonzero(member == part)) for part in range(num_parts)]


class ClusterLoader(DataLoader[int]):
    """Batches of several parts with the edges inside and between them (Chiang et al., KDD 2019)."""

    def __init__(self, clusters: ClusterData, **kwargs: Any) -> None:
        self.clusters = clusters
        places: Any = range(len(clusters.parts))
        super().__init__(places, collate_fn=self.batch, **kwargs)

    def batch(self, parts: list[int]) -> Data:
        """The subgraph of these parts."""
        nodes = torch.cat([self.clusters.parts[part] for part in parts])
        edge_index, edges = edges_between(self.clusters.edges, nodes)
        out = cut(self.clusters.data, nodes, edges)
        out.edge_index = edge_index
        return out
