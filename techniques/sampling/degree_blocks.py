"""Who draws whom: nodes in blocks of like degree, and the chance that an edge leads from one block to another.

Measured blocks are the summary of a degree-corrected block model (Karrer and Newman, "Stochastic blockmodels and
community structure in networks", 2011), the blocks being degree classes: they hold the degree mixing of Newman, "Mixing
patterns in networks" (2003). From a histogram alone the mixing is that of the maximum-entropy simple graph with the
same degrees, in which u and v are joined with probability ``x_u x_v / (1 + x_u x_v)`` (Park and Newman, "Statistical
mechanics of networks", 2004): hubs cannot have parallel edges, so they meet each other less than chance says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from techniques.facts import GraphFacts
from techniques.graph_figures import DegreeFacts

MOST_BLOCKS = 20
"""More change the forecasts by less than half a percent and cost their square."""
TYPICAL_CLOSURE = 0.1
"""Near the median closure beyond chance of 24 graphs (citations, shops, social, web, roads, generated), which random
paths put between 0.08 and 0.1. It stands in where only a histogram is known; squares are then taken to be rare."""
ROUNDS, NEAR = 12, 1e-3

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class DegreeBlocks:
    """Blocks of nodes of like degree; degrees leave out self-loops.

    ``step[i][j]`` is the probability that an in-edge of a node in block i comes from block j; rows of blocks without
    in-edges are zero. ``closure`` and ``square_closure`` are the shares of paths of two and three edges whose ends are
    joined beyond what ``step`` explains.
    """

    nodes: tuple[float, ...]
    train: tuple[float, ...]
    """Nodes that batches start from; all nodes where the training nodes' degrees are not known."""
    in_degree: tuple[float, ...]
    out_degree: tuple[float, ...]
    step: Matrix
    loops: float
    """Self-loops per node."""
    closure: float
    square_closure: float
    undirected: bool

    @property
    def num_nodes(self) -> float:
        return sum(self.nodes)

    def edges(self, target: int, source: int) -> float:
        """Stored entries from block ``source`` to block ``target``."""
        return self.nodes[target] * self.in_degree[target] * self.step[target][source]


def degree_blocks(graph: GraphFacts) -> DegreeBlocks:
    """The blocks of a graph: measured ones where there are any, else those that its histogram makes likely."""
    loops = (graph.self_loops or 0) / max(graph.num_nodes, 1)
    return _cached_blocks(graph.degrees, loops, graph.undirected)


@lru_cache(maxsize=32)
def _cached_blocks(degrees: DegreeFacts, loops: float, undirected: bool) -> DegreeBlocks:
    if degrees.block_nodes is None or degrees.block_edges is None:
        bins = _merged([(n, t / n) for n, t in zip(degrees.histogram, degrees.totals, strict=True) if n])
        nodes: tuple[float, ...] = tuple(count for count, _ in bins)
        edges: Matrix = _likely_edges(nodes, [max(degree - loops, 0.0) for _, degree in bins])
    else:
        nodes, edges = degrees.block_nodes, degrees.block_edges
    train = degrees.block_train
    blocks = _blocks(nodes, nodes if train is None else train, edges, loops, undirected)
    if degrees.closure is None or degrees.square_closure is None:
        return blocks
    triangles, squares = _chance_closures(blocks)
    return replace(
        blocks,
        closure=_beyond(degrees.closure, triangles),
        square_closure=_beyond(degrees.square_closure, squares),
    )


def _blocks(
    nodes: tuple[float, ...], train: tuple[float, ...], edges: Matrix, loops: float, undirected: bool
) -> DegreeBlocks:
    rows = [sum(row) for row in edges]
    columns = [sum(column) for column in zip(*edges, strict=True)]
    return DegreeBlocks(
        nodes=nodes,
        train=train,
        in_degree=tuple(total / count for total, count in zip(rows, nodes, strict=True)),
        out_degree=tuple(total / count for total, count in zip(columns, nodes, strict=True)),
        step=tuple(tuple(x / total if total else 0.0 for x in row) for row, total in zip(edges, rows, strict=True)),
        loops=loops,
        closure=TYPICAL_CLOSURE,
        square_closure=0.0,
        undirected=undirected,
    )


def _merged(bins: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Join neighbouring bins while their share of nodes and edges, averaged, stays small."""
    nodes = sum(count for count, _ in bins)
    edges = max(sum(count * degree for count, degree in bins), 1e-9)
    merged: list[tuple[int, float]] = []
    weight = 0.0
    for count, degree in bins:
        share = count / nodes / 2 + count * degree / edges / 2
        weight += share
        if merged and merged[-1][1] > 0 and weight <= 1 / MOST_BLOCKS:
            before, mean = merged.pop()
            merged.append((before + count, (before * mean + count * degree) / (before + count)))
        else:
            merged.append((count, degree))
            weight = share
    return merged


def _likely_edges(nodes: tuple[float, ...], degrees: list[float]) -> Matrix:
    """Expected entries between blocks of a random simple graph; the multipliers x by damped fixed-point rounds."""
    total = sum(count * degree for count, degree in zip(nodes, degrees, strict=True))
    x = [degree / math.sqrt(max(total, 1e-9)) for degree in degrees]
    for _ in range(ROUNDS):
        sums = [sum(n * y / (1 + one * y) for n, y in zip(nodes, x, strict=True)) for one in x]
        ratios = [degree / (one * s) if one * s else 1.0 for one, degree, s in zip(x, degrees, sums, strict=True)]
        x = [one * math.sqrt(ratio) for one, ratio in zip(x, ratios, strict=True)]
        if all(abs(ratio - 1.0) < NEAR for ratio in ratios):
            break
    edges = []
    for count, degree, one in zip(nodes, degrees, x, strict=True):
        row = [n * y / (1 + one * y) for n, y in zip(nodes, x, strict=True)]
        scale = count * degree / max(sum(row), 1e-300)
        edges.append(tuple(scale * value for value in row))
    return tuple(edges)


def _beyond(share: float, by_chance: float) -> float:
    return max(0.0, share - by_chance) / max(1.0 - by_chance, 1e-9)


def _chance_closures(blocks: DegreeBlocks) -> tuple[float, float]:
    """Probabilities by the blocks alone that the ends of a path of two and of three edges are joined."""
    every = range(len(blocks.nodes))
    ends = [n * d for n, d in zip(blocks.nodes, blocks.out_degree, strict=True)]
    total = max(sum(ends), 1e-9)
    joined = [0.0, 0.0]
    for start in every:
        if ends[start] <= 0:
            continue
        # Against the first entry and then along in-edges: from a source to its targets, and on to their sources.
        at = [blocks.edges(i, start) / ends[start] for i in every]
        pairs = [min(blocks.edges(start, j) / (blocks.nodes[start] * blocks.nodes[j]), 1.0) for j in every]
        for edges in (0, 1):
            following = [0.0] * len(ends)
            for share, row in zip(at, blocks.step, strict=True):
                if share > 0:
                    following = [have + share * p for have, p in zip(following, row, strict=True)]
            at = following
            joined[edges] += ends[start] / total * sum([one * p for one, p in zip(at, pairs, strict=True)])
    return joined[0], joined[1]
