"""Logits of every node with all neighbours, one layer after the other in chunks of nodes: memory for a chunk's messages only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, MeanAggregation, SAGEConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from tuner.export.plain.sampling import InEdges

Read = Callable[[torch.Tensor], torch.Tensor]
"""What becomes of rows as they are held before the first layer."""
CHUNK_EDGES = 100_000
"""A chunk has so many edges, or one node."""


def unchanged(rows: torch.Tensor) -> torch.Tensor:
    """Rows as they are."""
    return rows


def layer_by_layer(model: Any, data: Data, device: torch.device, read: Read = unchanged) -> torch.Tensor:
    """What ``model(read(data.x), data.edge_index)`` is, [N, C] in host memory; GCN takes the weights that the whole graph gives."""
    if hasattr(model, "propagate"):
        return propagated(model, data, device, read)
    graph = degree_weighted(data) if isinstance(model.convs[0], GCNConv) else data
    given = graph.get("gcn_weight", graph.get("edge_attr") if getattr(model.convs[0], "edge_dim", None) else None)
    edges, x = InEdges(graph), data.x
    with of_whole_graph(model.convs):
        for place, conv in enumerate(model.convs):
            x = torch.cat([chunk(conv, x, edges, nodes, given, device, read) for nodes in chunks(edges)])
            x, read = model.act(x) if place < len(model.convs) - 1 else x, unchanged
    rows: torch.Tensor = x
    return rows


@contextmanager
def of_whole_graph(convs: Any) -> Iterator[None]:
    """Layers without what they do to the edges of a batch: weights are given, and GraphSAINT's weighted sums are means."""
    judged: dict[type, dict[str, Any]] = {GCNConv: {"normalize": False}, SAGEConv: {"aggr_module": MeanAggregation()}}
    told = [(conv, judged.get(type(conv), {})) for conv in convs if getattr(conv, "aggr", "") in ("add", "sum")]
    before = [{name: getattr(conv, name) for name in values} for conv, values in told]
    try:
        for conv, values in told:
            for name, value in values.items():
                setattr(conv, name, value)
        yield
    finally:
        for (conv, _), values in zip(told, before, strict=True):
            for name, value in values.items():
                setattr(conv, name, value)


def propagated(model: Any, data: Data, device: torch.device, read: Read) -> torch.Tensor:
    """APPNP: the perceptron's rows, then each step of its walk as sums over the neighbours of a chunk of nodes."""
    first = torch.cat([perceptron(model, read(rows.to(device))).cpu() for rows in data.x.split(CHUNK_EDGES)])
    graph = degree_weighted(data)
    edges, x, alpha = InEdges(graph), first, model.propagate.alpha
    for _ in range(model.propagate.K):
        walked = torch.cat([neighbor_sums(x, edges, nodes, graph.gcn_weight, device) for nodes in chunks(edges)])
        x = alpha * first + (1 - alpha) * walked
    return x


def perceptron(model: Any, x: torch.Tensor) -> torch.Tensor:
    """The layers before the walk."""
    for lin in model.lins[:-1]:
        x = lin(x).relu()
    rows: torch.Tensor = model.lins[-1](x)
    return rows


def neighbor_sums(
    x: torch.Tensor, edges: InEdges, nodes: torch.Tensor, weight: torch.Tensor, device: torch.device
) -> torch.Tensor:
    """Weighted sums of the rows of some nodes' neighbours, [n, C]."""
    place, owner = edges.of(nodes)
    messages = x[edges.source[place]].to(device) * weight[edges.edge[place]].to(device).unsqueeze(1)
    return messages.new_zeros(len(nodes), x.size(1)).index_add_(0, owner.to(device), messages).cpu()


def chunk(
    conv: Any,
    x: Any,
    edges: InEdges,
    nodes: torch.Tensor,
    given: torch.Tensor | None,
    device: torch.device,
    read: Read,
) -> torch.Tensor:
    """One layer's rows of some nodes, [n, H]; they are the first of those that their edges come from."""
    place, owner = edges.of(nodes)
    source = edges.source[place]
    others = source.unique()
    others = others[(others < nodes[0]) | (others > nodes[-1])]
    needed = torch.cat([nodes, others])
    inside = (source >= nodes[0]) & (source <= nodes[-1])
    local = torch.where(inside, source - nodes[0], len(nodes) + torch.searchsorted(others, source))
    values = () if given is None else (given[edges.edge[place]].to(device),)
    out: torch.Tensor = conv(read(x[needed].to(device)), torch.stack([local, owner]).to(device), *values)[: len(nodes)]
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
