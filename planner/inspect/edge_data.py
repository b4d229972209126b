"""What the planner must know of edge weights: the least one, and whether both directions of an edge weigh the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.structure import HASH_CHUNK, _mix, chunks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]


def weight_facts(stored: StoredGraph, edge_index: Ints, num_nodes: int, undirected: bool) -> dict[str, Any]:
    """The fields of ``GraphFacts`` about ``edge_weight``; nothing where there are no weights."""
    import numpy as np

    if "edge_weight" not in stored.headers:
        return {}
    weights: Any = np.asarray(stored.read("edge_weight")).reshape(-1)
    found: dict[str, Any] = {"edge_weighted": True, "edge_weight_least": least(weights)}
    found["edge_weight_symmetric"] = undirected and both_alike(edge_index, weights, num_nodes)
    return found


def least(weights: NDArray[Any]) -> float | None:
    """The least weight; NaN is passed over, values are checked elsewhere."""
    import numpy as np

    parts = [weights[part] for part in chunks(len(weights), HASH_CHUNK)]
    found = [float(np.fmin.reduce(part)) for part in parts]
    lowest = min((one for one in found if not np.isnan(one)), default=None)
    return lowest if lowest is None or np.isfinite(lowest) else None


def both_alike(edge_index: Ints, weights: NDArray[Any], num_nodes: int) -> bool:
    """Whether every entry (u, v) is stored as often as (v, u) with the same float32 weight.

    Sums of a 64-bit hash over all (u, v, weight) and over all (v, u, weight), as ``structure.both_directions``.
    """
    import numpy as np

    balance, width = 0, np.uint64(num_nodes)
    for part in chunks(len(weights), HASH_CHUNK):
        u, v = (edge_index[row, part].astype(np.uint64) for row in (0, 1))
        value = (weights[part].astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)  # -0 is 0
        forward, backward = (_mix(_mix(pair) ^ (value << np.uint64(16))) for pair in (u * width + v, v * width + u))
        balance += int(forward.sum(dtype=np.uint64)) - int(backward.sum(dtype=np.uint64))
    return balance % 2**64 == 0
