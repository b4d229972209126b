"""How large a batch becomes that is a subgraph: a random part, GraphSAINT's samplers, ShaDow's ego graphs.

All are from the facts alone, each with one number of nodes and edges: the mean over batches and the 99th percentile,
mean + 2.326 standard deviations. GraphSAINT: Zeng et al., ICLR 2020, algorithm 1; ShaDow: Zeng et al., NeurIPS 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from techniques.facts import GraphFacts
from techniques.sampling.degree_blocks import DegreeBlocks, Matrix, degree_blocks
from techniques.sampling.hop_model import (
    Hop,
    HopSizes,
    arrivals,
    dot,
    expand,
    high_total,
    occupancy_variance,
    total_variance,
)


def random_node_sizes(graph: GraphFacts, nodes_per_batch: float) -> HopSizes:
    """The subgraph induced by ``nodes_per_batch`` uniform nodes, drawn without replacement.

    An edge is inside with probability s (s - 1) / n (n - 1). The variance is that of Hoeffding's decomposition ("A class
    of statistics with asymptotically normal distribution", 1948): degrees of the chosen nodes, then pairs.
    """
    nodes = max(graph.num_nodes, 1)
    size = min(nodes_per_batch, nodes)
    share = size / nodes
    loops = graph.self_loops or 0
    pair_share = size * max(size - 1, 0.0) / (nodes * max(nodes - 1, 1))
    mean = (graph.num_edges - loops) * pair_share + loops * share
    stored = 2 if graph.undirected else 1
    spread = share * (1 - share)
    variance = share**2 * spread * _degree_spread(graph) + stored * (graph.num_edges - loops) * spread**2
    return HopSizes([size], [mean], [size], [min(high_total(mean, variance), float(graph.num_edges))])


def saint_node_sizes(graph: GraphFacts, budget: float) -> HopSizes:
    """``budget`` draws with replacement, in proportion to the out-degree; then the induced subgraph."""
    blocks = degree_blocks(graph)
    total = max(graph.num_edges, 1)
    rate = [(degree + blocks.loops) / total for degree in blocks.out_degree]
    return _induced(blocks, budget, rate)


def saint_edge_sizes(graph: GraphFacts, budget: float) -> HopSizes:
    """``budget`` times a uniform node that has neighbours and a uniform one of them; then the induced subgraph.

    An edge between u and v is thus drawn in proportion to 1 / deg(u) + 1 / deg(v).
    """
    blocks = degree_blocks(graph)
    starts = [1.0 if degree + blocks.loops > 0 else 0.0 for degree in blocks.in_degree]
    candidates = max(dot(blocks.nodes, starts), 1e-9)
    drawn = [
        one * degree / max(degree + blocks.loops, 1e-9) for one, degree in zip(starts, blocks.in_degree, strict=True)
    ]
    taken = [[count * one * p / candidates for p in row] for count, one, row in _rows(blocks, drawn)]
    ends = [sum(column) / count for column, count in zip(zip(*taken, strict=True), blocks.nodes, strict=True)]
    rate = [one / candidates + end for one, end in zip(starts, ends, strict=True)]
    return _induced(blocks, budget, rate, taken)


def saint_walk_sizes(graph: GraphFacts, roots: float, length: int) -> HopSizes:
    """``roots`` uniform nodes, drawn with replacement, and a walk of ``length`` steps from each; then the subgraph
    induced by all nodes visited.

    In an undirected graph a step goes straight back with probability 1 / degree; two steps on, a share ``closure`` of
    the walks stands beside the node it was at. Rarer returns are left out. A node without in-edges ends its walk.
    """
    blocks = degree_blocks(graph)
    back = [1.0 / max(degree, 1.0) if blocks.undirected else 0.0 for degree in blocks.in_degree]
    returning = [dot(row, back) for row in blocks.step]
    at = [count / blocks.num_nodes for count in blocks.nodes]
    before = [0.0] * len(at)
    visits, leaving = list(at), [0.0] * len(at)
    for step in range(length):
        onward = [1.0 - one if step else 1.0 for one in back]
        leaving = [have + here * one for have, here, one in zip(leaving, at, onward, strict=True)]
        arrive = arrivals(blocks, at)
        steps = zip(visits, arrive, before, returning, strict=True)
        visits = [seen + max(new - two_ago * one, 0.0) for seen, new, two_ago, one in steps]
        before, at = at, arrive
    closing = 1.0 + blocks.closure * (1.0 - 1.0 / max(length, 1))
    crossed = [[closing * out * p for p in row] for out, row in zip(leaving, blocks.step, strict=True)]
    rate = [visit / count for visit, count in zip(visits, blocks.nodes, strict=True)]
    return _induced(blocks, roots, rate, crossed)


def shadow_sizes(graph: GraphFacts, roots: float, depth: int, num_neighbors: int) -> HopSizes:
    """Ego graphs side by side: ``depth`` hops of ``num_neighbors`` in-neighbours without replacement around each root,
    then all edges between the nodes of one ego graph.

    Nodes: the hops of ``hop_sizes`` around one seed. Edges: those over which nodes were found, the chance edges of the
    blocks, and the share ``closure`` of nodes two edges apart. Nodes share more neighbours than that in lattices and in
    graphs of tight communities, where the edges are underrated.
    """
    blocks = degree_blocks(graph)
    hops = expand(blocks, 1.0, [num_neighbors] * depth)
    found = [dot(hop.unseen, hop.hit) for hop in hops]
    nodes = 1.0 + sum(found)
    edges = _ego_edges(blocks, hops, found)
    spread = total_variance(blocks, 1.0, sum(blocks.train), hops, count_nodes=True)
    per_node = edges / nodes + (edges - sum(found) * (2 if blocks.undirected else 1)) / nodes
    high_nodes = high_total(roots * nodes, roots * spread)
    return HopSizes(
        [roots * nodes], [roots * edges], [high_nodes], [high_total(roots * edges, roots * spread * per_node**2)]
    )


def _ego_edges(blocks: DegreeBlocks, hops: Sequence[Hop], found: Sequence[float]) -> float:
    """Expected entries of one ego graph: the tree of its hops, pairs near in that tree, and pairs by chance."""
    members = [count / max(sum(blocks.train), 1e-9) for count in blocks.train]
    near = beside = 0.0
    for hop, new in zip(hops, found, strict=True):
        members = [m + u * h for m, u, h in zip(members, hop.unseen, hop.hit, strict=True)]
        kept = new / max(dot(hop.frontier, hop.drawn), 1e-9)
        pairs = sum(f * k * max(k - 1, 0.0) for f, k in zip(hop.frontier, hop.drawn, strict=True)) * kept**2
        children = new / max(sum(hop.frontier), 1e-9)
        # Siblings are two edges apart, a node and its parent's siblings three, children of siblings four.
        near += blocks.closure * pairs / 2
        near += blocks.square_closure * beside * children + _far_closure(blocks) * beside * children**2 / 2
        beside = pairs
    size, tree = sum(members), sum(found)
    chance = sum(
        a * b * blocks.edges(i, j) / (blocks.nodes[i] * blocks.nodes[j])
        for i, a in enumerate(members)
        for j, b in enumerate(members)
    )
    apart = max(1.0 - tree / max(size * (size - 1) / 2, tree, 1e-9), 0.0)
    return (2.0 if blocks.undirected else 1.0) * tree + 2.0 * near + apart * chance + blocks.loops * size


def _far_closure(blocks: DegreeBlocks) -> float:
    """Joined share of nodes four edges apart, if it falls from three to four as it does from two to three."""
    if blocks.closure <= 0:
        return 0.0
    return min(blocks.closure, blocks.square_closure) * min(1.0, blocks.square_closure / blocks.closure)


def _induced(
    blocks: DegreeBlocks, draws: float, rate: Sequence[float], taken: Sequence[Sequence[float]] | None = None
) -> HopSizes:
    """Distinct nodes of ``draws`` independent draws, and the edges between them.

    Args:
        rate: how often a node of each block is met per draw.
        taken: edges that one draw brings along with both their ends, from block (row) to block (column).
    """
    chosen = [1.0 - math.exp(-draws * one) for one in rate]
    slope = [n * draws * one * math.exp(-draws * one) for n, one in zip(blocks.nodes, rate, strict=True)]
    nodes = dot(blocks.nodes, chosen)
    sure = _sure(blocks, draws, taken)
    edges, pair_variance = blocks.loops * nodes, 0.0
    gain = [blocks.loops] * len(rate)
    for i, row in enumerate(sure):
        for j, certain in enumerate(row):
            count = blocks.edges(i, j)
            if count <= 0:
                continue
            # Each end's chance to be met otherwise: being drawn with this edge is taken out.
            p, q = (max(1.0 - (1.0 - one) / max(1.0 - certain, 1e-12), 0.0) for one in (chosen[i], chosen[j]))
            joined = certain + (1.0 - certain) * p * q
            edges += count * joined
            gain[i] += count * q / blocks.nodes[i]
            gain[j] += count * p / blocks.nodes[j]
            pair_variance += count * max(joined - chosen[i] * chosen[j], 0.0) * (1.0 - joined)
            pair_variance += count * chosen[i] * (1 - chosen[i]) * chosen[j] * (1 - chosen[j])
    draws_made = max(dot(blocks.nodes, rate) * draws, 1e-9)
    ones = [1.0] * len(rate)
    node_variance = occupancy_variance(blocks.nodes, chosen, slope, ones, draws_made)
    edge_variance = occupancy_variance(blocks.nodes, chosen, slope, gain, draws_made)
    edge_variance += (2 if blocks.undirected else 1) * pair_variance
    high_nodes = min(high_total(nodes, node_variance), blocks.num_nodes)
    return HopSizes([nodes], [edges], [high_nodes], [high_total(edges, edge_variance)])


def _sure(blocks: DegreeBlocks, draws: float, taken: Sequence[Sequence[float]] | None) -> Matrix:
    """Probability that an edge is drawn itself, from whichever end."""
    every = range(len(blocks.nodes))
    if taken is None:
        return ((0.0,) * len(every),) * len(every)
    rows = []
    for i in every:
        times_drawn = [taken[i][j] + (taken[j][i] if blocks.undirected else 0.0) for j in every]
        rows.append(
            tuple(1.0 - math.exp(-draws * t / max(blocks.edges(i, j), 1e-9)) for j, t in enumerate(times_drawn))
        )
    return tuple(rows)


def _rows(blocks: DegreeBlocks, share: Sequence[float]) -> list[tuple[float, float, tuple[float, ...]]]:
    return list(zip(blocks.nodes, share, blocks.step, strict=True))


def _degree_spread(graph: GraphFacts) -> float:
    """Sum over nodes of the squared deviation of in-degree + out-degree from its mean."""
    if graph.undirected:
        bins = zip(graph.degrees.histogram, graph.degrees.totals, strict=True)
        degrees = [(count, 2.0 * total / count) for count, total in bins if count]
    else:
        blocks = degree_blocks(graph)
        both = [one + other for one, other in zip(blocks.in_degree, blocks.out_degree, strict=True)]
        degrees = [(int(count), degree) for count, degree in zip(blocks.nodes, both, strict=True)]
    mean = sum(count * degree for count, degree in degrees) / max(sum(count for count, _ in degrees), 1)
    return sum(count * (degree - mean) ** 2 for count, degree in degrees)
