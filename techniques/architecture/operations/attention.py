"""Operations of GAT and GATv2 (``convs.GAT``, ``convs_gatv2.GATv2``): a score and a weighted row per edge and loop."""

from __future__ import annotations

from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.passes import Operations, Passes, linear
from techniques.hardware.operations import (
    Kind,
    Operation,
    gather,
    gather_sorted,
    index_add,
    launches,
    product,
    scatter,
    stream,
    weight_gradient,
)


def gat(size: LayerSize) -> Passes:
    """One layer: scores are made per node and added per edge."""
    sources, targets, columns, heads = size.sources, size.targets, size.columns_out, size.heads
    edges = size.edges + size.targets
    scores: Operations = (
        stream(edges, 4, 2, fresh=True),  # edges with loops, 16 bytes each
        *(stream(sources, columns, 2, fresh=True), stream(sources, columns, 1)) * 2,
        gather(edges, heads, sources),
        gather_sorted(edges, heads, targets),
        stream(edges, heads, 3, fresh=True),
    )
    score_back: Operations = (
        index_add(targets, heads, edges),
        index_add(sources, heads, edges),
        *(stream(sources, columns, 2, fresh=True), stream(sources, columns, 3)) * 2,
        *(stream(sources, columns, 2, fresh=True), stream(sources, columns, 1)) * 2,
    )
    passes = linear(size, sources, size.columns_in, columns) + Passes(
        (*scores, launches(24)), (*score_back, launches(24))
    )
    return passes + _edge_scores(size) + _softmax(size, edges) + _weighted(size, edges)


def gatv2(size: LayerSize) -> Passes:
    """One layer: a row per edge is activated and scored."""
    sources, targets, columns = size.sources, size.targets, size.columns_out
    edges = size.edges + size.targets
    both = linear(size, sources, size.columns_in, 2 * columns, bias=True)
    weights = stream(2 * columns, size.columns_in, fresh=True)
    score: Operations = (
        stream(sources, 2 * columns, 2),
        stream(edges, 4, 2, fresh=True),
        gather(edges, columns, sources),
        gather_sorted(edges, columns, targets),
        stream(edges, columns, 3),
        stream(edges, columns, 2),
        stream(edges, columns, 2, fresh=True),
        stream(edges, columns, 1),
    )
    back: Operations = (
        stream(edges, columns, 2, fresh=True),  # of the scored rows
        stream(edges, columns, 2, fresh=True),  # of the attention vector
        stream(edges, columns, 1),
        stream(edges, columns, 3, fresh=True),
        index_add(targets, columns, edges),
        stream(edges, columns, 3),
        stream(sources, 2 * columns, 2, fresh=True),
        weights,
    )
    edge_rows = Passes((), ())
    if size.edge_columns:
        forward = (product(edges, size.edge_columns, columns), stream(edges, columns, 3))
        edge_rows = Passes(forward, (weight_gradient(edges, size.edge_columns, columns),))
    passes = both + Passes((weights, *score, launches(22)), (*back, launches(20)))
    return passes + edge_rows + _softmax(size, edges) + _messages(size, edges)


def _edge_scores(size: LayerSize) -> Passes:
    """What attributes of edges add: a product with one column per head."""
    if not size.edge_columns:
        return Passes((), ())
    edges, heads = size.edges, size.heads
    forward = (product(edges, size.edge_columns, heads), scatter(size.targets, heads, edges), stream(edges, heads, 3))
    return Passes((*forward, launches(12)), (weight_gradient(edges, size.edge_columns, heads), launches(10)))


def _softmax(size: LayerSize, edges: float) -> Passes:
    """PyG's softmax over the edges of a target, after the leaky slope."""
    targets, heads = size.targets, size.heads
    forward: Operations = (
        stream(edges, heads, 2, fresh=True),
        Operation(Kind.MAXIMUM, targets, heads, edges, targets),
        gather_sorted(edges, heads, targets),
        stream(edges, heads, 3, fresh=True),
        Operation(Kind.EXPONENTIAL, edges, heads),
        scatter(targets, heads, edges),
        gather_sorted(edges, heads, targets),
        stream(edges, heads, 3, fresh=True),
    )
    backward: Operations = (
        *(stream(edges, heads, 3, fresh=True),) * 4,
        index_add(targets, heads, edges),
        gather_sorted(edges, heads, targets),
        stream(edges, heads, 3, fresh=True),
        stream(edges, heads, 3, fresh=True),
    )
    return Passes((*forward, launches(20)), (*backward, launches(16)))


def _weighted(size: LayerSize, edges: float) -> Passes:
    """Rows of the sources times attention, summed by target."""
    return Passes((gather(edges, size.columns_out, size.sources),), ()) + _messages(size, edges)


def _messages(size: LayerSize, edges: float) -> Passes:
    """The same with the rows at hand."""
    targets, columns, heads = size.targets, size.columns_out, size.heads
    forward = (
        stream(edges, columns, 3, fresh=True),
        scatter(targets, columns, edges),
        stream(targets, columns, fresh=True),
    )
    backward = (
        stream(targets, columns, 1),
        gather_sorted(edges, columns, targets),
        stream(edges, columns, 3, fresh=True),
        stream(edges, columns, 3, fresh=True),
        stream(edges, heads, columns / max(heads, 1)),  # summed over the columns of a head
        index_add(size.sources, columns, edges),
    )
    return Passes((*forward, launches(8)), (*backward, launches(10)))
