"""Negative edges for link prediction: random pairs of nodes, from a seed of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Seed = int | np.random.SeedSequence


def negative_edges(
    num_nodes: int,
    count: int,
    seed: Seed,
    *,
    src_weight: ArrayLike | None = None,
    dst_weight: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Draw pairs of nodes, both ends independently and with replacement.

    A drawn pair may be an edge of the graph or a self-loop: in a sparse graph that is rare, and PyG's samplers accept
    it too.

    Args:
        num_nodes: number of nodes ``n``, at least 1 where ``count`` is positive.
        count: number of pairs.
        seed: equal seeds give equal pairs; no global random generator is touched.
        src_weight: ``[n]``, relative probability of each node as a source; None for equal ones. Need not sum to one.
        dst_weight: the same for targets.

    Returns:
        int64 ``[2, count]``, sources and targets.

    Raises:
        ValueError: weights of another length, or negative, or not finite, or all zero; no nodes to draw from.
    """
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    for_source, for_target = sequence.spawn(2)
    source = negative_nodes(num_nodes, count, for_source, weight=src_weight)
    return np.stack([source, negative_nodes(num_nodes, count, for_target, weight=dst_weight)])


def negative_nodes(num_nodes: int, count: int, seed: Seed, *, weight: ArrayLike | None = None) -> NDArray[np.int64]:
    """Draw nodes with replacement, int64 ``[count]``: negative targets of edges whose sources are kept.

    Arguments and errors are those of :func:`negative_edges`.
    """
    if num_nodes < 1 and count > 0:
        raise ValueError(f"num_nodes must be at least 1 to draw negatives from, got {num_nodes}")
    random = np.random.default_rng(seed)
    if weight is None:
        return random.integers(num_nodes, size=count) if count else np.empty(0, np.int64)
    bounds = np.cumsum(_checked(np.asarray(weight, dtype=np.float64), num_nodes))
    # side="right" skips nodes of weight zero, whose interval is empty.
    drawn: NDArray[np.int64] = np.searchsorted(bounds, random.random(count) * bounds[-1], side="right")
    return drawn


def _checked(weight: NDArray[Any], num_nodes: int) -> NDArray[Any]:
    if weight.shape != (num_nodes,):
        raise ValueError(f"a negative sampling weight must have shape [{num_nodes}], got {list(weight.shape)}")
    if not (np.isfinite(weight).all() and weight.min() >= 0 and weight.max() > 0):
        raise ValueError("negative sampling weights must be finite, at least 0 and not all 0; clamp or replace them")
    return weight
