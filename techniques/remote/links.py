"""Edges of a graph split for link prediction: positives, non-edges, and the edges that messages may use.

Memory of :func:`read_links`, its result included: some 30 bytes per stored entry of a directed graph, 20 of an undirected
one, and 60 MB for the chunk at hand. 60 million int32 entries were seen to take 1.75 and 1.2 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError
from techniques.remote.link_counts import link_counts
from techniques.remote.pairs import Codes, Ints, PairCode, chunks, distinct, member, sorted_codes

if TYPE_CHECKING:
    from techniques.remote.source.stored import StoredGraph

TRAIN, VAL, TEST = 0, 1, 2


@dataclass(frozen=True)
class LinkSplit:
    """Edges [2, count], source row first, ids in the graph's own dtype; an undirected edge once, lower id first.

    Attributes:
        train, val, test: positives: distinct pairs, no self-loops; no pair is in two of them. The hidden ones come in
            random order, so that the first few are a fair sample.
        val_negative, test_negative: as many non-edges as there are positives, all of them distinct.
        message_edges: stored entries that messages may use: all but the copies and directions of hidden positives.
        message_mask: which of the stored entries they are, [E]; ``None`` where nothing is stored beside the edges.
    """

    train: Ints
    val: Ints
    test: Ints
    val_negative: Ints
    test_negative: Ints
    message_edges: Ints
    message_mask: NDArray[np.bool_] | None = None


def read_links(stored: StoredGraph, undirected: bool, seed: int = 0) -> LinkSplit:
    """The split of a stored graph: its own ``edge_split``, else 5 % and 10 % hidden for validation and test.

    Both directions of an undirected edge and all copies of a parallel edge fall in one split; where ``edge_split``
    puts them in several, the earliest of train, validation and test holds.

    Args:
        undirected: every entry (u, v) is stored as (v, u), too.
        seed: equal seeds give equal splits and non-edges.

    Raises:
        GraphError: there is no edge between two nodes, ``edge_split`` is not 0, 1 or 2 for each entry, or the graph
            is so dense that there are fewer non-edges than hidden edges.
    """
    edge_index: Ints = _edge_index(stored)
    code = PairCode(int(stored.read("num_nodes").item()), undirected)
    rng = np.random.default_rng(seed)
    codes = sorted_codes(edge_index, code)
    if not len(codes):
        raise GraphError("link prediction needs edges between nodes, the graph has none", "Give a graph with edges")
    split = _split(stored, edge_index, code, codes, rng)
    train = code.decode(codes[split == TRAIN], edge_index.dtype)
    val, test = (code.decode(rng.permutation(codes[split == part]), edge_index.dtype) for part in (VAL, TEST))
    keep = _visible(edge_index, code, codes[split != TRAIN])
    message_edges = _without(edge_index, keep)
    mask = keep if {"edge_weight", "edge_attr"} & set(stored.headers) else None
    validated = val.shape[1]
    negatives = code.decode(_non_edges(codes, code.size, validated + test.shape[1], rng), edge_index.dtype)
    return LinkSplit(train, val, test, negatives[:, :validated], negatives[:, validated:], message_edges, mask)


def count_links(stored: StoredGraph, undirected: bool) -> tuple[int, int, int]:
    """Positives for training, validation and test, exactly as :func:`read_links` splits them.

    Needs 8 bytes per positive to count parallel edges once, and twice that where there are any.

    Raises:
        GraphError: ``edge_split`` is not 0, 1 or 2 for each entry.
    """
    edge_index = _edge_index(stored)
    code = PairCode(int(stored.read("num_nodes").item()), undirected)
    codes = sorted_codes(edge_index, code)
    if "edge_split" not in stored.headers:
        return link_counts(len(codes), False, 0)
    train, val, test = np.bincount(_stored_split(stored, edge_index, code, codes), minlength=3).tolist()
    return train, val, test


def corrupt(pairs: Ints, num_nodes: int, count_per_positive: int, seed: int) -> Ints:
    """Random targets [B, count_per_positive] to rank each positive's own target against (Bordes et al., 2013).

    Uniform over all nodes but the positive's two ends, with repeats; as usual for large graphs a drawn target may
    happen to be a true one.

    Args:
        pairs: positives [2, B], source row first.

    Raises:
        GraphError: the graph has no third node.
    """
    if num_nodes < 3:
        raise GraphError(
            f"ranking among random targets needs at least 3 nodes, got {num_nodes}", "Give a graph with more nodes"
        )
    rng = np.random.default_rng(seed)
    targets: Ints = rng.integers(0, num_nodes - 2, (pairs.shape[1], count_per_positive), dtype=pairs.dtype)
    # Counting past the lower end first, then past the higher one, leaves both out.
    targets += targets >= np.minimum(pairs[0], pairs[1])[:, None]
    targets += targets >= np.maximum(pairs[0], pairs[1])[:, None]
    return targets


def _edge_index(stored: StoredGraph) -> Ints:
    edge_index: Any = stored.read("edge_index")
    entries: Ints = edge_index
    return entries


def _split(stored: StoredGraph, edge_index: Ints, code: PairCode, codes: Codes, rng: Any) -> NDArray[np.uint8]:
    """Split [m] of each distinct pair."""
    if "edge_split" in stored.headers:
        return _stored_split(stored, edge_index, code, codes)
    counts = link_counts(len(codes), False, 0)
    split = np.repeat(np.arange(3, dtype=np.uint8), counts)
    rng.shuffle(split)
    return split


def _stored_split(stored: StoredGraph, edge_index: Ints, code: PairCode, codes: Codes) -> NDArray[np.uint8]:
    entries: Any = stored.read("edge_split")
    if entries.shape != edge_index.shape[1:] or not np.isin(entries, (TRAIN, VAL, TEST)).all():
        raise GraphError(
            f"edge_split must be 0, 1 or 2 for each of the {edge_index.shape[1]} edges, got {entries.dtype}"
            f" {list(entries.shape)}" + (f" from {entries.min()} to {entries.max()}" if entries.size else ""),
            "Store 0 for training, 1 for validation and 2 for test, or leave edge_split out",
        )
    split = np.zeros(len(codes), np.uint8)
    for part in (TEST, VAL, TRAIN):  # the earliest split is written last and holds
        split[np.searchsorted(codes, sorted_codes(edge_index, code, entries == part))] = part
    return split


def _visible(edge_index: Ints, code: PairCode, hidden: Codes) -> NDArray[np.bool_]:
    """Whether each stored entry is no copy and no direction of a hidden pair, [E]."""
    keep = np.ones(edge_index.shape[1], np.bool_)
    for part in chunks(edge_index.shape[1] if len(hidden) else 0):
        u, v = edge_index[0, part], edge_index[1, part]
        keep[part] = (u == v) | ~member(code.encode(u, v), hidden)
    return keep


def _without(edge_index: Ints, keep: NDArray[np.bool_]) -> Ints:
    """The stored entries [2, E'] that are kept."""
    left: Ints = np.empty((2, int(np.count_nonzero(keep))), edge_index.dtype)
    left[0], left[1] = edge_index[0][keep], edge_index[1][keep]
    return left


def _non_edges(codes: Codes, size: int, count: int, rng: Any) -> Codes:
    """Codes [count] of distinct non-edges, uniform, in random order. Overwrites ``codes`` to save memory.

    A non-edge is drawn by its rank among all non-edges, so no draw is refused and nearly complete graphs cost no more.
    """
    available = size - len(codes)
    if available < count:
        raise GraphError(
            f"link prediction needs as many non-edges as hidden edges ({count:,}), the graph has {available:,}",
            "Predict links in a graph that is not nearly complete, or store an edge_split that hides fewer edges",
        )
    ranks = _ranks(available, count, rng)
    for part in chunks(len(codes)):
        codes[part] -= np.arange(part.start, part.stop)  # now: the non-edges below each edge
    ranks += np.searchsorted(codes, ranks, side="right")
    rng.shuffle(ranks)
    return ranks[:count]


def _ranks(available: int, count: int, rng: Any) -> Codes:
    """At least ``count`` distinct numbers below ``available``, sorted: a uniform choice, or all of them."""
    if 2 * count > available:
        return np.arange(available)
    ranks = np.empty(0, np.int64)
    while len(ranks) < count:
        more = rng.integers(0, available, int(1.1 * (count - len(ranks))) + 8)
        ranks = np.concatenate([ranks, more])
        ranks.sort()
        ranks = distinct(ranks)
    return ranks
