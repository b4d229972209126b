"""Clusters of the nodes of a PyG ``Data``: what a recipe starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.coarsening.clusters import FineGraph, coarsen
from techniques.coarsening.hierarchy import groups_of
from techniques.coarsening.live import training_classes
from techniques.coarsening.plan import CoarseningPlan
from techniques.sampling.kernels import build_csc

if TYPE_CHECKING:
    from torch_geometric.data import Data


def clusters_of(
    data: Data,
    method: str,
    *,
    ratio: float = 0.5,
    levels: int = 1,
    seed: int = 0,
    weighted: bool = False,
    agree: bool = False,
    hierarchy: tuple[str, str] | None = None,
) -> torch.Tensor:
    """The super-node of every node, [N] int64 from 0 on.

    Args:
        data: ``edge_index`` [2, E]; ``pos`` [N, D] for ``voxel_grid``, ``edge_weight`` [E] where ``weighted``, ``y`` and
            ``train_mask`` where ``agree``. Validation and test labels are not looked at.
        method: ``graclus``, ``heavy_edge``, ``metis`` or ``voxel_grid``.
        ratio: share of the nodes to keep (not graclus).
        levels: times that pairs are matched (graclus).
        seed: equal seeds give equal clusters.
        weighted: heavier edges join first.
        agree: never join training nodes of different classes (graclus and heavy_edge).
        hierarchy: file and level whose nodes may be joined; all others stay as they are.
    """
    plan = CoarseningPlan(method, ratio, levels, seed, weighted, agree, hierarchy)
    nodes = int(data.num_nodes)
    edges: Any = data.edge_index.numpy()
    colptr, row, position = build_csc(edges, nodes, with_permutation=weighted)
    weight = data.edge_weight.float().numpy().reshape(-1)[position] if weighted else None
    pos = data.pos.numpy() if method == "voxel_grid" else None
    label = training_classes(data.y, data.train_mask) if agree else None
    found = coarsen(FineGraph(colptr, row, weight, pos, label, groups_of(plan, nodes)), plan)
    return torch.from_numpy(found.cluster.astype(np.int64))
