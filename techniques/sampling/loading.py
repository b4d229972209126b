"""Sampled batches: our kernel, PyG's ``NodeLoader`` around it, blocks in the chosen representation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader

from techniques.architecture.network import Batch
from techniques.representation.block import Block, Csr
from techniques.sampling.kernels import transpose_csr
from techniques.sampling.neighbor_sampler import NeighborSampler
from techniques.sampling.prefetch import Prefetcher

if TYPE_CHECKING:
    from techniques.job import Job
    from techniques.remote.rows import RowStore
    from techniques.sampling.neighbor import SampledBatches

Chunk = tuple[Tensor, int]
"""Places in the loader's input nodes, and the random seed of their batch."""


def sampled_batches(job: Job, part: SampledBatches) -> Job:
    """Fill ``job.batches``: each call starts a new epoch."""
    structure, features = job.need("structure"), job.need("features")
    data = Data(num_nodes=structure.num_nodes, edge_index=torch.empty((2, 0), dtype=torch.int64))
    data.y = job.need("labels")
    train = job.masks["train"].nonzero().flatten()
    sampler = neighbor_sampler(structure, part.fanouts)
    blocks = BlockMaker(structure.fused, part.trim)
    loader = NodeLoader(
        data, sampler, input_nodes=train, transform=lambda one: blocks.batch(one, features), batch_size=part.batch_size
    )
    source = _Epochs(loader, job.need("seed_order"), part)
    return replace(job, batches=source.epoch, wait_seconds=lambda: source.wait_seconds)


def neighbor_sampler(structure: Any, fanouts: tuple[int, ...]) -> Any:
    """Our sampler, or PyG's own where pyg-lib is installed."""
    import torch_geometric.typing

    if torch_geometric.typing.WITH_PYG_LIB:
        return _native_sampler(structure, fanouts)
    return NeighborSampler(structure.colptr, structure.row, None, structure.num_nodes, fanouts, return_edge_id=False)


def _native_sampler(structure: Any, fanouts: tuple[int, ...]) -> Any:
    from torch_geometric.sampler import NeighborSampler as NativeSampler

    block = structure.rows(0, structure.num_nodes)
    edge_index = block.edge_index
    if edge_index is None:
        edge_index = torch.stack([block.csr.source.long(), torch.repeat_interleave(block.csr.ptr.diff())])
    data = Data(num_nodes=structure.num_nodes, edge_index=edge_index)
    return NativeSampler(data, num_neighbors=list(fanouts), is_sorted=True)


class _Epochs:
    """Hands out one epoch after another and adds up how long the trainer waited."""

    def __init__(self, loader: NodeLoader, seed_order: Any, part: SampledBatches) -> None:
        self.loader, self.seed_order, self.part = loader, seed_order, part
        self.wait_seconds = 0.0

    def epoch(self) -> Iterator[Batch]:
        threads = 1 if self.part.prefetch else 0
        batches = Prefetcher(self._make, self._chunks(), depth=max(self.part.prefetch, 1), threads=threads)
        yield from batches
        self.wait_seconds += batches.wait_seconds

    def _chunks(self) -> Iterable[Chunk]:
        """Drawn before the epoch starts, so that the thread shares no random generator with dropout."""
        chunks = self.seed_order().split(self.part.batch_size)
        seeds = torch.randint(2**62, (len(chunks),)).tolist()
        return list(zip(chunks, seeds, strict=True))

    def _make(self, chunk: Chunk) -> Batch:
        index, seed = chunk
        sampler, inputs = self.loader.node_sampler, self.loader.input_data[index]
        if isinstance(sampler, NeighborSampler):
            out = sampler.sample_from_nodes(inputs, seed=seed)
        else:
            out = sampler.sample_from_nodes(inputs)
        batch: Batch = self.loader.filter_fn(out)
        return batch


class BlockMaker:
    """Turns a sampled ``Data`` into blocks, one per layer; trimmed layers leave out what later layers do not need.

    Trimming does what PyG's ``trim_to_layer`` does, and drops the targets of the last hop as well.
    """

    def __init__(self, fused: bool, trim: bool) -> None:
        self.fused, self.trim = fused, trim

    def batch(self, data: Data, features: RowStore) -> Batch:
        """The network's input; its output rows are the seeds."""
        nodes = list(accumulate(data.num_sampled_nodes))
        edges = list(accumulate(data.num_sampled_edges))
        seeds = int(data.batch_size)
        x = features.rows(data.n_id.numpy())
        blocks = tuple(self._blocks(data.edge_index, nodes, edges))
        loss_rows = None if self.trim else torch.arange(seeds)
        return Batch(x=x, blocks=blocks, y=data.y[:seeds], loss_rows=loss_rows)

    def _blocks(self, edge_index: Tensor, nodes: list[int], edges: list[int]) -> Iterator[Block]:
        hops = len(edges)
        for layer in range(hops):
            depth = hops - layer if self.trim else hops
            sources, count = nodes[depth], edges[depth - 1]
            targets = nodes[depth - 1] if self.trim else sources
            kept = edge_index[:, :count]
            yield _fused_block(kept, sources, targets) if self.fused else Block(sources, targets, edge_index=kept)


def _fused_block(edge_index: Tensor, sources: int, targets: int) -> Block:
    """CSR of edges that are grouped by target in ascending order, with its transpose."""
    ptr = np.zeros(targets + 1, dtype=np.int64)
    np.cumsum(np.bincount(edge_index[1].numpy(), minlength=targets), out=ptr[1:])
    index = edge_index[0].numpy().astype(np.int32)
    back_ptr, back_index = transpose_csr(ptr, index, sources)
    csr = Csr(
        ptr=torch.from_numpy(ptr.astype(np.int32)),
        source=torch.from_numpy(index),
        ones=torch.ones(index.size),
        transposed_ptr=torch.from_numpy(back_ptr.astype(np.int32)),
        transposed_target=torch.from_numpy(back_index),
    )
    return Block(sources, targets, csr=csr)
