"""Labels without gaps, and splits that the graph brings."""

from typing import Any

import numpy as np
import torch


def labels_of(y: Any) -> torch.Tensor:
    """Class places [N] from 0 on, -1 where there is none; or 0/1 rows [N, L]."""
    if y.ndim == 2:
        return torch.from_numpy(y.astype(np.float32))
    classes = np.unique(y[y >= 0])
    return torch.from_numpy(np.where(y >= 0, np.searchsorted(classes, y), -1).astype(np.int64))


def own_splits(arrays: dict[str, Any], labelled: torch.Tensor) -> dict[str, torch.Tensor]:
    """The masks that are stored, of what has a label; what they do not hold out is halved with a fixed seed."""
    masks = {}
    for split in ("train", "val", "test"):
        mask = np.array(arrays.get(f"{split}_mask", np.zeros(len(labelled), dtype=bool)))
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
