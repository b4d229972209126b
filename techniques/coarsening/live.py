"""The coarse graph of a live job: its structure, features, training labels and mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.coarsening.clusters import CoarseGraph, FineGraph, coarsen
from techniques.coarsening.hierarchy import groups_of
from techniques.coarsening.kernels import contract_attributes
from techniques.coarsening.pooled import pooled_features, pooled_labels
from techniques.sampling.edge_data import EdgeData
from techniques.sampling.structure import Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.coarsening.parts import Coarsen
    from techniques.job import Job


def coarsened(job: Job, part: Coarsen) -> Job:
    """The job on its coarse graph; ``whole`` remembers the graph itself.

    No label but those of training nodes is read: neither clusters nor labels of super-nodes can give away another.
    """
    structure, labels, train = job.need("structure"), job.need("labels"), job.masks["train"]
    coarse = coarsen(fine_graph(job, part), part.plan)
    classes = job.facts.graph.labels.num_classes
    y, known = pooled_labels(labels, train, coarse.cluster, coarse.num_nodes, part.labels, classes)
    nobody = torch.zeros_like(known)
    return replace(
        job,
        whole=job,
        structure=_structure(structure, coarse, part),
        features=pooled_features(job.need("features"), coarse.cluster, coarse.num_nodes, part.maximum),
        labels=y,
        masks={"train": known, "val": nobody, "test": nobody},
        soft_labels=part.labels == "soft" and labels.dim() == 1,
    )


def fine_graph(job: Job, part: Coarsen) -> FineGraph:
    """What the clusters of a job are made from."""
    structure, plan = job.need("structure"), part.plan
    pos: Any = job.stored.read("pos") if plan.method == "voxel_grid" else None
    return FineGraph(
        structure.colptr,
        structure.row,
        structure.edges.weight if plan.weighted else None,
        pos=pos,
        label=training_classes(job.need("labels"), job.masks["train"]) if plan.agree else None,
        group=groups_of(plan, structure.num_nodes),
    )


def training_classes(labels: torch.Tensor, train: torch.Tensor) -> NDArray[np.int32] | None:
    """Class of every training node and -1 for all others, [N]; ``None`` where nodes have several labels."""
    if labels.dim() == 2:
        return None
    return torch.where(train, labels, -1).numpy().astype(np.int32)


def _structure(fine: Structure, coarse: CoarseGraph, part: Coarsen) -> Structure:
    weight = coarse.normalised_weight() if part.weights else None
    attributes = None
    if part.attributes and fine.edges.attr is not None:
        attributes = contract_attributes(
            fine.colptr, fine.row, fine.edges.attr, coarse.cluster, (coarse.colptr, coarse.row)
        )
    symmetric = part.trained.graph.edge_weight_symmetric
    data = EdgeData(weight, attributes, symmetric)
    return Structure(coarse.colptr, coarse.row, fine.undirected, fused=fine.fused, edges=data)
