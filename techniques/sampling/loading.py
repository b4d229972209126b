"""Batches of sampled neighbourhoods: our kernel, PyG's ``NodeLoader`` around it, blocks in the chosen representation."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling

from techniques.architecture.network import Batch
from techniques.sampling.blocks import hop_blocks
from techniques.sampling.edge_data import NO_EDGE_DATA, EdgeData
from techniques.sampling.epochs import Epochs
from techniques.sampling.link_sampler import LinkNeighborSampler
from techniques.sampling.neighbor_sampler import NeighborSampler

if TYPE_CHECKING:
    from techniques.job import Job
    from techniques.remote.rows import RowStore
    from techniques.sampling.link_neighbor import LinkBatches
    from techniques.sampling.neighbor import NeighborBatches
    from techniques.sampling.structure import Structure


def neighbor_batches(job: Job, part: NeighborBatches) -> Job:
    """Fill ``job.batches``: each call starts a new epoch."""
    structure, features, seed_order = job.need("structure"), job.need("features"), job.need("seed_order")
    data = Data(num_nodes=structure.num_nodes, edge_index=torch.empty((2, 0), dtype=torch.int64))
    data.y = job.need("labels")
    train = job.masks["train"].nonzero().flatten()
    sampler = neighbor_sampler(structure, part.fanouts)
    blocks = BlockMaker(structure.fused, part.trim, structure.edges)
    loader = NodeLoader(data, sampler, input_nodes=train, batch_size=part.batch_size)

    def make(index: Tensor, seed: int) -> Batch:
        # A node that was drawn several times is sampled around once and counts several times.
        index, times = torch.unique(index, return_counts=True) if part.balanced else (index, None)  # type: ignore[no-untyped-call]
        out = sampler.sample_from_nodes(loader.input_data[index], seed=seed)
        return blocks.batch(loader.filter_fn(out), features, times)

    epochs = Epochs(lambda: list(seed_order().split(part.batch_size)), make, part.prefetch)
    return replace(job, batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)


def link_batches(job: Job, part: LinkBatches) -> Job:
    """Fill ``job.batches`` with training edges and as many random pairs as asked for."""
    structure, features, seed_order = job.need("structure"), job.need("features"), job.need("seed_order")
    source, target = torch.from_numpy(job.need("links").train)
    sampler = LinkNeighborSampler(
        structure.colptr,
        structure.row,
        None,
        structure.num_nodes,
        part.fanouts,
        return_edge_id=structure.edges.given,
    )
    negatives = NegativeSampling("binary", amount=part.negatives)
    blocks = BlockMaker(structure.fused, part.trim, structure.edges)

    def make(index: Tensor, seed: int) -> Batch:
        inputs = EdgeSamplerInput(index, source[index], target[index])
        return blocks.links(sampler.sample_from_edges(inputs, negatives, seed=seed), features)

    epochs = Epochs(lambda: list(seed_order().split(part.batch_size)), make, part.prefetch)
    return replace(job, batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)


def neighbor_sampler(structure: Structure, fanouts: tuple[int, ...]) -> NeighborSampler:
    """Our sampler over a graph's structure, pyg-lib or not: faster than pyg-lib's, and seeded batch by batch."""
    return NeighborSampler(
        structure.colptr, structure.row, None, structure.num_nodes, fanouts, return_edge_id=structure.edges.given
    )


class BlockMaker:
    """Turns what PyG's samplers and loaders hand out into a network's input."""

    def __init__(self, fused: bool, trim: bool, edges: EdgeData = NO_EDGE_DATA) -> None:
        self.fused, self.trim, self.edges = fused, trim, edges

    def batch(self, data: Data, features: RowStore, times: Tensor | None = None) -> Batch:
        """The loss is taken on the seeds, each counted ``times`` [B] times."""
        seeds = int(data.batch_size)
        return Batch(
            x=features.rows(data.n_id.numpy()),
            blocks=self._blocks(data.edge_index, data.num_sampled_nodes, data.num_sampled_edges, data.get("e_id")),
            y=data.y[:seeds],
            loss_rows=None if self.trim else torch.arange(seeds),
            loss_weight=None if times is None else times.float(),
        )

    def links(self, out: Any, features: RowStore) -> Batch:
        """The loss is taken on pairs of seeds."""
        _, pairs, label, _ = out.metadata
        edge_index = torch.stack([out.row, out.col])
        blocks = self._blocks(edge_index, out.num_sampled_nodes, out.num_sampled_edges, out.edge)
        return Batch(x=features.rows(out.node.numpy()), blocks=blocks, y=label, pairs=pairs)

    def _blocks(
        self, edge_index: Tensor, new_nodes: list[int], new_edges: list[int], position: Tensor | None
    ) -> tuple[Any, ...]:
        nodes, edges = list(accumulate(new_nodes)), list(accumulate(new_edges))
        data = self.edges.at(None if position is None else position.numpy())
        return tuple(hop_blocks(edge_index, nodes, edges, fused=self.fused, trim=self.trim, data=data))
