"""The set of graphs that was tuned: labels or targets and splits per graph, and the graphs of a split one by one."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from tuner.export.plain.graph import bare_graph_of
from tuner.export.plain.splits import labels_of, own_splits


def graph_set_of(arrays: dict[str, Any]) -> Data:
    """All graphs side by side: graph g has nodes ``ptr[g]:ptr[g + 1]``; ``y`` and masks have a row per graph."""
    data, y = bare_graph_of(arrays), np.array(arrays["y"])
    data.ptr = torch.from_numpy(np.array(arrays["graph_ptr"], dtype=np.int64))
    known = ~np.isnan(y.astype(float).reshape(len(y), -1)).any(1)
    if are_targets(y):
        data.y = torch.from_numpy(y.reshape(len(y), -1).astype(np.float32))
    elif y.ndim == 2:
        data.y = labels_of(y)
    else:
        data.y = labels_of(np.where(known, y, -1).astype(np.int64))
        known &= data.y.numpy() >= 0
    masks = own_splits(arrays, torch.from_numpy(known)) if "train_mask" in arrays else seeded_splits(y, known)
    for split, mask in masks.items():
        data[f"{split}_mask"] = mask
    return data


def are_targets(y: Any) -> bool:
    """Whether ``y`` holds quantities: one of them at least is a fraction."""
    return y.dtype.kind == "f" and bool((np.isfinite(y) & (y != np.rint(y))).any())


def seeded_splits(y: Any, known: Any) -> dict[str, torch.Tensor]:
    """80/10/10 of every class with a fixed seed; every class has a graph to train on, and no split is empty."""
    rng = np.random.default_rng(0)
    classes = y.ndim == 1 and not are_targets(y)
    stratum = np.unique(y, return_inverse=True)[1] if classes else np.zeros(len(y), np.int64)
    order = rng.permutation(np.flatnonzero(known))
    order = order[np.argsort(stratum[order], kind="stable")]
    place = (np.arange(order.size) + int(rng.integers(10))) % 10
    _, first = np.unique(stratum[order], return_index=True)
    place[first[~np.isin(stratum[order[first]], stratum[order[place < 8]])]] = 0
    split = np.full(len(y), -1)
    split[order] = np.maximum(place - 7, 0) if order.size > 2 else 0
    for part in (0, 1, 2):
        if (
            order.size > 2 and not (split == part).any()
        ):  # it takes a graph of the largest, of the class that has most there
            held = np.flatnonzero(split == np.bincount(split[order]).argmax())
            split[held[np.bincount(stratum[held])[stratum[held]].argmax()]] = part
    return {name: torch.from_numpy(split == part) for part, name in enumerate(("train", "val", "test"))}


def graphs_of(data: Data, chosen: torch.Tensor) -> list[Data]:
    """The chosen graphs [G] of a set as a list for ``torch_geometric.loader.DataLoader``."""
    owner = torch.searchsorted(data.ptr, data.edge_index[1], right=True) - 1
    order = owner.argsort(stable=True)
    edges = torch.split(order, owner.bincount(minlength=len(data.ptr) - 1).tolist())
    graphs = []
    for place in chosen.nonzero().flatten().tolist():
        start, stop = data.ptr[place : place + 2].tolist()
        graph = Data(x=data.x[start:stop], y=data.y[place : place + 1], num_nodes=stop - start)
        graph.edge_index = data.edge_index[:, edges[place]] - start
        for name in ("edge_weight", "edge_attr"):
            if data.get(name) is not None:
                graph[name] = data[name][edges[place]]
        graphs.append(graph)
    return graphs
