"""Neighbour sampling for links; ``torch_geometric.loader.LinkNeighborLoader`` does the same where pyg-lib is installed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from tuner.export.plain.hops import around
from tuner.export.plain.sampling import InEdges


class LinkNeighborLoader(DataLoader[int]):
    """Batches of edges, and of ``amount`` random pairs for each, with a few neighbours per hop around all of their ends.

    Both ends of a random pair are drawn among all nodes: now and then it is an edge, as with PyG's loader.
    """

    def __init__(
        self,
        data: Data,
        num_neighbors: Sequence[int],
        edge_label_index: torch.Tensor,
        neg_sampling: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        self.data, self.fanouts, self.edges = data, num_neighbors, InEdges(data)
        self.positive, self.negatives = edge_label_index, int(neg_sampling["amount"])
        places: Any = range(edge_label_index.size(1))
        super().__init__(places, collate_fn=self.batch, **kwargs)

    def batch(self, places: list[int]) -> Data:
        """What is sampled around these edges and their random pairs, ``edge_label_index`` [2, B] in its places."""
        random = torch.randint(self.edges.num_nodes, (2, self.negatives * len(places)))
        pairs: Any = torch.cat([self.positive[:, torch.tensor(places)], random], dim=1)
        seeds, local = pairs.unique(return_inverse=True)
        out = around(self.data, self.edges, seeds, self.fanouts)
        out.edge_label_index = local
        out.edge_label = (torch.arange(pairs.size(1)) < len(places)).float()
        return out
