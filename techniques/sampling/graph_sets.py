"""Live batches of whole graphs, for training and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.epochs import Epochs
from techniques.sampling.graph_batches import EVALUATION_NODES
from techniques.sampling.graph_cuts import bounded_runs, even_cuts
from techniques.sampling.kernels import GraphSetKernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.job import Job
    from techniques.sampling.graph_batches import EvenBatches, FixedBatches

    Graphs = NDArray[np.int64]


def graph_batches(job: Job, part: FixedBatches) -> Job:
    """A fresh random order in every epoch, cut every ``batch_size`` graphs."""
    train = job.masks["train"].nonzero().flatten()

    def chunks() -> list[Graphs]:
        order = train[torch.randperm(train.numel())]
        return [chunk.numpy() for chunk in torch.split(order, part.batch_size)]

    return _with_epochs(job, chunks, part.layers, part.prefetch)


def even_batches(job: Job, part: EvenBatches) -> Job:
    """A fresh random order in every epoch, cut at equal shares of its cost."""
    train = job.masks["train"].nonzero().flatten()
    cost, steps = graph_costs(job, part.cost)[train.numpy()], part.steps(job.facts.graph)[0]

    def chunks() -> list[Graphs]:
        order = torch.randperm(train.numel()).numpy()
        return [train.numpy()[chosen] for chosen in even_cuts(order, cost, steps)]

    return _with_epochs(job, chunks, part.layers, part.prefetch)


def whole_set(job: Job, part: FixedBatches) -> Job:
    """One batch that is built once and moved once."""
    batch = _maker(job, part.layers)(job.masks["train"].nonzero().flatten().numpy())
    moved: list[Batch] = []

    def transfer_once(one: Batch) -> Batch:
        if one is not batch:
            return one.to(job.need("device"))  # held-out graphs, for evaluation
        if not moved:
            moved.append(one.to(job.need("device")))
        return moved[0]

    return replace(_with_evaluation(job, part.layers), batches=lambda: [batch], transfer=transfer_once)


def graph_costs(job: Job, cost: str) -> NDArray[np.int64]:
    """Nodes or edges of every graph, [G]."""
    pointer = job.need("graph_ptr")
    ends = pointer if cost == "nodes" else job.need("structure").colptr[pointer]
    costs: NDArray[np.int64] = np.diff(ends)
    return costs


def _maker(job: Job, layers: int) -> Callable[[Graphs], Batch]:
    """Makes a batch of some graphs."""
    structure, features, labels = job.need("structure"), job.need("features"), job.need("labels")
    kernel = GraphSetKernel(structure.colptr, structure.row, job.need("graph_ptr"))
    local = np.int32 if structure.fused else np.int64

    def make(graphs: Graphs) -> Batch:
        gathered = kernel.gather(graphs, with_edge=structure.edges.given, local_dtype=local)
        data = structure.edges.at(gathered.edge)
        block = subgraph_block(gathered, fused=structure.fused, undirected=structure.undirected, data=data)
        y = labels[torch.from_numpy(graphs)]
        return Batch(features.rows(gathered.node), (block,) * layers, y, graph_ptr=torch.from_numpy(gathered.graph_ptr))

    return make


def _with_epochs(job: Job, chunks: Callable[[], list[Graphs]], layers: int, prefetch: int) -> Job:
    make = _maker(job, layers)
    epochs = Epochs(chunks, lambda graphs, _: make(graphs), prefetch)
    return replace(_with_evaluation(job, layers), batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)


def _with_evaluation(job: Job, layers: int) -> Job:
    """Batches of given graphs in their order, bounded by nodes."""
    make, nodes = _maker(job, layers), graph_costs(job, "nodes")

    def evaluation(graphs: Tensor) -> Iterator[Batch]:
        chosen = graphs.numpy().astype(np.int64)
        for part in bounded_runs(chosen, nodes, EVALUATION_NODES):
            yield make(part)

    return replace(job, graph_batches=evaluation)
