"""The seeded split of graphs that bring none, on plain arrays: planner and job must agree on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")
SHARES = (0.6, 0.2)


def stratified_masks(y: NDArray[Any], seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """60/20/20 of every class as masks [N]; ``y`` [N] class ids, below 0 where there is no label."""
    rng = np.random.default_rng(seed)
    masks = {split: np.zeros(y.size, dtype=bool) for split in SPLITS}
    for label in np.unique(y[y >= 0]):
        nodes = rng.permutation(np.flatnonzero(y == label))
        first, second = _cuts(nodes.size)
        for split, part in zip(SPLITS, np.split(nodes, [first, second]), strict=True):
            masks[split][part] = True
    return masks


def _cuts(size: int) -> tuple[int, int]:
    return max(1, round(SHARES[0] * size)), max(1, round((SHARES[0] + SHARES[1]) * size))
