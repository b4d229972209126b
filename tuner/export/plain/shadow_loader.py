"""ShaDow; ``torch_geometric.loader.ShaDowKHopSampler`` does the same where torch-sparse is installed."""

from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data

from tuner.export.plain.sampling import InEdges, as_ids, cut


class ShaDowKHopSampler(DataLoader[int]):
    """A subgraph of its own around each root (Zeng et al., NeurIPS 2021)."""

    def __init__(self, data: Data, depth: int, num_neighbors: int, node_idx: Any = None, **kwargs: Any) -> None:
        self.data, self.edges = data, InEdges(data)
        self.depth, self.num_neighbors = depth, num_neighbors
        self.roots = as_ids(node_idx, self.edges.num_nodes)
        places: Any = range(len(self.roots))
        if kwargs.get("sampler") is not None:
            places = range(self.edges.num_nodes)
            kwargs.pop("shuffle", None)
        super().__init__(places, collate_fn=self.batch, **kwargs)

    def batch(self, places: list[int]) -> Batch:
        """The ego graphs of these roots, side by side; a node of two is there twice, as ``root * N + node``."""
        roots, size = self.roots[torch.tensor(places)], self.edges.num_nodes
        found = frontier = torch.arange(len(roots)) * size + roots
        for _ in range(self.depth):
            place, owner = self.edges.some(frontier % size, self.num_neighbors)
            new = (frontier[owner] // size * size + self.edges.source[place]).unique()
            frontier = new[~torch.isin(new, found)]
            found = torch.cat([found, frontier])
        found = found.sort().values
        place, owner = self.edges.of(found % size)
        source = found[owner] // size * size + self.edges.source[place]
        at = torch.searchsorted(found, source).clamp(max=len(found) - 1)
        inside = found[at] == source
        out = cut(self.data, found % size, self.edges.edge[place[inside]])
        owners = found // size
        pointer = torch.cat([owners.new_zeros(1), owners.bincount(minlength=len(roots)).cumsum(0)])
        batch = Batch(batch=owners, ptr=pointer, **out.to_dict())
        batch.edge_index = torch.stack([at[inside], owner[inside]])
        batch.root_n_id = torch.searchsorted(found, torch.arange(len(roots)) * size + roots)
        batch.y = self.data.y[roots]
        return batch
