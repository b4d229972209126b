"""How large a batch sampled by edge type becomes: from degrees alone, or from batches drawn from the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from techniques.architecture.hetero.relation import Relation
from techniques.graph_figures import DegreeFacts
from techniques.step_shape import DrawnHops, LayerShape, StepShape

HIGH = 2.326
"""Standard deviations above the mean at the 99th percentile of a near normal total."""


@dataclass(frozen=True)
class DrawnTypes(DrawnHops):
    """Sizes of a drawn batch by type: ``nodes_by_type[t][h]`` and ``edges_by_type[r][h]``."""

    nodes_by_type: tuple[tuple[int, ...], ...] = ()
    edges_by_type: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class TypeSizes:
    """Nodes first found at hop 0, 1, ... by type and edges drawn at hop 1, 2, ... by relation; means and percentiles."""

    nodes: tuple[tuple[float, ...], ...]
    edges: tuple[tuple[float, ...], ...]
    high_nodes: tuple[tuple[float, ...], ...]
    high_edges: tuple[tuple[float, ...], ...]


def drawn_type_sizes(drawn: Sequence[DrawnTypes], num_nodes: Sequence[int]) -> TypeSizes:
    """Means over drawn batches, and mean + 2.326 standard deviations of each total; never more nodes than there are."""
    nodes, high_nodes = _mean_and_high([one.nodes_by_type for one in drawn])
    edges, high_edges = _mean_and_high([one.edges_by_type for one in drawn])
    return TypeSizes(nodes, edges, _capped(high_nodes, num_nodes), high_edges)


def counted_type_sizes(
    relations: Sequence[Relation], num_nodes: Sequence[int], target: int, seeds: float, fanouts: Sequence[int]
) -> TypeSizes:
    """Sizes from degree histograms alone: a node keeps min(degree, fanout) in-edges of each relation, whose other ends
    fall on nodes of their type at random (Kolchin, Sevast'yanov and Chistyakov, 1978)."""
    nodes: list[list[float]] = [[0.0] for _ in num_nodes]
    nodes[target] = [min(seeds, num_nodes[target])]
    edges: list[list[float]] = [[] for _ in relations]
    for fanout in fanouts:
        drawn = [nodes[one.target][-1] * kept(one.degrees, fanout) for one in relations]
        for place, count in enumerate(drawn):
            edges[place].append(count)
        for kind, size in enumerate(num_nodes):
            missed = 1.0
            for count, one in zip(drawn, relations, strict=True):
                if one.source == kind:
                    missed *= 1.0 - share_hit(one.out_degrees, count)
            nodes[kind].append(max(size - sum(nodes[kind]), 0.0) * (1.0 - missed))
    as_tuples = tuple(map(tuple, nodes)), tuple(map(tuple, edges))
    return TypeSizes(*as_tuples, *as_tuples)


def share_hit(out_degrees: DegreeFacts, draws: float) -> float:
    """Share of a type's nodes at the other end of so many random edges of a relation: hubs are hit again and again."""
    edges = max(sum(out_degrees.totals), 1)
    hit = sum(
        count * -math.expm1(-draws * total / max(count, 1) / edges)
        for count, total in zip(out_degrees.histogram, out_degrees.totals, strict=True)
    )
    return hit / max(sum(out_degrees.histogram), 1)


def kept(degrees: DegreeFacts, fanout: int) -> float:
    """Mean number of in-edges that a node keeps."""
    if fanout < 0:
        return degrees.mean
    bins = zip(degrees.histogram, degrees.totals, strict=True)
    total = sum(min(float(edges), float(fanout * count)) for count, edges in bins)
    return total / max(sum(degrees.histogram), 1)


def typed_step(
    nodes: Sequence[Sequence[float]],
    edges: Sequence[Sequence[float]],
    names: Sequence[str],
    keys: Sequence[str],
    target: int,
    trim: bool,
) -> StepShape:
    """Layers of one step, input side first; trimmed layers compute only what later layers still need."""
    hops = len(edges[0]) if edges else 0
    layers = []
    for layer in range(hops):
        depth = hops - layer if trim else hops
        sources = {name: sum(counts[: depth + 1]) for name, counts in zip(names, nodes, strict=True)}
        targets = {name: sum(counts[:depth]) for name, counts in zip(names, nodes, strict=True)} if trim else sources
        layers.append(
            LayerShape(sources, targets, {key: sum(counts[:depth]) for key, counts in zip(keys, edges, strict=True)})
        )
    return StepShape(tuple(layers), seeds=nodes[target][0])


def _mean_and_high(
    drawn: Sequence[tuple[tuple[int, ...], ...]],
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]:
    """By type: the mean of every hop, and what each percentile of the running total adds to the one before."""
    means, highs = [], []
    for kind in zip(*drawn, strict=True):
        hops = list(zip(*kind, strict=True))
        means.append(tuple(sum(hop) / len(hop) for hop in hops))
        totals = [_high(total) for total in zip(*(accumulate(one) for one in kind), strict=True)]
        highs.append(tuple(max(now - before, 0.0) for now, before in zip(totals, [0.0, *totals], strict=False)))
    return tuple(means), tuple(highs)


def _high(counts: Sequence[int]) -> float:
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / max(len(counts) - 1, 1)
    return mean + HIGH * math.sqrt(variance)


def _capped(nodes: Sequence[Sequence[float]], num_nodes: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    found = []
    for counts, most in zip(nodes, num_nodes, strict=True):
        totals = [min(total, float(most)) for total in accumulate(counts)]
        found.append(tuple(now - before for now, before in zip(totals, [0.0, *totals], strict=False)))
    return tuple(found)
