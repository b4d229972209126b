"""The nodes that batches start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.int64]


def train_nodes(stored: StoredGraph, num_nodes: int) -> tuple[Ints, Ints | None]:
    """Training nodes, or all labelled nodes where no split is stored (a seeded split takes a fair share of them).

    Returns:
        Their ids, and their class positions; ``None`` where a node has several labels or none.
    """
    import numpy as np

    labels: Any = np.asarray(stored.read("y")) if "y" in stored.headers else None
    single = labels is not None and labels.ndim == 1 and labels.size == num_nodes
    chosen = np.nan_to_num(labels, nan=-1) >= 0 if single else np.ones(num_nodes, dtype=bool)
    if "train_mask" in stored.headers:
        mask: Any = stored.read("train_mask")
        # Some collections store ten splits side by side: the first one counts.
        chosen = chosen & (mask if mask.ndim == 1 else mask[:, 0]).astype(bool)
    nodes = np.flatnonzero(chosen)
    if not nodes.size:
        return np.arange(num_nodes), None
    return nodes, np.unique(labels[nodes], return_inverse=True)[1] if single else None
