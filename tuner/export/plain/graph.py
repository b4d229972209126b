"""Arrays of a graph as the ``Data`` that was tuned: labels without gaps, and its splits, or seeded ones."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data


def graph_of(arrays: dict[str, Any]) -> Data:
    """``x`` (sparse where it is stored so), ``edge_index``, ``y`` and masks."""
    data = Data(num_nodes=int(np.asarray(arrays["num_nodes"]).item()))
    data.edge_index = torch.from_numpy(np.array(arrays["edge_index"], dtype=np.int64, order="C"))
    if "x_data" in arrays:
        parts = (torch.from_numpy(np.array(arrays[name])) for name in ("x_indptr", "x_indices", "x_data"))
        pointer, index, values = parts
        shape = tuple(int(size) for size in arrays["x_shape"])
        data.x = torch.sparse_csr_tensor(pointer.long(), index.long(), values.float(), size=shape)
    elif "x" in arrays:
        data.x = torch.from_numpy(np.array(arrays["x"], dtype=np.float32, order="C"))
    for name in ("edge_weight", "edge_attr"):
        if name in arrays:
            data[name] = torch.from_numpy(np.array(arrays[name], dtype=np.float32))
    if "edge_weight" in data:
        data.edge_weight = data.edge_weight.flatten()
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
        cuts = [max(1, round(0.6 * nodes.size)), max(1, round(0.8 * nodes.size))]
        for split, part in zip(masks, np.split(nodes, cuts), strict=True):
            masks[split][torch.from_numpy(part)] = True
    return masks
