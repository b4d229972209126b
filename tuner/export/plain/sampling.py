"""Neighbours of nodes, and edges between nodes: what the loaders below are made of, in plain torch."""

from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.utils import index_sort


class InEdges:
    """The edges of a graph grouped by target."""

    def __init__(self, data: Data) -> None:
        source, target = data.edge_index.cpu()
        self.num_nodes = int(data.num_nodes or 0)
        _, self.edge = index_sort(target, self.num_nodes)
        self.source = source[self.edge]
        self.pointer = torch.cat(
            [torch.zeros(1, dtype=torch.long), target.bincount(minlength=self.num_nodes).cumsum(0)]
        )

    def of(self, nodes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Places of all in-edges of these nodes, and which of ``nodes`` each belongs to."""
        count = self.pointer[nodes + 1] - self.pointer[nodes]
        owner = torch.repeat_interleave(count)
        first = torch.cat([count.new_zeros(1), count.cumsum(0)])[:-1]
        return self.pointer[nodes][owner] + torch.arange(len(owner)) - first[owner], owner

    def some(self, nodes: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """At most so many of them, drawn without replacement; -1 is all."""
        place, owner = self.of(nodes)
        if most < 0 or not len(place):
            return place, owner
        shuffled = torch.rand(len(place)).argsort()
        shuffled = shuffled[owner[shuffled].argsort(stable=True)]  # grouped by owner, random inside
        grouped = owner[shuffled]
        first = torch.cat([grouped.new_zeros(1), owner.bincount(minlength=len(nodes)).cumsum(0)])[:-1]
        kept = torch.arange(len(grouped)) - first[grouped] < most
        return place[shuffled[kept]], grouped[kept]


def edges_between(edges: InEdges, nodes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All edges with both ends among ``nodes``: [2, E] in their places, and which edges they are."""
    local = torch.full((edges.num_nodes,), -1)
    local[nodes] = torch.arange(len(nodes))
    place, owner = edges.of(nodes)
    source = local[edges.source[place]]
    inside = source >= 0
    return torch.stack([source[inside], owner[inside]]), edges.edge[place[inside]]


def cut(data: Data, nodes: torch.Tensor, edges: torch.Tensor) -> Data:
    """The attributes of these nodes and edges."""
    out = Data(num_nodes=len(nodes))
    for name, value in data.to_dict().items():
        if name in ("edge_index", "num_nodes") or not isinstance(value, torch.Tensor):
            continue
        if data.is_node_attr(name):
            out[name] = value[nodes.to(value.device)]
        elif data.is_edge_attr(name):
            out[name] = value[edges.to(value.device)]
    return out


def as_ids(chosen: Any, num_nodes: int) -> torch.Tensor:
    """Nodes as ids: from ids, a mask, or None for all."""
    if chosen is None:
        return torch.arange(num_nodes)
    found: torch.Tensor = torch.as_tensor(chosen).cpu()
    return found.nonzero().flatten() if found.dtype == torch.bool else found
