"""The graph that was tuned for its labels: these without gaps, and its splits, or seeded ones."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from tuner.export.plain.graph import bare_graph_of
from tuner.export.plain.splits import labels_of, own_splits


def graph_of(arrays: dict[str, Any]) -> Data:
    """The graph with ``y`` and masks."""
    data = bare_graph_of(arrays)
    data.y = labels_of(np.array(arrays["y"]))
    for split, mask in splits_of(arrays, data.y).items():
        data[f"{split}_mask"] = mask
    return data


def splits_of(arrays: dict[str, Any], y: torch.Tensor) -> dict[str, torch.Tensor]:
    """The graph's own masks; what it does not hold out is drawn with a fixed seed."""
    labelled = y >= 0 if y.dim() == 1 else torch.ones(len(y), dtype=torch.bool)
    if "train_mask" in arrays:
        return own_splits(arrays, labelled)
    return seeded_splits(y.numpy() if y.dim() == 1 else np.zeros(len(y), dtype=np.int64))


def seeded_splits(y: Any) -> dict[str, torch.Tensor]:
    """60/20/20 of every class."""
    rng = np.random.default_rng(0)
    masks = {split: torch.zeros(y.size, dtype=torch.bool) for split in ("train", "val", "test")}
    for label in np.unique(y[y >= 0]):
        nodes = rng.permutation(np.flatnonzero(y == label))
        first = max(1, round(0.6 * nodes.size))
        cuts = [first, max(first + 1, round(0.8 * nodes.size))]
        for split, part in zip(masks, np.split(nodes, cuts), strict=True):
            masks[split][torch.from_numpy(part)] = True
    return masks
