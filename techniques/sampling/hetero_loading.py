"""Live batches of a heterogeneous graph: the whole of it, or what the kernel draws edge type by edge type."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from techniques.architecture.hetero.network import HeteroBatch, HeteroLayer
from techniques.representation.block import Block
from techniques.sampling.blocks import _with_transpose
from techniques.sampling.epochs import Epochs
from techniques.sampling.kernels.hetero_neighbor import TypedHops

if TYPE_CHECKING:
    from techniques.job import Job
    from techniques.sampling.hetero_batches import TypedGraph, TypedNeighborBatches, WholeTypedGraph


def whole_batch(job: Job, part: WholeTypedGraph) -> HeteroBatch:
    """All nodes and the edges of every relation that a layer uses; layers share them."""
    structure, features, graph = job.need("structure"), job.need("features"), part.graph
    blocks = structure.whole(graph.used)
    layer = HeteroLayer(graph.num_nodes, graph.num_nodes, blocks)
    x = {kind: features[kind].whole() for kind in graph.uses[0].inputs if features[kind] is not None}
    train = job.masks["train"].nonzero().flatten()
    return HeteroBatch(x, (layer,) * len(graph.uses), job.need("labels")[train], train)


def typed_neighbor_batches(job: Job, part: TypedNeighborBatches) -> Job:
    """Fill ``job.batches``: each call starts a new epoch."""
    structure, labels, seed_order = job.need("structure"), job.need("labels"), job.need("seed_order")
    train = job.masks["train"].nonzero().flatten()
    kernel = structure.kernel()
    maker = TypedBlocks(part.graph, structure.fused, part.trim)
    fanouts = [[fanout] * len(structure.relations) for fanout in part.fanouts]

    def make(index: Tensor, seed: int) -> HeteroBatch:
        # A node that was drawn several times is sampled around once and counts several times.
        index, times = torch.unique(index, return_counts=True) if part.balanced else (index, None)  # type: ignore[no-untyped-call]
        seeds = train[index]
        hops = kernel.sample({part.graph.target: seeds.numpy()}, fanouts, seed)
        return maker.batch(hops, job.need("features"), labels[seeds], times)

    epochs = Epochs(lambda: list(seed_order().split(part.batch_size)), make, part.prefetch)  # type: ignore[arg-type]
    return replace(job, batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)


class TypedBlocks:
    """Turns what the kernel draws into a typed network's input."""

    def __init__(self, graph: TypedGraph, fused: bool, trim: bool) -> None:
        self.graph, self.fused, self.trim = graph, fused, trim

    def batch(self, hops: TypedHops, features: Any, y: Tensor, times: Tensor | None) -> HeteroBatch:
        """The loss is taken on the seeds, each counted ``times`` [B] times."""
        x = {}
        for kind in self.graph.uses[0].inputs:
            given, ids = features[kind], hops.node[kind]
            x[kind] = torch.from_numpy(ids) if given is None else given.rows(ids)
        weight = None if times is None else times.float()
        return HeteroBatch(x, tuple(self._layers(hops)), y, None if self.trim else torch.arange(y.size(0)), weight)

    def _layers(self, hops: TypedHops) -> list[HeteroLayer]:
        nodes = [list(accumulate(counts)) for counts in hops.num_sampled_nodes]
        edges = [list(accumulate(counts)) for counts in hops.num_sampled_edges]
        depth_of_all, coo = len(self.graph.uses), self._edge_lists(hops)
        layers = []
        for layer, use in enumerate(self.graph.uses):
            depth = depth_of_all - layer if self.trim else depth_of_all
            sources = tuple(counts[depth] for counts in nodes)
            targets = tuple(counts[depth - 1] for counts in nodes) if self.trim else sources
            blocks = {}
            for place in use.relations:
                one, count = self.graph.relations[place], edges[place][depth - 1]
                ends = sources[one.source], targets[one.target]
                blocks[place] = self._fused(hops, place, *ends, count) if self.fused else _coo(coo[place], *ends, count)
            layers.append(HeteroLayer(sources, targets, blocks))
        return layers

    def _edge_lists(self, hops: TypedHops) -> dict[int, Tensor]:
        if self.fused:
            return {}
        return {
            place: torch.from_numpy(np.stack([hops.col_source[place], hops.col_target(place)]))
            for place in self.graph.used
        }

    def _fused(self, hops: TypedHops, place: int, sources: int, targets: int, count: int) -> Block:
        """Targets that were not expanded have no edges: their pointers stay where the last one ends."""
        pointer = np.full(targets + 1, count, np.int64)
        kept = min(targets + 1, len(hops.ptr[place]))
        pointer[:kept] = hops.ptr[place][:kept]
        index = hops.col_source[place][:count].astype(np.int32)
        return Block(sources, targets, csr=_with_transpose(pointer, index, sources))


def _coo(edge_index: Tensor, sources: int, targets: int, count: int) -> Block:
    return Block(sources, targets, edge_index=edge_index[:, :count])
