"""Logits of every node with all neighbours, one layer after the other in chunks of nodes: memory for a chunk's messages only."""

from itertools import pairwise
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from tuner.export.plain.sampling import InEdges

CHUNK_EDGES = 100_000
"""A chunk has so many edges, or one node."""


def layer_by_layer(model: Any, data: Data, device: torch.device) -> torch.Tensor:
    """What ``model(data.x, data.edge_index)`` is, [N, C] in host memory; GCN takes the weights that the whole graph gives."""
    normalized = [conv for conv in model.convs if isinstance(conv, GCNConv) and conv.normalize]
    graph = degree_weighted(data) if normalized else data
    given = graph.get("gcn_weight", graph.get("edge_attr") if getattr(model.convs[0], "edge_dim", None) else None)
    for conv in normalized:
        conv.normalize = False
    edges, x = InEdges(graph), data.x
    for place, conv in enumerate(model.convs):
        x = torch.cat([chunk(conv, x, edges, nodes, given, device) for nodes in chunks(edges)])
        x = model.act(x) if place < len(model.convs) - 1 else x
    for conv in normalized:
        conv.normalize = True
    rows: torch.Tensor = x
    return rows


def chunk(
    conv: Any,
    x: Any,
    edges: InEdges,
    nodes: torch.Tensor,
    given: torch.Tensor | None,
    device: torch.device,
) -> torch.Tensor:
    """One layer's rows of some nodes, [n, H]; they are the first of those that their edges come from."""
    place, owner = edges.of(nodes)
    source = edges.source[place]
    others = source.unique()
    others = others[(others < nodes[0]) | (others > nodes[-1])]
    read = torch.cat([nodes, others])
    inside = (source >= nodes[0]) & (source <= nodes[-1])
    local = torch.where(inside, source - nodes[0], len(nodes) + torch.searchsorted(others, source))
    values = () if given is None else (given[edges.edge[place]].to(device),)
    out: torch.Tensor = conv(x[read].to(device), torch.stack([local, owner]).to(device), *values)[: len(nodes)]
    return out.cpu()


def chunks(edges: InEdges) -> list[torch.Tensor]:
    """Runs of nodes in order."""
    starts = torch.searchsorted(edges.pointer, torch.arange(0, len(edges.source) + 1, CHUNK_EDGES)).tolist()
    bounds = sorted({0, edges.num_nodes, *(min(one, edges.num_nodes) for one in starts)})
    return [torch.arange(one, two) for one, two in pairwise(bounds)]


def degree_weighted(data: Data) -> Data:
    """The edges with GCN's loops, and weights that rest on the degrees of the whole graph."""
    index, weight = gcn_norm(data.edge_index, data.get("edge_weight"), data.num_nodes)
    return Data(edge_index=index, gcn_weight=weight, num_nodes=data.num_nodes)
