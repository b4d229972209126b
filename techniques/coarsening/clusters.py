"""From a graph to clusters of nodes: matchings in one or many levels, METIS parts (and matchings within them), cells of a
grid; each keeps a given share.

A cluster becomes a super-node. Matchings may be told never to join training nodes of different classes, and to leave all
nodes alone but those of one level of a hierarchy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from techniques.coarsening.kernels import (
    contract,
    match,
    merged_pairs,
    normalised,
    pair_at_random,
    refined_parts,
    relabelled,
)
from techniques.errors import GraphError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.coarsening.plan import CoarseningPlan
    from techniques.sampling.kernels.machine_code import IntArray

    Clusters = NDArray[np.int32]

MOST_LEVELS = 64
LEAST_PART, MOST_PARTS = 64, 128
"""Nodes of a METIS part, and parts: it was not made for many parts of a few nodes, takes long and gives up on millions of
them. Smaller super-nodes are matched within its parts."""
MOST_METIS_NODES = 65_536
"""METIS begins by matching along heavy edges; ours takes a tenth of the time, so of a larger graph METIS gets super-nodes, and
its parts are refined: 17 s instead of 118 s for ten million entries of a random graph (tests/benchmarks/coarsening.py --speed)."""
SEARCH_STEPS = 40
CLOSE = 0.005
"""A grid is searched until its share of cells is this close to what is asked for."""


@dataclass(frozen=True, eq=False)
class FineGraph:
    """What clusters are made from.

    Shapes: ``colptr`` [N + 1] int64 and ``row`` [E], the in-edges of every node; ``weight`` [E] float32 or ``None``; ``pos``
    [N, D]; ``label`` [N] int32, the class of training nodes and -1 for all others; ``group`` [N] int32, -1 for nodes that
    must stay as they are: only nodes of one group are joined.
    """

    colptr: NDArray[np.int64]
    row: IntArray
    weight: NDArray[np.float32] | None = None
    pos: NDArray[Any] | None = None
    label: NDArray[np.int32] | None = None
    group: NDArray[np.int32] | None = None

    @property
    def num_nodes(self) -> int:
        return int(self.colptr.size - 1)

    @property
    def num_free(self) -> int:
        """Nodes that may be joined."""
        return self.num_nodes if self.group is None else int(np.count_nonzero(self.group >= 0))

    def target(self, ratio: float) -> int:
        """Super-nodes to aim at: ``ratio`` of the nodes that may be joined, and all others."""
        return self.num_nodes - self.num_free + max(1, round(ratio * self.num_free))


@dataclass(frozen=True, eq=False)
class CoarseGraph:
    """Clusters and the graph between them.

    Shapes: ``cluster`` [N] int32 in ``0..C-1``; ``colptr`` [C + 1] int64, ``row`` [E'] int32 and ``weight`` [E'] float32: in-edges
    of every super-node, each weighing the sum of the edges that it stands for, without self-loops.
    """

    cluster: Clusters
    colptr: NDArray[np.int64]
    row: NDArray[np.int32]
    weight: NDArray[np.float32]

    @property
    def num_nodes(self) -> int:
        return int(self.colptr.size - 1)

    def sizes(self) -> NDArray[np.int64]:
        """Members of every super-node, [C]."""
        return np.bincount(self.cluster, minlength=self.num_nodes)

    def normalised_weight(self) -> NDArray[np.float32]:
        """Values of ``P^T A P`` where the columns of the partition matrix ``P`` have length 1: each edge over the roots of
        the sizes of its ends (Loukas and Vandergheynst, ICML 2018). A self-loop of weight 1 on every node, as GCN
        adds, is one of weight 1 on every super-node then: ``P^T I P = I``."""
        root = np.sqrt(self.sizes(), dtype=np.float32)
        return normalised(self.colptr, self.row, self.weight, root)


def coarsen(graph: FineGraph, plan: CoarseningPlan) -> CoarseGraph:
    """Cluster and contract a graph as planned; equal seeds give equal graphs.

    Raises:
        GraphError: positions that are not finite, or METIS gave up.
    """
    if plan.method == "graclus":
        return _levels(graph, plan, target=1, levels=plan.levels, heavy=False)
    if plan.method == "heavy_edge":
        return _levels(graph, plan, target=graph.target(plan.ratio), levels=MOST_LEVELS, heavy=True)
    cluster = _metis(graph, plan) if plan.method == "metis" else _voxels(graph, plan)
    cluster, count = _within_groups(cluster, graph.group)
    if plan.method == "metis" and count < graph.target(plan.ratio):
        parts = cluster if graph.group is None else np.where(graph.group >= 0, cluster, -1).astype(np.int32)
        within = replace(graph, label=None, group=parts)
        return _levels(within, plan, target=graph.target(plan.ratio), levels=MOST_LEVELS, heavy=True)
    return CoarseGraph(cluster, *contract(graph.colptr, graph.row, graph.weight, cluster, count))


def _levels(graph: FineGraph, plan: CoarseningPlan, target: int, levels: int, heavy: bool) -> CoarseGraph:
    """Match and contract, again and again, until ``target`` super-nodes or all ``levels`` are reached."""
    total = np.arange(graph.num_nodes, dtype=np.int32)
    colptr, row, weight = graph.colptr, graph.row, graph.weight
    label, group = graph.label, graph.group
    size = np.ones(graph.num_nodes, np.float32)
    for level in range(levels):
        seed = _level_seed(plan.seed, level)
        most = len(size) - target
        if most <= 0:
            break
        scale = 1.0 / size if heavy else None
        mate = match(colptr, row, weight, seed, scale=scale, group=group, label=label, most=most, two_hop=heavy)
        if heavy:
            mate = _pair_isolated(mate, colptr, group, label, most - merged_pairs(mate), seed)
        if not merged_pairs(mate):
            break
        cluster, count = relabelled(mate)
        colptr, row, weight = contract(colptr, row, weight, cluster, count)
        total = cluster[total]
        size = np.bincount(cluster, size, count).astype(np.float32)
        label, group = (None if one is None else _carried(one, cluster, count) for one in (label, group))
    if weight is None or len(size) == graph.num_nodes:  # nothing was joined: parallel edges and loops still go
        return CoarseGraph(total, *contract(graph.colptr, graph.row, graph.weight, total, len(size)))
    return CoarseGraph(total, colptr, row.astype(np.int32, copy=False), weight)


def _level_seed(seed: int, level: int) -> int:
    return int(np.random.SeedSequence((seed, level)).generate_state(1, np.uint64)[0])


def _pair_isolated(
    mate: Clusters,
    colptr: NDArray[np.int64],
    group: NDArray[np.int32] | None,
    label: NDArray[np.int32] | None,
    most: int,
    seed: int,
) -> Clusters:
    """Nodes without edges are joined with each other where the share that is asked for needs it: of one group, and both of
    one class or both of none."""
    alone = np.flatnonzero(colptr[1:] == colptr[:-1])
    alone = alone[mate[alone] == alone]
    if group is not None:
        alone = alone[group[alone] >= 0]
    key = np.zeros(alone.size, np.int64)
    for values in (group, label):
        if values is not None:
            key = key * (int(values.max(initial=0)) + 2) + values[alone] + 1
    for one in np.unique(key):
        if most <= 0:
            break
        before = merged_pairs(mate)
        mate = pair_at_random(mate, alone[key == one], most, seed)
        most -= merged_pairs(mate) - before
    return mate


def _carried(values: NDArray[np.int32], cluster: Clusters, count: int) -> NDArray[np.int32]:
    """What is known of a member is known of its super-node."""
    known = values >= 0
    carried = np.full(count, -1, np.int32)
    carried[cluster[known]] = values[known]
    return carried


def _metis(graph: FineGraph, plan: CoarseningPlan) -> Clusters:
    """Parts of ``LEAST_PART`` nodes or more, at most ``MOST_PARTS`` of them."""
    from techniques.sampling.partition import metis_parts, undirected_neighbors, weighted_metis_parts

    parts = max(1, min(round(plan.ratio * graph.num_nodes), graph.num_nodes // LEAST_PART, MOST_PARTS))
    if graph.num_nodes <= MOST_METIS_NODES:
        return metis_parts(graph.colptr, graph.row, parts, seed=plan.seed)
    ptr, neighbor = undirected_neighbors(graph.colptr, graph.row)
    first = _levels(FineGraph(ptr, neighbor), plan, target=MOST_METIS_NODES, levels=MOST_LEVELS, heavy=True)
    found = weighted_metis_parts(first.colptr, first.row, first.weight, first.sizes(), parts, plan.seed)
    return refined_parts(ptr, neighbor, found[first.cluster], parts)


def _voxels(graph: FineGraph, plan: CoarseningPlan) -> Clusters:
    """Cells of a cubic grid whose width is searched until the wanted share of them holds a node."""
    assert graph.pos is not None, "a grid needs positions"
    pos = np.asarray(graph.pos, dtype=np.float64).reshape(graph.num_nodes, -1)
    if not np.isfinite(pos).all():
        raise GraphError("pos must be finite for a grid, got NaN or infinity", "Correct pos, or coarsen another way")
    free = slice(None) if graph.group is None else graph.group >= 0
    points = pos[free] - pos[free].min(0)
    wanted = max(1, round(plan.ratio * len(points)))
    shift = np.random.default_rng(plan.seed).random(pos.shape[1])
    narrow, wide = 1e-9, 1.0
    extent = max(float(points.max()), np.finfo(np.float64).tiny)
    cells = np.zeros(len(points), np.int64)
    for _ in range(SEARCH_STEPS):
        middle = float(np.sqrt(narrow * wide))
        cells = _cells(points / extent, middle, shift)
        found = int(cells.max()) + 1
        if abs(found - wanted) <= CLOSE * wanted:
            break
        narrow, wide = (middle, wide) if found > wanted else (narrow, middle)
    cluster = np.zeros(graph.num_nodes, np.int32)
    cluster[free] = cells
    return cluster


def _cells(points: NDArray[np.float64], width: float, shift: NDArray[np.float64]) -> NDArray[np.int64]:
    """The cell of every point, numbered from 0."""
    key = np.zeros(len(points), np.int64)
    for column, offset in zip(points.T, shift, strict=True):
        place = np.floor(column / width + offset).astype(np.int64)
        _, place = np.unique(place, return_inverse=True)
        key = np.unique(key * (place.max() + 1) + place, return_inverse=True)[1]
    return key


def _within_groups(cluster: Clusters, group: NDArray[np.int32] | None) -> tuple[Clusters, int]:
    """Clusters cut at the borders of groups; nodes of no group are clusters of their own. Numbered by first member."""
    key = cluster.astype(np.int64)
    if group is not None:
        key = np.where(group >= 0, key * (int(group.max()) + 2) + group + 1, -1 - np.arange(len(key)))
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    return rank[number], len(first)
