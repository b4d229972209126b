"""Sampled arrays to blocks, in the representation that was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from techniques.representation.block import Block, Csr
from techniques.sampling.kernels import transpose_csr, transpose_weighted_csr
from techniques.sampling.structure import dense_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from techniques.sampling.kernels import EgoGraphs, Subgraph
    from techniques.sampling.kernels.machine_code import IntArray


def hop_blocks(
    edge_index: Tensor, nodes: Sequence[int], edges: Sequence[int], *, fused: bool, trim: bool
) -> Iterator[Block]:
    """One block per layer of a sampled neighbourhood; trimmed layers leave out what later layers do not need.

    Trimming does what PyG's ``trim_to_layer`` does, and drops the targets of the last hop as well.

    Args:
        edge_index: [2, m] local ids, grouped by target in ascending order.
        nodes: nodes known after hop 0 (the seeds), 1, ...
        edges: edges known after hop 1, 2, ...
    """
    hops = len(edges)
    for layer in range(hops):
        depth = hops - layer if trim else hops
        sources, count = nodes[depth], edges[depth - 1]
        targets = nodes[depth - 1] if trim else sources
        kept = edge_index[:, :count]
        yield _fused_hop(kept, sources, targets) if fused else Block(sources, targets, edge_index=kept)


def _fused_hop(edge_index: Tensor, sources: int, targets: int) -> Block:
    ptr = np.zeros(targets + 1, dtype=np.int64)
    np.cumsum(np.bincount(edge_index[1].numpy(), minlength=targets), out=ptr[1:])
    index = edge_index[0].numpy().astype(np.int32)
    return Block(sources, targets, csr=_with_transpose(ptr, index, sources))


def subgraph_block(
    graph: Subgraph | EgoGraphs,
    *,
    fused: bool,
    undirected: bool,
    dense: bool = False,
    weight: NDArray[np.float32] | None = None,
    degrees: NDArray[np.float32] | None = None,
) -> Block:
    """All edges of an induced subgraph, for every layer alike.

    Args:
        graph: its nodes and edges; ``col_source`` int32 where ``fused``.
        dense: as a matrix over all pairs instead.
        undirected: both directions of every edge are there, so the matrix is its own transpose.
        weight: [m] of each edge in the subgraph's order.
        degrees: [k] of each node in the whole graph.
    """
    count = graph.node.size
    true_degrees = None if degrees is None else torch.from_numpy(degrees)
    if dense:
        matrix = dense_matrix(graph.ptr, graph.col_source, count, weight)
        return Block(count, count, dense=matrix, degrees=true_degrees)
    values = None if weight is None else torch.from_numpy(weight)
    if not fused:
        edge_index = torch.from_numpy(np.stack([graph.col_source, graph.col_target()]))
        return Block(count, count, edge_index=edge_index, weight=values, degrees=true_degrees)
    if weight is not None:
        csr = _weighted(graph.ptr, graph.col_source, weight, count)
    elif undirected:
        ptr, source = _int32(graph.ptr), torch.from_numpy(graph.col_source)
        csr = Csr(ptr, source, torch.ones(source.numel()), ptr, source)
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
