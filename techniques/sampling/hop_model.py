"""A sampled batch hop by hop, in expectation: a configuration model by degree block, and the variance of its totals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from techniques.sampling.degree_blocks import DegreeBlocks

HIGH = 2.326
"""Standard normal quantile of 99 %."""


@dataclass(frozen=True)
class HopSizes:
    """Sizes of sampled batches: nodes first found at hop 0 (the seeds), 1, ..., edges drawn at hop 1, 2, ...

    ``high`` sizes add up to the 99th percentile over batches: their first ``h`` hops sum to that percentile of the
    first ``h`` hops together, so ``step_shape`` makes layers of it as of the means. One subgraph has one number each.
    """

    mean_nodes: list[float]
    mean_edges: list[float]
    high_nodes: list[float]
    high_edges: list[float]

    def towards_high(self, share: float) -> tuple[list[float], list[float]]:
        """Nodes and edges ``share`` of the way from the mean to the 99th percentile."""
        nodes = [mean + share * (high - mean) for mean, high in zip(self.mean_nodes, self.high_nodes, strict=True)]
        edges = [mean + share * (high - mean) for mean, high in zip(self.mean_edges, self.high_edges, strict=True)]
        return nodes, edges


def largest_share(batches: int) -> float:
    """How far from the mean to the 99th percentile the largest of so many batches is expected, 0 to 1.

    0.83 (ln n)^0.74 is within 3 % of the expected largest of n values of a standard normal distribution (4 to 60 values).
    """
    return min(1.0, 0.83 * math.pow(math.log(max(batches, 1)), 0.74) / HIGH)


@dataclass(frozen=True)
class Hop:
    """One expansion, by block. Per expanded node: ``drawn`` edges, of which ``fresh`` lead to ends not known yet;
    ``reach[i]`` scales what block i draws for the ends that are used up. ``arrivals`` is what lands on a block,
    ``hit`` the probability that one of its unseen nodes is found, ``slope`` its nodes found per unit of log arrivals.
    """

    drawn: list[float]
    fresh: list[float]
    reach: list[float]
    frontier: list[float]
    unseen: list[float]
    arrivals: list[float]
    hit: list[float]
    slope: list[float]


def expand(blocks: DegreeBlocks, seeds: float, fanouts: Sequence[int]) -> list[Hop]:
    """The hops around ``seeds`` uniform training nodes; fanout -1 takes all."""
    share = seeds / max(sum(blocks.train), 1e-9)
    frontier = [count * share for count in blocks.train]
    unseen = [count - f for count, f in zip(blocks.nodes, frontier, strict=True)]
    back, left = [0.0] * len(frontier), [1.0] * len(frontier)
    known = siblings = 0.0
    hops: list[Hop] = []
    for fanout in fanouts:
        hop = _expansion(blocks, fanout, frontier, unseen, back, left, known, siblings)
        hops.append(hop)
        known, siblings = _siblings(blocks, hop)
        frontier = times(unseen, hop.hit)
        unseen = [u - f for u, f in zip(unseen, frontier, strict=True)]
        if blocks.undirected:
            # Expected edges that a found node was found by: a binomial count, given that it is not zero.
            per_half_edge = _per_half_edge(blocks, hop.arrivals)
            counts = zip(blocks.out_degree, per_half_edge, hop.hit, strict=True)
            back = [degree * p / hit if hit > 0 else 0.0 for degree, p, hit in counts]
            left = _left(blocks, hop, left)
    return hops


def _expansion(
    blocks: DegreeBlocks,
    fanout: int,
    frontier: list[float],
    unseen: list[float],
    back: list[float],
    left: list[float],
    known: float,
    siblings: float,
) -> Hop:
    """One hop; ``left`` is the share of each block's half-edges that is not revealed, ``back`` a node's edges that
    lead to where it was found from; ``known`` and ``siblings`` say how many of its parent's neighbours were found."""
    degrees = [degree + blocks.loops for degree in blocks.in_degree]
    drawn = [degree if fanout < 0 else min(degree, fanout) for degree in degrees]
    # Some edges end at neighbours of the parent (triangles), others at nodes that siblings draw as well (squares).
    alone = [
        _alone(blocks.square_closure * siblings * _share(k, degree)) for k, degree in zip(drawn, degrees, strict=True)
    ]
    outward = [(1.0 - blocks.closure * known) * one for one in alone]
    parts = zip(outward, drawn, degrees, blocks.in_degree, back, strict=True)
    fresh = [one * _share(k, degree) * max(own - b, 0.0) for one, k, degree, own, b in parts]
    reach = [1.0 / max(dot(row, left), 1e-9) if any(row) else 0.0 for row in blocks.step]
    landed = arrivals(blocks, [f * o * r for f, o, r in zip(frontier, fresh, reach, strict=True)])
    chance = _per_half_edge(blocks, landed)
    hit = [1.0 - (1.0 - p) ** degree for p, degree in zip(chance, blocks.out_degree, strict=True)]
    chances = zip(unseen, blocks.out_degree, chance, strict=True)
    slope = [u * d * p * (1 - p) ** (d - 1) if 0 < p < 1 else 0.0 for u, d, p in chances]
    return Hop(drawn, fresh, reach, frontier, unseen, landed, hit, slope)


def arrivals(blocks: DegreeBlocks, outward: Sequence[float]) -> list[float]:
    """Where in-edges lead: ``outward[i]`` edges drawn by block i, counted by the block that they come from."""
    ends = [0.0] * len(outward)
    for amount, row in zip(outward, blocks.step, strict=True):
        if amount > 0:
            ends = [total + amount * share for total, share in zip(ends, row, strict=True)]
    return ends


def _per_half_edge(blocks: DegreeBlocks, landed: list[float]) -> list[float]:
    """Probability that a given out-edge of an unseen node is drawn."""
    ends = times(blocks.nodes, blocks.out_degree)
    return [min(amount / end, 1.0) if end > 0 else 0.0 for amount, end in zip(landed, ends, strict=True)]


def _siblings(blocks: DegreeBlocks, hop: Hop) -> tuple[float, float]:
    """As a found node sees it: share of its parent's neighbours that were drawn, and how many besides itself."""
    shares = [_share(k, d + blocks.loops) for k, d in zip(hop.drawn, blocks.in_degree, strict=True)]
    edges = times(hop.frontier, hop.drawn)
    total = max(sum(edges), 1e-9)
    return dot(edges, shares) / total, max(dot(edges, hop.drawn) / total - 1.0, 0.0)


def _share(drawn: float, degree: float) -> float:
    return drawn / degree if degree > 0 else 0.0


def _alone(others: float) -> float:
    """Distinct nodes per edge where a Poisson number of other edges, on average ``others``, ends at the same node."""
    return (1.0 - math.exp(-others)) / others if others > 1e-9 else 1.0


def _left(blocks: DegreeBlocks, hop: Hop, left: list[float]) -> list[float]:
    """Half-edges not revealed after a hop: neither drawn nor landed on; an edge drawn from both ends counts once."""
    after = []
    for i, (count, degree) in enumerate(zip(blocks.nodes, blocks.out_degree, strict=True)):
        ends = max(count * degree, 1e-9)
        drawn = min(hop.frontier[i] * hop.fresh[i] / ends / max(left[i], 1e-9), 1.0)
        landed = min(hop.arrivals[i] / ends, 1.0)
        after.append(left[i] * (1 - drawn) * (1 - landed))
    return after


def total_variance(
    blocks: DegreeBlocks, seeds: float, population: float, hops: Sequence[Hop], count_nodes: bool
) -> float:
    """Variance of all nodes found, or of all edges drawn, in these hops; seeds are drawn from ``population`` nodes."""
    found = [1.0 if count_nodes else 0.0] * len(blocks.nodes)
    unfound = [0.0] * len(blocks.nodes)
    variance = 0.0
    for depth, hop in reversed(list(enumerate(hops))):
        gain = [f - u for f, u in zip(found, unfound, strict=True)]
        variance += occupancy_variance(hop.unseen, hop.hit, hop.slope, gain, dot(hop.frontier, hop.fresh))
        per_arrival = [s * g / a if a > 0 else 0.0 for s, g, a in zip(hop.slope, gain, hop.arrivals, strict=True)]
        unfound = [u * (1 - h) + h * f for u, h, f in zip(unfound, hop.hit, found, strict=True)]
        own = ([1.0] * len(gain) if depth else [0.0] * len(gain)) if count_nodes else hop.drawn
        each = zip(own, hop.reach, hop.fresh, blocks.step, strict=True)
        found = [worth + scale * fresh * dot(row, per_arrival) for worth, scale, fresh, row in each]
    gain = [f - u for f, u in zip(found, unfound, strict=True)]
    return variance + _seed_variance(blocks, seeds, population, gain)


def occupancy_variance(
    nodes: Sequence[float], hit: Sequence[float], slope: Sequence[float], gain: Sequence[float], draws: float
) -> float:
    """Variance of the sum of ``gain`` over the nodes that ``draws`` draws hit, by block.

    Nodes are hit independently if the number of draws is Poisson; as it is fixed, the part that comes with that number
    is taken off. ``slope`` is the nodes hit per unit of log draws (Kolchin, Sevast'yanov and Chistyakov, "Random
    Allocations", 1978, chapter 1).
    """
    if draws <= 0:
        return 0.0
    apart = sum(n * h * (1 - h) * g * g for n, h, g in zip(nodes, hit, gain, strict=True))
    return max(apart - dot(slope, gain) ** 2 / draws, 0.0)


def _seed_variance(blocks: DegreeBlocks, seeds: float, population: float, gain: list[float]) -> float:
    """Variance of a sum over seeds drawn without replacement."""
    train = max(sum(blocks.train), 1e-9)
    mean = dot(blocks.train, gain) / train
    spread = sum(count * (g - mean) ** 2 for count, g in zip(blocks.train, gain, strict=True)) / train
    return seeds * max(1 - seeds / max(population, 1e-9), 0.0) * spread


def times(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Products, element by element."""
    return [a * b for a, b in zip(one, other, strict=True)]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """Sum of products."""
    return sum([a * b for a, b in zip(one, other, strict=True)])


def high_total(mean: float, variance: float) -> float:
    """99th percentile of a near normal total."""
    return mean + HIGH * math.sqrt(max(variance, 0.0))
