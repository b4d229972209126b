"""What one pass over the edges tells, in chunks, so that scratch memory stays near 50 MB plus two integers a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

CHUNK = 1 << 20
HASH_CHUNK = 1 << 15
"""Entries hashed at a time: small enough for the scratch arrays to stay in the processor's cache."""


@dataclass(frozen=True)
class Structure:
    """Counts over stored directed entries; ``in_degrees`` is [N] int64."""

    in_degrees: Ints
    undirected: bool
    self_loops: int
    isolated: int


def scan(edge_index: Ints, num_nodes: int) -> Structure:
    """Degrees, self-loops, isolated nodes (no entry in or out) and whether both directions are stored.

    Args:
        edge_index: [2, E], source row first, ids in [0, num_nodes).
    """
    import numpy as np

    sources, targets = edge_index[0], edge_index[1]
    in_degrees = np.zeros(num_nodes, dtype=np.int64)
    out_degrees = np.zeros(num_nodes, dtype=np.int64)
    self_loops = 0
    # A count costs O(N) whatever the chunk: chunks grow with the graph so that this never dominates.
    for part in chunks(len(sources), max(CHUNK, num_nodes)):
        in_degrees += np.bincount(targets[part], minlength=num_nodes)
        out_degrees += np.bincount(sources[part], minlength=num_nodes)
        self_loops += int(np.count_nonzero(sources[part] == targets[part]))
    isolated = num_nodes - int(np.count_nonzero(in_degrees + out_degrees))
    undirected = bool(np.array_equal(in_degrees, out_degrees)) and both_directions(sources, targets, num_nodes)
    return Structure(in_degrees, undirected, self_loops, isolated)


def both_directions(sources: Ints, targets: Ints, num_nodes: int) -> bool:
    """Whether every entry (u, v) is stored as often as (v, u).

    Compares the sums of a 64-bit hash over all (u, v) and over all (v, u): sums do not depend on the order, so nothing
    is sorted. Two different multisets agree with probability 2^-64.
    """
    import numpy as np

    balance = 0
    width = np.uint64(num_nodes)
    for part in chunks(len(sources), HASH_CHUNK):
        u, v = sources[part].astype(np.uint64), targets[part].astype(np.uint64)
        forward, backward = _mix(u * width + v), _mix(v * width + u)
        balance += int(forward.sum(dtype=np.uint64)) - int(backward.sum(dtype=np.uint64))
    return balance % 2**64 == 0


def homophily(edge_index: Ints, classes: Ints) -> float | None:
    """Share of one-class entries among those between two labelled nodes; ``None`` where there are none.

    Args:
        classes: [N] class ids, negative = unlabelled.
    """
    import numpy as np

    # Narrow ids keep the random reads of large graphs in the cache.
    narrow: Ints = np.maximum(classes, -1).astype(np.int16 if int(classes.max(initial=0)) < 2**15 else np.int64)
    labelled = same = 0
    for part in chunks(edge_index.shape[1], CHUNK):
        ours, theirs = narrow[edge_index[0, part]], narrow[edge_index[1, part]]
        both = (ours >= 0) & (theirs >= 0)
        labelled += int(np.count_nonzero(both))
        same += int(np.count_nonzero(both & (ours == theirs)))
    return same / labelled if labelled else None


def chunks(length: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``length``."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def _mix(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele, Lea and Flood 2014), in place."""
    import numpy as np

    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return keys
