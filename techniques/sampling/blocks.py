"""Sampled arrays to blocks, in the representation that was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from techniques.representation.block import Block, Csr
from techniques.sampling.edge_data import NO_EDGE_DATA, EdgeData, weight_sums
from techniques.sampling.kernels import transpose_csr, transpose_weighted_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from techniques.sampling.kernels import EgoGraphs, Subgraph
    from techniques.sampling.kernels.machine_code import IntArray


def hop_blocks(
    edge_index: Tensor,
    nodes: Sequence[int],
    edges: Sequence[int],
    *,
    fused: bool,
    trim: bool,
    data: EdgeData = NO_EDGE_DATA,
) -> Iterator[Block]:
    """One block per layer of a sampled neighbourhood; trimmed layers leave out what later layers do not need.

    Trimming does what PyG's ``trim_to_layer`` does, and drops the targets of the last hop as well.

    Args:
        edge_index: [2, m] local ids, grouped by target in ascending order.
        nodes: nodes known after hop 0 (the seeds), 1, ...
        edges: edges known after hop 1, 2, ...
        data: weights and attributes of the edges in that order.
    """
    hops = len(edges)
    weights, attrs = (None if one is None else torch.from_numpy(one) for one in (data.weight, data.attr))
    for layer in range(hops):
        depth = hops - layer if trim else hops
        sources, count = nodes[depth], edges[depth - 1]
        targets = nodes[depth - 1] if trim else sources
        kept = edge_index[:, :count]
        weight, attr = (None if one is None else one[:count] for one in (weights, attrs))
        degrees = None if weight is None else _degrees(kept, weight, sources)
        if fused:
            yield _fused_hop(kept, sources, targets, weight)._replace(degrees=degrees)
        else:
            yield Block(sources, targets, edge_index=kept, weight=weight, degrees=degrees, edge_attr=attr)


def _degrees(edge_index: Tensor, weight: Tensor, sources: int) -> Tensor:
    """Sum of the weights of every source's own in-edges, [S] float32."""
    sums = np.bincount(edge_index[1].numpy(), weights=weight.numpy(), minlength=sources)
    return torch.from_numpy(sums.astype(np.float32))


def _fused_hop(edge_index: Tensor, sources: int, targets: int, weight: Tensor | None = None) -> Block:
    ptr = np.zeros(targets + 1, dtype=np.int64)
    np.cumsum(np.bincount(edge_index[1].numpy(), minlength=targets), out=ptr[1:])
    index = edge_index[0].numpy().astype(np.int32)
    if weight is not None:
        return Block(sources, targets, csr=_weighted(ptr, index, weight.numpy(), sources))
    return Block(sources, targets, csr=_with_transpose(ptr, index, sources))


def subgraph_block(
    graph: Subgraph | EgoGraphs,
    *,
    fused: bool,
    undirected: bool,
    weight: NDArray[np.float32] | None = None,
    degrees: NDArray[np.float32] | None = None,
    data: EdgeData = NO_EDGE_DATA,
) -> Block:
    """All edges of an induced subgraph, for every layer alike.

    Args:
        graph: its nodes and edges; ``col_source`` int32 where ``fused``.
        undirected: both directions of every edge are there, so the matrix is its own transpose.
        weight: [m] of each edge in the subgraph's order.
        degrees: [k] of each node in the whole graph.
        data: the graph's own weights and attributes of the same edges. Where ``weight`` is not given its weights stand
            in, and the degrees are sums of them.
    """
    count = graph.node.size
    if weight is None and data.weight is not None:
        weight, undirected = data.weight, undirected and data.symmetric
        degrees = weight_sums(graph.ptr, weight)
    else:
        undirected = undirected and weight is None
    attr = None if data.attr is None else torch.from_numpy(data.attr)
    true_degrees = None if degrees is None else torch.from_numpy(degrees)
    values = None if weight is None else torch.from_numpy(weight)
    if not fused:
        edge_index = torch.from_numpy(np.stack([graph.col_source, graph.col_target()]))
        return Block(count, count, edge_index=edge_index, weight=values, degrees=true_degrees, edge_attr=attr)
    if undirected:
        ptr, source = _int32(graph.ptr), torch.from_numpy(graph.col_source)
        csr = Csr(ptr, source, torch.ones(source.numel()) if values is None else values, ptr, source)
    elif weight is not None:
        csr = _weighted(graph.ptr, graph.col_source, weight, count)
    else:
        csr = _with_transpose(graph.ptr, graph.col_source, count)
    return Block(count, count, csr=csr, degrees=true_degrees)


def _with_transpose(ptr: NDArray[np.int64], index: IntArray, sources: int) -> Csr:
    back_ptr, back_index = transpose_csr(ptr, index, sources)
    ones = torch.ones(index.size)
    return Csr(_int32(ptr), torch.from_numpy(index), ones, _int32(back_ptr), torch.from_numpy(back_index))


def _weighted(ptr: NDArray[np.int64], index: IntArray, weight: NDArray[np.float32], sources: int) -> Csr:
    back_ptr, back_index, back_weight = transpose_weighted_csr(ptr, index, weight, sources)
    return Csr(
        _int32(ptr),
        torch.from_numpy(index),
        torch.from_numpy(weight),
        _int32(back_ptr),
        torch.from_numpy(back_index),
        torch.from_numpy(back_weight),
    )


def _int32(pointer: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(pointer.astype(np.int32))
