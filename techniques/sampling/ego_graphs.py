"""Batches of ego graphs (ShaDow): every root in a small graph of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.epochs import Epochs
from techniques.sampling.kernels import ShadowKernel

if TYPE_CHECKING:
    from techniques.job import Job
    from techniques.sampling.shadow_k_hop import EgoBatches

EVALUATION_SEED = 0
"""A node is judged by the same ego graph every time."""


def ego_batches(job: Job, part: EgoBatches) -> Job:
    """Fill ``job.batches``, and ``job.ego_batches`` for evaluation."""
    structure, features, labels = job.need("structure"), job.need("features"), job.need("labels")
    seed_order = job.need("seed_order")
    kernel = ShadowKernel(structure.colptr, structure.row, structure.num_nodes)
    train = job.masks["train"].nonzero().flatten()
    local = np.int32 if structure.fused else np.int64

    def graphs(roots: Tensor, seed: int, by_root: bool = False) -> Batch:
        egos = kernel.sample(
            roots.numpy(),
            part.depth,
            part.num_neighbors,
            seed,
            by_root=by_root,
            with_edge=structure.edges.given,
            local_dtype=local,
        )
        data = structure.edges.at(egos.edge)
        block = subgraph_block(egos, fused=structure.fused, undirected=structure.undirected, data=data)
        ego = torch.repeat_interleave(torch.from_numpy(np.diff(egos.node_ptr)))
        x = features.rows(egos.node)
        root = torch.from_numpy(egos.root)
        return Batch(x, (block,) * part.layers, labels[roots], loss_rows=root, ego=ego)

    def make(index: Tensor, seed: int) -> Batch:
        # A node that was drawn several times has one ego graph and counts several times.
        index, times = torch.unique(index, return_counts=True) if part.balanced else (index, None)  # type: ignore[no-untyped-call]
        batch = graphs(train[index], seed)
        return batch if times is None else replace(batch, loss_weight=times.float())

    def evaluation(nodes: Tensor) -> Iterator[Batch]:
        for roots in torch.split(nodes, part.judged_at_once(train.numel())):
            yield graphs(roots, EVALUATION_SEED, by_root=True)

    epochs = Epochs(lambda: list(seed_order().split(part.batch_size)), make, part.prefetch)
    return replace(job, batches=epochs.epoch, ego_batches=evaluation, wait_seconds=lambda: epochs.wait_seconds)
