"""Jobs whose batches are induced subgraphs, and how to read these."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.job import Job
from techniques.representation.block import Block

SAMPLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "node": ("graph_saint", {"saint_sampler": "node", "batch_size": 12}),
    "edge": ("graph_saint", {"saint_sampler": "edge", "batch_size": 8}),
    "walk": ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 6}),
    "plain-walk": ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 6, "sample_coverage": 0}),
    "random_node": ("random_node", {"num_parts": 4}),
    "cluster": ("cluster", {"num_parts": 8, "parts_per_batch": 3}),
}
NODES = 60


def epoch(job: Job, seed: int = 3) -> list[Batch]:
    torch.manual_seed(seed)
    return list(job.need("batches")())


def nodes_of(batch: Batch) -> Tensor:
    return batch.x[:, 0].long()


def entries(block: Block, transposed: bool = False) -> Tensor:
    """Sources and targets of a block's edges, [2, m] local ids; read from the transposed copy if wanted."""
    if block.csr is None:
        assert block.edge_index is not None
        return block.edge_index
    ptr, index = block.csr.ptr, block.csr.source
    if transposed:
        assert block.csr.transposed_ptr is not None and block.csr.transposed_target is not None
        ptr, index = block.csr.transposed_ptr, block.csr.transposed_target
    row = torch.repeat_interleave(torch.arange(ptr.numel() - 1), ptr.diff().long())
    return torch.stack([row, index.long()] if transposed else [index.long(), row])


def stored_edges(job: Job) -> list[tuple[int, int]]:
    """Every edge of the structure, as source and target."""
    structure = job.need("structure")
    target = np.repeat(np.arange(structure.num_nodes), np.diff(structure.colptr))
    return list(zip(structure.row.tolist(), target.tolist(), strict=True))
