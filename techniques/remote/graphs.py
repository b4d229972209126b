"""Sets of graphs: labels, regression targets and splits per graph, whatever source they come from.

A set is one block-diagonal graph and ``graph_ptr`` [G + 1]: graph g has nodes ``graph_ptr[g]:graph_ptr[g + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from techniques.errors import GraphError, OptionError
from techniques.remote.splits import SPLITS, stored_masks

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph


@dataclass(frozen=True)
class TargetScale:
    """Mean and deviation [T] of the training graphs' targets: what a regression is trained on has mean 0, deviation 1."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def restored(self, values: torch.Tensor) -> torch.Tensor:
        """Standardised values [B, T] in the targets' own unit."""
        return values * self.deviation + self.mean


def is_graph_level(stored: StoredGraph) -> bool:
    """Whether ``y`` has an entry per graph of a set, not per node."""
    headers = stored.headers
    if "y" not in headers or "graph_ptr" not in headers or not headers["y"].shape:
        return False
    graphs = headers["graph_ptr"].shape[0] - 1
    return headers["y"].shape[0] == graphs != int(np.asarray(stored.read("num_nodes")).item())


def targets_are_real(labels: NDArray[Any]) -> bool:
    """Whether ``y`` [G] or [G, T] holds quantities: at least one of them is a fraction."""
    if labels.dtype.kind != "f":
        return False
    finite = labels[np.isfinite(labels)]
    return bool((finite != np.rint(finite)).any())


def known_graphs(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which graphs have a label [G]: no NaN, and for class ids none below 0."""
    if labels.dtype.kind == "f":
        known: NDArray[np.bool_] = ~np.isnan(labels.reshape(len(labels), -1)).any(1)
        return known if targets_are_real(labels) or labels.ndim == 2 else known & (labels.reshape(-1) >= 0)
    return np.ones(len(labels), np.bool_) if labels.ndim == 2 else labels >= 0


def read_graphs(stored: StoredGraph) -> tuple[torch.Tensor, dict[str, torch.Tensor], TargetScale | None]:
    """Labels, masks [G] by split, and the scale of standardised targets.

    Returns:
        Labels [G] int64 class positions (-1 = unlabelled; gaps closed), [G, L] float32 for several labels, or [G, T]
        float32 standardised targets (0 = unknown) and their scale.

    Raises:
        GraphError: no labels; OptionError: masks that pick nodes.
    """
    import torch

    from techniques.remote.labels import read_labels

    if "y" not in stored.headers:
        raise GraphError(f"graph-level tasks need labels, {stored.name} has none", "Add an array y, one row per graph")
    refuse_node_masks(stored)
    raw: NDArray[Any] = np.array(stored.read("y"))
    masks = graph_masks(stored, raw)
    tensors = {split: torch.from_numpy(mask) for split, mask in masks.items()}
    if not targets_are_real(raw):
        if raw.dtype.kind == "f" and raw.ndim == 1:
            raw = np.where(known_graphs(raw), raw, -1).astype(np.int64)
            return torch.from_numpy(_closed(raw)), tensors, None
        return read_labels(stored), tensors, None
    targets = torch.from_numpy(raw.reshape(len(raw), -1).astype(np.float32))
    train = targets[tensors["train"]]
    deviation = train.std(0, unbiased=False)
    scale = TargetScale(train.mean(0), torch.where(deviation > 0, deviation, 1.0))
    return ((targets - scale.mean) / scale.deviation).nan_to_num(0.0), tensors, scale


def graph_masks(stored: StoredGraph, labels: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
    """Training, validation and test graphs [G]: the set's own, else the seeded split; none without a label."""
    return stored_masks(stored, known_graphs(labels)) if "train_mask" in stored.headers else seeded_split(labels)


def seeded_split(labels: NDArray[Any], seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """80/10/10 of the labelled graphs, of every class where there are classes; every class has a graph to train on, and each
    split has one graph at least where there are three."""
    rng = np.random.default_rng(seed)
    known = known_graphs(labels)
    strata = np.zeros(len(labels), np.int64)
    if labels.ndim == 1 and not targets_are_real(labels):
        strata = np.unique(labels, return_inverse=True)[1]
    # Shuffled, then sorted by class: every tenth graph of that order has each class in proportion.
    order = rng.permutation(np.flatnonzero(known))
    order = order[np.argsort(strata[order], kind="stable")]
    place = (np.arange(order.size) + int(rng.integers(10))) % 10
    _, first = np.unique(strata[order], return_index=True)
    place[first[~np.isin(strata[order[first]], strata[order[place < 8]])]] = 0
    masks = {split: np.zeros(len(labels), np.bool_) for split in SPLITS}
    for split, chosen in (("train", place < 8), ("val", place == 8), ("test", place == 9)):
        masks[split][order[chosen]] = True
    return _with_one_each(masks, order, strata)


def _with_one_each(
    masks: dict[str, NDArray[np.bool_]], order: NDArray[np.int64], strata: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Sets of fewer than ten graphs: an empty split takes a graph of the largest, of the class that has most there."""
    if order.size < len(SPLITS):
        return {
            "train": np.isin(np.arange(len(masks["train"])), order),
            **{name: masks[name] & False for name in ("val", "test")},
        }
    for split in SPLITS:
        if not masks[split].any():
            giver = max(SPLITS, key=lambda one: int(masks[one].sum()))
            held = np.flatnonzero(masks[giver])
            moved = held[np.bincount(strata[held])[strata[held]].argmax()]
            masks[giver][moved], masks[split][moved] = False, True
    return masks


def refuse_node_masks(stored: StoredGraph) -> None:
    """Refuse masks that are as long as the nodes.

    Raises:
        OptionError: with both lengths.
    """
    graphs = stored.headers["graph_ptr"].shape[0] - 1
    for split in SPLITS:
        header = stored.headers.get(f"{split}_mask")
        if header is not None and header.shape[0] != graphs:
            raise OptionError(
                f"{split}_mask must pick graphs, one entry for each of {graphs:,}, got {header.shape[0]:,} entries",
                "Store masks of length G for a graph-level task, or leave them out",
            )


def _closed(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class ids without gaps; -1 stays."""
    classes = np.unique(ids[ids >= 0])
    return np.where(ids >= 0, np.searchsorted(classes, ids), -1).astype(np.int64)
