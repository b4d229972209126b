"""Labels and splits as tensors; a seeded, stratified 60/20/20 split where the graph brings none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.errors import GraphError
from techniques.remote.splits import stored_masks, stratified_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph


def read_labels(stored: StoredGraph) -> torch.Tensor:
    """[N] int64 class positions (-1 = unlabelled; gaps in the ids are closed), or [N, L] float32 for multi-label.

    Raises:
        GraphError: the graph has no labels.
    """
    if "y" not in stored.headers:
        raise GraphError(f"node classification needs labels, {stored.name} has none", "Add an array y to the graph")
    y: NDArray[Any] = np.array(stored.read("y"))
    if y.ndim == 2:
        return torch.from_numpy(y.astype(np.float32))
    classes = np.unique(y[y >= 0])
    closed = np.where(y >= 0, np.searchsorted(classes, y), -1)
    return torch.from_numpy(closed.astype(np.int64))


def read_splits(stored: StoredGraph, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Masks [N] bool for train, val and test: the graph's own, else seeded and stratified over labelled nodes."""
    if "train_mask" not in stored.headers:
        return stratified_split(labels)
    labelled = labels >= 0 if labels.dim() == 1 else torch.ones(labels.size(0), dtype=torch.bool)
    return {split: torch.from_numpy(mask) for split, mask in stored_masks(stored, labelled.numpy()).items()}


def stratified_split(labels: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """60/20/20 of every class; multi-label nodes are one class."""
    masks = stratified_masks(labels.numpy() if labels.dim() == 1 else np.zeros(labels.size(0), dtype=np.int64), seed)
    return {split: torch.from_numpy(mask) for split, mask in masks.items()}
