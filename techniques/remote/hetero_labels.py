"""Labels and splits of one node type of a flat graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from techniques.remote.hetero_types import node_types
from techniques.remote.labels import read_labels, read_splits, stratified_split
from techniques.remote.splits import SPLITS

if TYPE_CHECKING:
    from techniques.remote.source.stored import StoredGraph


def read_targets(stored: StoredGraph, target: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Labels [N_t] or [N_t, L] and masks [N_t] of the nodes of one type, in the order of their local ids.

    Raises:
        GraphError: the graph has no labels.
    """
    members = torch.from_numpy(node_types(stored).members(target))
    every = read_labels(stored)
    labels = every[members]
    if f"{SPLITS[0]}_mask" not in stored.headers:
        return labels, stratified_split(labels)
    others = torch.ones(every.size(0), dtype=torch.bool)
    others[members] = False
    if every.dim() == 1:
        every[others] = -1  # a split that is filled up here must not reach another type's nodes
    return labels, {name: mask[members] for name, mask in read_splits(stored, every).items()}
