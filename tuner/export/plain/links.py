"""The graph that was tuned for its edges: some are hidden, with as many pairs that are none; messages use what is left."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from tuner.export.plain.graph import bare_graph_of

TRAIN, VAL, TEST = 0, 1, 2
VAL_SHARE, TEST_SHARE = 0.05, 0.10


def link_graph_of(
    arrays: dict[str, Any], undirected: bool
) -> tuple[Data, dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """The graph without the hidden edges and with ``train_edge_index`` [2, M]; edges and non-edges of ``val`` and ``test``.

    Edges are distinct pairs of different nodes; both directions of an undirected one are hidden together.
    """
    data = bare_graph_of(arrays)
    size = int(data.num_nodes or 0)
    stored = codes_of(data.edge_index.numpy(), size, undirected)
    edges, rng = np.unique(stored[stored >= 0]), np.random.default_rng(0)
    split = split_of(arrays, stored, edges, rng)
    val, test = (rng.permutation(edges[split == part]) for part in (VAL, TEST))
    count = size * (size - 1) // (2 if undirected else 1)
    others = non_edges(edges, count, len(val) + len(test), rng)
    kept = torch.from_numpy(~np.isin(stored, edges[split != TRAIN]))
    data.edge_index = data.edge_index[:, kept]
    for name in {"edge_weight", "edge_attr"} & set(data.keys()):
        data[name] = data[name][kept]
    train, *hidden = (
        pairs_of(codes, size, undirected)
        for codes in (edges[split == TRAIN], val, others[: len(val)], test, others[len(val) :])
    )
    data.train_edge_index = train
    return data, {"val": (hidden[0], hidden[1]), "test": (hidden[2], hidden[3])}


def split_of(arrays: dict[str, Any], stored: Any, edges: Any, rng: Any) -> Any:
    """0, 1 or 2 for every edge: its own split, the earliest one of its copies, or one drawn with a fixed seed."""
    if "edge_split" in arrays:
        split = np.zeros(len(edges), np.uint8)
        for part in (TEST, VAL, TRAIN):
            chosen = (np.asarray(arrays["edge_split"]) == part) & (stored >= 0)
            split[np.searchsorted(edges, stored[chosen])] = part
        return split
    val, test = (max(round(share * len(edges)), 1) * (len(edges) > 2) for share in (VAL_SHARE, TEST_SHARE))
    split = np.repeat(np.arange(3, dtype=np.uint8), (len(edges) - val - test, val, test))
    rng.shuffle(split)
    return split


def non_edges(edges: Any, count_of_pairs: int, wanted: int, rng: Any) -> Any:
    """Distinct pairs that are no edges, drawn by their rank among all that are none."""
    available = count_of_pairs - len(edges)
    if available < wanted:
        raise ValueError(f"as many non-edges as hidden edges are needed, {wanted}, the graph has {available}")
    ranks = np.arange(available if 2 * wanted > available else 0)
    while len(ranks) < wanted:
        ranks = np.unique(np.append(ranks, rng.integers(0, available, int(1.1 * (wanted - len(ranks))) + 8)))
    ranks += np.searchsorted(edges - np.arange(len(edges)), ranks, side="right")
    rng.shuffle(ranks)
    return ranks[:wanted]


def codes_of(edge_index: Any, size: int, undirected: bool) -> Any:
    """A number for every pair of different nodes, of an undirected graph whatever the direction; -1 for a loop."""
    source, target = edge_index
    low, high = np.minimum(source, target), np.maximum(source, target)
    one_way = source * (size - 1) + target - (target > source)
    return np.where(source == target, -1, high * (high - 1) // 2 + low if undirected else one_way)


def pairs_of(codes: Any, size: int, undirected: bool) -> torch.Tensor:
    """The pairs [2, count] of these numbers."""
    source, target = np.divmod(codes, max(size - 1, 1))
    target = target + (target >= source)
    if undirected:
        target = ((np.sqrt(8.0 * codes + 1) + 1) / 2).astype(np.int64)
        target -= target * (target - 1) // 2 > codes
        source = codes - target * (target - 1) // 2
    return torch.from_numpy(np.stack([source, target]))
