"""Neighbourhoods of seeds, hop by hop."""

from collections.abc import Sequence

import torch
from torch_geometric.data import Data

from tuner.export.plain.sampling import InEdges, cut


def around(data: Data, edges: InEdges, seeds: torch.Tensor, fanouts: Sequence[int]) -> Data:
    """What is sampled around these seeds, which come first; at most so many in-edges a node for each hop."""
    local = torch.full((edges.num_nodes,), -1)
    local[seeds] = torch.arange(len(seeds))
    nodes, frontier, start = [seeds], seeds, 0
    pairs, kept, num_nodes, num_edges = [], [], [len(seeds)], []
    count = len(seeds)
    for most in fanouts:
        place, owner = edges.some(frontier, most)
        source = edges.source[place]
        new = source[local[source] < 0].unique()
        local[new] = count + torch.arange(len(new))
        pairs.append(torch.stack([local[source], start + owner]))
        kept.append(edges.edge[place])
        start, count = start + len(frontier), count + len(new)
        nodes.append(new)
        num_nodes.append(len(new))
        num_edges.append(len(place))
        frontier = new
    out = cut(data, torch.cat(nodes), torch.cat(kept))
    out.edge_index, out.batch_size, out.n_id = torch.cat(pairs, dim=1), len(seeds), torch.cat(nodes)
    out.num_sampled_nodes, out.num_sampled_edges = num_nodes, num_edges
    return out
