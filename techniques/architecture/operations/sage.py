"""Operations of GraphSAGE (``convs.SAGE``): mean or maximum of the neighbours, and the node itself."""

from __future__ import annotations

import math

from techniques.architecture.chunks import columns_at_once
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.passes import Operations, Passes, linear, neighbor_sum
from techniques.hardware.operations import Kind, Operation, gather, gather_sorted, index_add, launches, scatter, stream


def sage_mean(size: LayerSize) -> Passes:
    """One layer, in either order of product and sum."""
    return _transform_first(size) if size.transform_first else _aggregate_first(size)


def _aggregate_first(size: LayerSize) -> Passes:
    targets, columns = size.targets, size.columns_in
    back = not size.first
    mean = neighbor_sum(size, columns, back=back)
    divided = stream(targets, columns, 2, fresh=True)
    mean += Passes((divided, launches(7)), (divided,) if back else ())
    return mean + _both_products(size)


def _both_products(size: LayerSize) -> Passes:
    """``lin_l`` of what neighbours say, ``lin_r`` of the node, their sum; gradients of a node from either."""
    targets, out = size.targets, size.columns_out
    products = linear(size, targets, size.columns_in, out, bias=True) + linear(size, targets, size.columns_in, out)
    spread = () if size.first else (stream(size.sources, size.columns_in, 2, fresh=True),)
    own = () if size.first else (stream(size.sources, size.columns_in, 3),)
    return products + Passes((stream(targets, out, 3), launches(3)), (*spread, *own, launches(6)))


def _transform_first(size: LayerSize) -> Passes:
    sources, targets, out = size.sources, size.targets, size.columns_out
    both = linear(size, sources, size.columns_in, 2 * out)
    weights = stream(2 * out, size.columns_in, fresh=True)  # both, side by side
    mean = neighbor_sum(size, out)
    divided = stream(targets, out, 2, fresh=True)
    after = (divided, stream(targets, out, 3), stream(targets, out, 2), launches(10))
    side_by_side = stream(sources, 2 * out, 2, fresh=True)
    spread = () if targets == sources else (stream(sources, out, 2, fresh=True),)
    back = (stream(targets, out, 1), *spread, divided, side_by_side, weights, launches(8))
    return both + mean + Passes((weights, *after), back)


def sage_max(size: LayerSize) -> Passes:
    """``block._Max``: gathers again in the backward pass to find the largest, some columns of all edges at a time."""
    turns = math.ceil(size.columns_in / columns_at_once(size.edges, size.columns_in))
    forward, back = _largest(size.targets, size.sources, size.edges, size.columns_in / turns)
    if turns > 1:  # side by side
        forward += (stream(size.targets, size.columns_in / turns, 2),)
        back += (stream(size.sources, size.columns_in / turns, 2),)
    return Passes(forward * turns, () if size.first else back * turns) + _both_products(size)


def _largest(targets: float, sources: float, edges: float, columns: float) -> tuple[Operations, Operations]:
    """Of some columns, there and back."""
    forward = (gather(edges, columns, sources), Operation(Kind.MAXIMUM, targets, columns, edges, targets), launches(8))
    back = (
        gather(edges, columns, sources),
        gather_sorted(edges, columns, targets),
        stream(edges, columns, 2),
        stream(edges, columns, 2, fresh=True),
        scatter(targets, columns, edges),
        stream(targets, columns, 3, fresh=True),
        gather_sorted(edges, columns, targets),
        stream(edges, columns, 3),
        index_add(sources, columns, edges),
        launches(8),
    )
    return forward, back
