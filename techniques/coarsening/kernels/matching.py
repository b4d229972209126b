"""Matchings: every node alone or with one other, found in one randomised greedy pass over the edges.

The pass is that of graclus as PyG and torch-cluster run it (Dhillon, Guan and Kulis, IEEE TPAMI 29(11), 2007; Auer and
Bisseling, 2012): nodes in random order, each takes the free neighbour of the heaviest edge, ties broken at random.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from techniques.sampling.kernels.machine_code import IntArray, kernel, read_only
from techniques.sampling.kernels.random_bits import WEYL, mix

Mates = NDArray[np.int32]
NO_INTS = np.empty(0, np.int32)
NO_FLOATS = np.empty(0, np.float32)
MOST_NODES = 2**31 - 1


def match(
    colptr: IntArray,
    row: IntArray,
    weight: NDArray[np.float32] | None,
    seed: int,
    *,
    scale: NDArray[np.float32] | None = None,
    group: NDArray[np.int32] | None = None,
    label: NDArray[np.int32] | None = None,
    most: int | None = None,
    two_hop: bool = False,
) -> Mates:
    """Match the nodes of a graph along its edges.

    Args:
        colptr: int64 ``[n + 1]``; row: ``[E]``, the neighbours of node ``v`` at ``colptr[v]:colptr[v + 1]``. A directed
            graph is matched along in-edges. Self-loops are passed over.
        weight: ``[E]``, heavier edges first; ``None`` counts every edge alike.
        seed: equal seeds give equal matchings.
        scale: ``[n]``; an edge to ``v`` counts ``weight * scale[v]``.
        group: ``[n]``; only nodes of one group match, those below 0 not at all.
        label: ``[n]``; two nodes with different labels of at least 0 do not match.
        most: stop after this many pairs; ``None`` goes on to a maximal matching.
        two_hop: then match nodes left over whose heaviest edges lead to the same node (LaSalle et al., 2015): leaves of
            one hub, which no matching along edges can pair.

    Returns:
        int32 ``[n]``, the partner of every node; itself where it stays alone.

    Raises:
        ValueError: arrays that do not fit each other, or more than 2**31 - 1 nodes.
    """
    num_nodes = len(colptr) - 1
    _require(num_nodes, len(row), colptr, weight, scale, group, label)
    mate = np.full(num_nodes, -1, np.int32)
    edges = read_only(colptr), read_only(row)
    weights, scales = (read_only(NO_FLOATS if one is None else one) for one in (weight, scale))
    groups, labels = (read_only(NO_INTS if one is None else one) for one in (group, label))
    limit = num_nodes if most is None else most
    order = _order(num_nodes, np.uint64(seed % 2**64))
    found = _match(*edges, weights, scales, groups, labels, order, np.uint64(seed % 2**64), limit, mate)
    if two_hop and found < limit:
        _match_two_hops(*edges, weights, groups, labels, order, limit - found, mate)
    _leave_alone(mate)
    return mate


def pair_at_random(mate: Mates, alone: NDArray[np.int64], most: int, seed: int) -> Mates:
    """Pair nodes among ``alone`` with each other at random, at most ``most`` pairs: the last resort for nodes that have
    no edges to match along."""
    shuffled = np.random.default_rng(seed).permutation(alone)
    pairs = min(most, len(alone) // 2)
    first, second = shuffled[:pairs], shuffled[pairs : 2 * pairs]
    out = mate.copy()
    out[first], out[second] = second, first
    return out


def merged_pairs(mate: Mates) -> int:
    """Number of pairs in a matching."""
    return int(np.count_nonzero(mate != np.arange(len(mate), dtype=np.int32))) // 2


def relabelled(mate: Mates) -> tuple[NDArray[np.int32], int]:
    """Clusters of a matching, numbered by their first node: int32 ``[n]`` and how many there are."""
    cluster = np.empty(len(mate), np.int32)
    return cluster, int(_number(mate, cluster))


def _require(num_nodes: int, num_edges: int, colptr: IntArray, *arrays: NDArray[np.generic] | None) -> None:
    if num_nodes > MOST_NODES:
        raise ValueError(f"a graph to match may have {MOST_NODES} nodes, got {num_nodes}")
    if num_nodes < 0 or colptr[0] != 0 or colptr[-1] != num_edges:
        raise ValueError(f"colptr must start at 0 and end at the {num_edges} entries of row")
    weight, *per_node = arrays
    if weight is not None and len(weight) != num_edges:
        raise ValueError(f"weight must be one per edge, got {len(weight)} for {num_edges}")
    for one in per_node:
        if one is not None and len(one) != num_nodes:
            raise ValueError(f"scale, group and label must be one per node, got {len(one)} for {num_nodes}")


@kernel
def _order(num_nodes: int, seed: np.uint64) -> NDArray[np.int32]:
    """A random order of the nodes (Fisher-Yates)."""
    order = np.arange(num_nodes).astype(np.int32)
    state = seed ^ np.uint64(0x5851F42D4C957F2D)
    for i in range(num_nodes - 1, 0, -1):
        state += WEYL
        j = np.int64((mix(state) * np.uint64(i + 1)) >> np.uint64(32))
        order[i], order[j] = order[j], order[i]
    return order


@kernel
def _may_join(group: IntArray, label: IntArray, u: int, v: int) -> bool:
    if len(group) > 0 and (group[u] < 0 or group[u] != group[v]):
        return False
    return len(label) == 0 or label[u] < 0 or label[v] < 0 or label[u] == label[v]


@kernel
def _match(
    colptr: IntArray,
    row: IntArray,
    weight: NDArray[np.float32],
    scale: NDArray[np.float32],
    group: IntArray,
    label: IntArray,
    order: NDArray[np.int32],
    seed: np.uint64,
    most: int,
    mate: Mates,
) -> int:
    found = 0
    state = seed
    for i in range(len(order)):
        if found >= most:
            break
        u = order[i]
        if mate[u] >= 0:
            continue
        best, ties, best_score = -1, 0, np.float32(-np.inf)
        for edge in range(colptr[u], colptr[u + 1]):
            v = row[edge]
            if v == u or mate[v] >= 0 or not _may_join(group, label, u, v):
                continue
            score = weight[edge] if len(weight) > 0 else np.float32(1.0)
            score = score * scale[v] if len(scale) > 0 else score
            if score > best_score:
                best, ties, best_score = v, 1, score
            elif score == best_score:
                ties += 1
                state += WEYL
                if (mix(state) * np.uint64(ties)) >> np.uint64(32) == 0:
                    best = v
        if best >= 0:
            mate[u], mate[best] = best, u
            found += 1
    return found


@kernel
def _match_two_hops(
    colptr: IntArray,
    row: IntArray,
    weight: NDArray[np.float32],
    group: IntArray,
    label: IntArray,
    order: NDArray[np.int32],
    most: int,
    mate: Mates,
) -> int:
    """Every free node waits at the end of its heaviest edge; the next that comes there takes it."""
    found = 0
    waiting = np.full(len(mate), -1, np.int32)
    for i in range(len(order)):
        if found >= most:
            break
        u = order[i]
        if mate[u] >= 0:
            continue
        hub, best_score = -1, np.float32(-np.inf)
        for edge in range(colptr[u], colptr[u + 1]):
            score = weight[edge] if len(weight) > 0 else np.float32(1.0)
            if row[edge] != u and score > best_score:
                hub, best_score = row[edge], score
        if hub < 0:
            continue
        other = waiting[hub]
        if other >= 0 and _may_join(group, label, u, other):
            mate[u], mate[other], waiting[hub] = other, u, -1
            found += 1
        else:
            waiting[hub] = u
    return found


@kernel
def _leave_alone(mate: Mates) -> None:
    for u in range(len(mate)):
        if mate[u] < 0:
            mate[u] = u


@kernel
def _number(mate: Mates, cluster: NDArray[np.int32]) -> int:
    count = 0
    for u in range(len(mate)):
        if mate[u] >= u:
            cluster[u] = count
            count += 1
        else:
            cluster[u] = cluster[mate[u]]
    return count
