"""What a layer of HGT costs, walked as autograd walks it."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.costs import LayerCost
from techniques.architecture.hetero.costs import ADAM_MOVED, TypedSize


@dataclass(frozen=True)
class _Into:
    """Sizes around one target type: T rows written, m edges, S rows of sources summed over its relations."""

    targets: float
    edges: float
    related: float
    largest: float
    """Edges of its largest relation."""
    widest: float
    """Sources of its largest relation."""


def attention_cost(size: TypedSize) -> LayerCost:
    """Keys, queries and values of all nodes; keys and values under each relation; attention; the way out."""
    assert size.use is not None
    width, heads = size.columns_out, size.heads
    groups = [_into(size, target) for target in size.use.outputs]
    read = sum(size.read[kind] for kind in size.use.inputs)
    written, edges = sum(one.targets for one in groups), sum(one.edges for one in groups)
    related = sum(one.related for one in groups)
    saved, forward = _forward(size, groups, read)
    gemm = width * (3 * read * width + 2 * related * width / heads + written * width)
    parameters = _parameters(size)
    return LayerCost(
        output=written * width,
        saved=saved,
        forward=forward,
        backward=_backward(size, groups, read, saved),
        beside_gradients=_backward(size, groups, read, saved),
        inference=forward,
        gemm=gemm,
        input_gemm=gemm,
        aggregated=4 * edges * width,
        moved=width * (8 * read + 8 * related + 14 * edges + 12 * written) + ADAM_MOVED * parameters,
        parameters=parameters,
        gathered=width,
        recomputed=written * width + forward,
    )


def attention_inference(size: TypedSize) -> float:
    """Projections of all nodes, and for one type its relations' keys and values and what a chunk of edges makes."""
    assert size.use is not None
    read = sum(size.read[kind] for kind in size.use.inputs)
    largest = 0.0
    for target in size.use.outputs:
        one = _into(size, target)
        # Queries and keys gathered edge by edge, and their products.
        moment = 3 * one.largest * size.columns_out + 6 * one.edges * size.heads
        largest = max(largest, 2 * one.related * size.columns_out + 4 * one.targets * size.columns_out + moment)
    return 3 * read * size.columns_out + largest


def _into(size: TypedSize, target: int) -> _Into:
    assert size.use is not None
    places = [place for place in size.use.into(size.relations, target) if size.by_relation[place]]
    sources = [size.read[size.relations[place].source] for place in size.use.into(size.relations, target)]
    counts = [size.by_relation[place] for place in places]
    return _Into(size.written[target], sum(counts), sum(sources), max(counts, default=0.0), max(sources, default=0.0))


def _parameters(size: TypedSize) -> int:
    """PyG makes them for every node type and relation, used or not."""
    width, heads, kinds, relations = size.columns_in, size.heads, len(size.read), len(size.relations)
    by_type = 3 * (width + 1) * width + (width + 1) * width + 1
    return kinds * by_type + relations * (2 * width * (width // heads) + heads)


def _kept(one: _Into, width: int, heads: int) -> float:
    """Gathered queries, keys and values; scores before and after the softmax; the sum before and after GELU, and its
    product."""
    return 3 * one.edges * width + 5 * one.edges * heads + 3 * one.targets * width


def _forward(size: TypedSize, groups: list[_Into], read: float) -> tuple[float, float]:
    width, heads = size.columns_out, size.heads
    live = saved = 3 * read * width
    peak = live
    output = 0.0
    for one in groups:
        said = 2 * one.related * width
        # All queries and keys, then values and messages relation by relation, beside sources and sums.
        scored = live + said + one.targets * width + 2 * one.edges * width + one.largest * (width + heads)
        kept = _kept(one, width, heads)
        summed = live + said + kept - 2 * one.targets * width + one.largest * width
        peak = max(peak, scored, summed, live + said + kept + one.targets * width)
        saved += kept
        output += one.targets * width
        live += kept + one.targets * width
    return saved, max(peak, live)


def _backward(size: TypedSize, groups: list[_Into], read: float, saved: float) -> float:
    """From the last type back: gradients of messages, of gathered rows, of sources, and at last of projections."""
    width, heads = size.columns_out, size.heads
    live = peak = saved + sum(one.targets for one in groups) * width
    for one in reversed(groups):
        values = one.related * width
        # Gradients of shares and values, relation by relation; then of queries and keys.
        shares = one.targets * width + values + 3 * one.largest * width + 3 * one.edges * heads
        ends = 2 * values + 2 * one.largest * width + one.targets * width + one.edges * heads
        peak = max(peak, live + shares, live - one.edges * width + ends)
        live -= _kept(one, width, heads) + one.targets * width
    # Gradients of projections beside the projections, and those of the rows that they were made of.
    return max(peak, 7 * read * width)
