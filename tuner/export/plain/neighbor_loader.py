"""Neighbour sampling; ``torch_geometric.loader.NeighborLoader`` does the same where pyg-lib is installed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from tuner.export.plain.hops import around
from tuner.export.plain.sampling import InEdges, as_ids


class NeighborLoader(DataLoader[int]):
    """Batches of seed nodes with a few neighbours per hop; seeds come first (Hamilton et al., NeurIPS 2017)."""

    def __init__(self, data: Data, num_neighbors: Sequence[int], input_nodes: Any = None, **kwargs: Any) -> None:
        self.data, self.fanouts, self.edges = data, num_neighbors, InEdges(data)
        self.seeds = as_ids(input_nodes, self.edges.num_nodes)
        places: Any = range(len(self.seeds))
        if kwargs.get("sampler") is not None:
            places = range(self.edges.num_nodes)
            kwargs.pop("shuffle", None)
        super().__init__(places, collate_fn=self.batch, **kwargs)

    def batch(self, places: list[int]) -> Data:
        """What is sampled around these seeds."""
        return around(self.data, self.edges, self.seeds[torch.tensor(places)], self.fanouts)
