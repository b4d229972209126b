"""Batches of plain rows, and the one batch of them all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.representation.block import Block
from techniques.sampling.epochs import Epochs

if TYPE_CHECKING:
    from techniques.job import Job
    from techniques.sampling.rows import RowBatches


def row_batches(job: Job, part: RowBatches) -> Job:
    """Fill ``job.batches``: each call starts a new epoch."""
    seed_order, train = job.need("seed_order"), job.masks["train"].nonzero().flatten()

    def make(index: Tensor, _: int) -> Batch:
        return rows_of(job, train[index], part.layers)

    epochs = Epochs(lambda: list(seed_order().split(part.batch_size)), make, part.prefetch)
    return replace(job, batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)


def all_rows(job: Job, layers: int) -> Job:
    """One batch of all training nodes, moved once."""
    batch = rows_of(job, job.masks["train"].nonzero().flatten(), layers)
    moved: list[Batch] = []

    def transfer_once(one: Batch) -> Batch:
        if not moved:
            moved.append(one.to(job.need("device")))
        return moved[0]

    return replace(job, batches=lambda: [batch], transfer=transfer_once)


def rows_of(job: Job, nodes: Tensor, layers: int) -> Batch:
    """Rows of these nodes, with blocks that have no edges."""
    block = Block(nodes.numel(), nodes.numel(), edge_index=torch.empty((2, 0), dtype=torch.int64))
    return Batch(job.need("features").rows(nodes.numpy()), (block,) * layers, job.need("labels")[nodes])
