"""The nodes that batches start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from techniques.facts import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.facts import GraphFacts
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


def trained_nodes(stored: StoredGraph, graph: GraphFacts) -> tuple[Ints, Ints | None]:
    """The same as a job finds them: of a seeded split those that it trains on, some of every class."""
    import numpy as np

    from techniques.remote.splits import stratified_masks

    if not graph.labels.split_is_seeded or graph.task is not Task.NODE:
        return train_nodes(stored, graph.num_nodes)
    labels: Any = np.asarray(stored.read("y"))
    single = labels.ndim == 1
    nodes = np.flatnonzero(stratified_masks(labels if single else np.zeros(len(labels), np.int64))["train"])
    return nodes, np.unique(labels[nodes], return_inverse=True)[1] if single else None
