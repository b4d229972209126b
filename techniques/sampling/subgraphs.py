"""Batches that are induced subgraphs: GraphSAINT, Cluster-GCN and random node parts differ in the nodes they choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from techniques.architecture.network import Batch
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.epochs import C, Epochs
from techniques.sampling.kernels import SaintCounts, SubgraphKernel
from techniques.sampling.partition import members_of_parts, metis_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.job import Job
    from techniques.sampling.cluster import ClusterBatches
    from techniques.sampling.graph_saint import SaintBatches
    from techniques.sampling.random_node import RandomNodeBatches
    from techniques.sampling.structure import Structure

    Nodes = NDArray[np.int64]


@dataclass(frozen=True)
class Normalisation:
    """GraphSAINT's weights: ``node_norm`` [N] of losses, ``edge_norm`` [E] of messages by CSC position; ``degrees`` [N]
    are the whole graph's."""

    node_norm: NDArray[np.float32]
    edge_norm: NDArray[np.float32]
    degrees: NDArray[np.float32]


def saint_batches(job: Job, part: SaintBatches) -> Job:
    """Subgraphs around random nodes, edges or walks; each step draws its own."""
    structure = job.need("structure")
    kernel = _kernel(structure)

    def choose(seed: int) -> Nodes:
        return part.choose(structure.colptr, structure.row, seed)

    normalised = _normalisation(structure, kernel, choose, part.coverage, job.spec.training.seed)

    def make(_: int, seed: int) -> Batch:
        return _batch(job, kernel, choose(seed), part.layers, normalised)

    return _with_epochs(job, lambda: list(range(part.num_steps)), make, part.prefetch)


def random_node_batches(job: Job, part: RandomNodeBatches) -> Job:
    """A fresh random split of the nodes in every epoch."""
    structure = job.need("structure")
    kernel, parts = _kernel(structure), part.parts(structure.num_nodes)

    def chunks() -> list[Nodes]:
        return np.array_split(torch.randperm(structure.num_nodes).numpy(), parts)

    def make(nodes: Nodes, _: int) -> Batch:
        return _batch(job, kernel, np.sort(nodes), part.layers)

    return _with_epochs(job, chunks, make, part.prefetch)


def cluster_batches(job: Job, part: ClusterBatches) -> Job:
    """METIS parts, cut once; every step joins some of them, with the edges between them."""
    structure = job.need("structure")
    kernel = _kernel(structure)
    cluster = metis_parts(structure.colptr, structure.row, part.num_parts, seed=job.spec.training.seed)
    members = members_of_parts(cluster)

    def chunks() -> list[Nodes]:
        mixed, joined = torch.randperm(len(members)).tolist(), part.parts_per_batch
        groups = [mixed[start : start + joined] for start in range(0, len(mixed), joined)]
        return [np.concatenate([members[one] for one in group]) for group in groups]

    def make(nodes: Nodes, _: int) -> Batch:
        return _batch(job, kernel, nodes, part.layers)

    return _with_epochs(job, chunks, make, part.prefetch)


def _kernel(structure: Structure) -> SubgraphKernel:
    return SubgraphKernel(structure.colptr, structure.row, structure.num_nodes)


def _normalisation(
    structure: Structure, kernel: SubgraphKernel, choose: Callable[[int], Nodes], coverage: int, seed: int
) -> Normalisation | None:
    """Counts over subgraphs drawn in advance until every node was drawn ``coverage`` times on average."""
    if coverage < 1:
        return None
    counts, number = SaintCounts(structure.colptr), 0
    while counts.num_sampled_nodes < coverage * structure.num_nodes:
        nodes = choose(int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        counts.add(kernel.induced(nodes, with_edge=True))
        number += 1
    return Normalisation(counts.node_norm(), counts.edge_norm(), structure.degrees().numpy())


def _batch(
    job: Job, kernel: SubgraphKernel, nodes: Nodes, layers: int, normalised: Normalisation | None = None
) -> Batch:
    """The loss is taken on the training nodes of the subgraph."""
    structure, labels = job.need("structure"), job.need("labels")
    local = np.int32 if structure.fused else np.int64
    graph = kernel.induced(nodes, with_edge=normalised is not None or structure.edges.given, local_dtype=local)
    data = structure.edges.at(graph.edge)
    weight = degrees = loss_weight = None
    ids = torch.from_numpy(graph.node)
    rows = job.masks["train"][ids].nonzero().flatten()
    if normalised is not None:
        weight = data.times(normalised.edge_norm[graph.edge]).weight
        degrees = normalised.degrees[graph.node]
        loss_weight = torch.from_numpy(normalised.node_norm[graph.node])[rows]
    block = subgraph_block(
        graph,
        fused=structure.fused,
        undirected=structure.undirected,
        dense=structure.dense,
        weight=weight,
        degrees=degrees,
        data=data,
    )
    x = job.need("features").rows(graph.node)
    return Batch(x, (block,) * layers, labels[ids[rows]], loss_rows=rows, loss_weight=loss_weight)


def _with_epochs(job: Job, chunks: Callable[[], list[C]], make: Callable[[C, int], Batch], prefetch: int) -> Job:
    epochs = Epochs(chunks, make, prefetch)
    return replace(job, batches=epochs.epoch, wait_seconds=lambda: epochs.wait_seconds)
