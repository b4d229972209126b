"""Neighbour sampling; ``torch_geometric.loader.NeighborLoader`` does the same where pyg-lib is installed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from tuner.export.plain.sampling import InEdges, as_ids, cut


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
        seeds = self.seeds[torch.tensor(places)]
        local = torch.full((self.edges.num_nodes,), -1)
        local[seeds] = torch.arange(len(seeds))
        nodes, frontier, start = [seeds], seeds, 0
        pairs, kept, num_nodes, num_edges = [], [], [len(seeds)], []
        count = len(seeds)
        for most in self.fanouts:
            place, owner = self.edges.some(frontier, most)
            source = self.edges.source[place]
            new = source[local[source] < 0].unique()
            local[new] = count + torch.arange(len(new))
            pairs.append(torch.stack([local[source], start + owner]))
            kept.append(self.edges.edge[place])
            start, count = start + len(frontier), count + len(new)
            nodes.append(new)
            num_nodes.append(len(new))
            num_edges.append(len(place))
            frontier = new
        out = cut(self.data, torch.cat(nodes), torch.cat(kept))
        out.edge_index, out.batch_size, out.n_id = torch.cat(pairs, dim=1), len(seeds), torch.cat(nodes)
        out.num_sampled_nodes, out.num_sampled_edges = num_nodes, num_edges
        return out
