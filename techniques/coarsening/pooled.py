"""Features and labels of super-nodes: pooled over their members, labels over their training members only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from techniques.coarsening.kernels import members_of, pool_sparse_rows
from techniques.remote.rows import DenseRows, RowStore, SparseRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BYTES_AT_ONCE = 4 * 2**20
"""Member rows gathered at a time: bounds what pooling dense or memory-mapped features needs."""


def pooled_features(features: RowStore, cluster: NDArray[np.int32], count: int, maximum: bool) -> RowStore:
    """Mean or maximum of the members' rows, [C, F] in memory, dense or sparse as they were.

    The mean is the normalised partition's: each row of ``P^T X`` over the root of its super-node's size.
    """
    ptr, node = members_of(cluster, count)
    if isinstance(features, SparseRows):
        pooled = pool_sparse_rows(
            features.indptr, features.indices, features.data, features.width, ptr, node, maximum=maximum
        )
        return SparseRows(*pooled, features.width)
    out = np.empty((count, features.num_features), np.float32)
    start, rows_at_once = 0, max(1, BYTES_AT_ONCE // (4 * features.num_features))
    while start < count:
        stop = int(np.searchsorted(ptr, ptr[start] + rows_at_once, side="right")) - 1
        stop = min(max(stop, start + 1), count)
        rows = features.rows(node[ptr[start] : ptr[stop]].astype(np.int64)).numpy()
        first = ptr[start:stop] - ptr[start]
        if maximum:
            np.maximum.reduceat(rows, first, out=out[start:stop])
        else:
            np.add.reduceat(rows, first, out=out[start:stop])
            out[start:stop] /= np.diff(ptr[start : stop + 1])[:, None]
        start = stop
    return DenseRows(out)


def pooled_labels(
    labels: torch.Tensor, train: torch.Tensor, cluster: NDArray[np.int32], count: int, how: str, num_classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of super-nodes, and the mask [C] of those that have a training member: nobody else's label is looked at.

    Args:
        labels: [N] int64 class positions, or [N, L] float of 0 and 1.
        train: [N] bool.
        how: ``mode``, the class of most training members (the lowest of several); ``mean``, their mean class position,
            rounded, for classes that are in order; ``soft``, the share of each class.
        num_classes: classes of the graph.

    Returns:
        [C] int64, or [C, classes] float32 where labels are shares; rows without a training member are -1 or 0.
    """
    nodes = np.flatnonzero(train.numpy())
    owner = cluster[nodes].astype(np.int64)
    members = np.bincount(owner, minlength=count)
    known = torch.from_numpy(members > 0)
    y = labels.numpy()[nodes]
    if y.ndim == 2:
        shares = np.zeros((count, y.shape[1]), np.float32)
        np.add.at(shares, owner, y)
        shares /= np.maximum(members, 1)[:, None]
        return torch.from_numpy((shares >= 0.5).astype(np.float32) if how == "mode" else shares), known
    if how == "mean":
        mean = np.bincount(owner, y, minlength=count) / np.maximum(members, 1)
        return torch.from_numpy(np.where(members > 0, np.rint(mean), -1).astype(np.int64)), known
    pair, times = np.unique(owner * num_classes + y, return_counts=True)
    super_node, label = pair // num_classes, pair % num_classes
    if how == "soft":
        shares = np.zeros((count, num_classes), np.float32)
        shares[super_node, label] = times / members[super_node]
        return torch.from_numpy(shares), known
    found = np.full(count, -1, np.int64)
    order = np.lexsort((-label, times, super_node))  # the last of a super-node counts: most often, lowest label
    found[super_node[order]] = label[order]
    return torch.from_numpy(found), known
