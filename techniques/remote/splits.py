"""Splits on plain arrays, the graph's own and the seeded one: planner and job must agree on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Masks = dict[str, NDArray[np.bool_]]

SPLITS = ("train", "val", "test")
SHARES = (0.6, 0.2)


def stratified_masks(y: NDArray[Any], seed: int = 0) -> Masks:
    """60/20/20 of every class as masks [N]; ``y`` [N] class ids, below 0 where there is no label."""
    rng = np.random.default_rng(seed)
    masks = {split: np.zeros(y.size, dtype=bool) for split in SPLITS}
    for label in np.unique(y[y >= 0]):
        nodes = rng.permutation(np.flatnonzero(y == label))
        for split, part in zip(SPLITS, np.split(nodes, _cuts(nodes.size)), strict=True):
            masks[split][part] = True
    return masks


def stratified_counts(sizes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """How many of classes of so many nodes [C] the split of ``stratified_masks`` gives to each of ``SPLITS``: [3, C]."""
    cuts = np.array([_cuts(int(size)) for size in sizes], np.int64).reshape(-1, 2).T
    until = np.concatenate([np.minimum(cuts, sizes), sizes[None]]).astype(np.int64)
    return np.diff(until, axis=0, prepend=np.int64(0))


def _cuts(size: int) -> tuple[int, int]:
    """A class of few nodes is trained on first, judged by next, and tested last."""
    first = max(1, round(SHARES[0] * size))
    return first, max(first + 1, round((SHARES[0] + SHARES[1]) * size))


def stored_masks(stored: StoredGraph, known: NDArray[np.bool_]) -> Masks:
    """The graph's own masks [N] of what has a label (``known`` [N]), completed."""
    return completed_masks(given_masks(stored, known), known)


def given_masks(stored: StoredGraph, known: NDArray[np.bool_]) -> Masks:
    """The graph's own masks of what has a label (``known`` [N]), as they are stored; those that are not are empty."""
    return {split: _stored_mask(stored, split, known.size) & known for split in SPLITS}


def completed_masks(given: Masks, known: NDArray[np.bool_]) -> Masks:
    """The same as a job takes them: where they name no validation or no test nodes, what is held out is halved, seeded, into the
    two, or all that is not trained on: Karate Club and others bring training nodes only."""
    masks = dict(given)
    if masks["val"].any() and masks["test"].any():
        return masks
    held_out = masks["val"] | masks["test"]
    rest = np.flatnonzero(held_out if held_out.any() else known & ~masks["train"])
    order = rest[np.random.default_rng(0).permutation(rest.size)]
    for split, part in zip(("val", "test"), np.split(order, [(order.size + 1) // 2]), strict=True):
        masks[split] = np.zeros(known.size, dtype=bool)
        masks[split][part] = True
    return masks


def _stored_mask(stored: StoredGraph, split: str, size: int) -> NDArray[np.bool_]:
    """One mask [N] as it is stored; empty where it is not."""
    if f"{split}_mask" not in stored.headers:
        return np.zeros(size, dtype=bool)
    values: NDArray[Any] = np.asarray(stored.read(f"{split}_mask"))
    # Some collections store ten splits side by side: the first one counts.
    return (values if values.ndim == 1 else values[:, 0]).astype(bool)
