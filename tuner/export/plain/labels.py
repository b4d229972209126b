"""The graph that was tuned for its labels: these without gaps, and its splits, or seeded ones."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from tuner.export.plain.graph import bare_graph_of


def graph_of(arrays: dict[str, Any]) -> Data:
    """The graph with ``y`` and masks."""
    data = bare_graph_of(arrays)
    data.y = labels_of(np.array(arrays["y"]))
    for split, mask in splits_of(arrays, data.y).items():
        data[f"{split}_mask"] = mask
    return data


def labels_of(y: Any) -> torch.Tensor:
    """Class places [N] from 0 on, -1 where there is none; or 0/1 rows [N, L]."""
    if y.ndim == 2:
        return torch.from_numpy(y.astype(np.float32))
    classes = np.unique(y[y >= 0])
    return torch.from_numpy(np.where(y >= 0, np.searchsorted(classes, y), -1).astype(np.int64))


def splits_of(arrays: dict[str, Any], y: torch.Tensor) -> dict[str, torch.Tensor]:
    """The graph's own masks; what it does not hold out is drawn with a fixed seed."""
    labelled = y >= 0 if y.dim() == 1 else torch.ones(len(y), dtype=torch.bool)
    if "train_mask" not in arrays:
        return seeded_splits(y.numpy() if y.dim() == 1 else np.zeros(len(y), dtype=np.int64))
    masks = {}
    for split in ("train", "val", "test"):
        mask = np.array(arrays.get(f"{split}_mask", np.zeros(len(y), dtype=bool)))
        masks[split] = torch.from_numpy((mask if mask.ndim == 1 else mask[:, 0]).astype(bool)) & labelled
    if masks["val"].any() and masks["test"].any():
        return masks
    held_out = masks["val"] | masks["test"]
    rest = torch.nonzero(held_out if held_out.any() else labelled & ~masks["train"]).flatten()
    order = rest[torch.from_numpy(np.random.default_rng(0).permutation(rest.numel()))]
    half = (order.numel() + 1) // 2
    for split, part in (("val", order[:half]), ("test", order[half:])):
        masks[split] = torch.zeros_like(masks["train"])
        masks[split][part] = True
    return masks


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
