"""Neighbour sampling by edge type; ``torch_geometric.loader.NeighborLoader`` does the same where pyg-lib is installed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data, HeteroData

from tuner.export.plain.sampling import InEdges, as_ids


class NeighborLoader(DataLoader[int]):
    """Batches of seed nodes of one type, which come first, with a few in-edges of every type per node and hop."""

    def __init__(
        self, data: HeteroData, num_neighbors: Sequence[int], input_nodes: tuple[str, Any], **kwargs: Any
    ) -> None:
        self.data, self.fanouts, self.target = data, num_neighbors, input_nodes[0]
        self.sizes = {kind: int(data[kind].num_nodes) for kind in data.node_types}
        self.edges = {
            key: InEdges(Data(edge_index=data[key].edge_index, num_nodes=self.sizes[key[2]])) for key in data.edge_types
        }
        self.seeds = as_ids(input_nodes[1], self.sizes[self.target])
        places: Any = range(len(self.seeds))
        super().__init__(places, collate_fn=self.batch, **kwargs)

    def batch(self, places: list[int]) -> HeteroData:
        """What is sampled around these seeds."""
        seeds = self.seeds[torch.tensor(places)]
        local = {kind: torch.full((size,), -1) for kind, size in self.sizes.items()}
        local[self.target][seeds] = torch.arange(len(seeds))
        nodes = {kind: seeds if kind == self.target else seeds[:0] for kind in self.sizes}
        start = dict.fromkeys(self.sizes, 0)  # those found last, whose in-edges are drawn next, begin here
        pairs: dict[Any, list[torch.Tensor]] = {key: [] for key in self.edges}
        for most in self.fanouts:
            count = {kind: len(known) for kind, known in nodes.items()}
            for key, edges in self.edges.items():
                source, _, target = key
                place, owner = edges.some(nodes[target][start[target] : count[target]], most)
                found = edges.source[place]
                new = found[local[source][found] < 0].unique()
                local[source][new] = len(nodes[source]) + torch.arange(len(new))
                nodes[source] = torch.cat([nodes[source], new])
                pairs[key].append(torch.stack([local[source][found], start[target] + owner]))
            start = count
        return self.cut(nodes, {key: torch.cat(parts, dim=1) for key, parts in pairs.items()}, len(seeds))

    def cut(self, nodes: dict[str, torch.Tensor], edges: dict[Any, torch.Tensor], num_seeds: int) -> HeteroData:
        """Features and labels of these nodes, beside their ids ``n_id``."""
        out = HeteroData()
        for kind, ids in nodes.items():
            out[kind].n_id, out[kind].num_nodes = ids, len(ids)
            for name in ("x", "y"):
                if self.data[kind].get(name) is not None:
                    out[kind][name] = self.data[kind][name][ids]
        for key, edge_index in edges.items():
            out[key].edge_index = edge_index
        out[self.target].batch_size = num_seeds
        return out
