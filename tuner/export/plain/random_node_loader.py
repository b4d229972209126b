"""Random parts of the nodes with the edges inside them."""

from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from tuner.export.plain.sampling import InEdges, cut, edges_between


class RandomNodeLoader(DataLoader[int]):
    """``num_parts`` parts per epoch, random ones with ``shuffle=True``."""

    def __init__(self, data: Data, num_parts: int, **kwargs: Any) -> None:
        self.data, self.edges = data, InEdges(data)
        places: Any = range(self.edges.num_nodes)
        size = -(-self.edges.num_nodes // num_parts)
        super().__init__(places, batch_size=size, collate_fn=self.batch, **kwargs)

    def batch(self, nodes: list[int]) -> Data:
        """The subgraph of these nodes."""
        chosen = torch.tensor(nodes)
        edge_index, edges = edges_between(self.edges, chosen)
        out = cut(self.data, chosen, edges)
        out.edge_index = edge_index
        return out
