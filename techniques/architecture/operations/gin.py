"""Operations of GIN (``convs.GIN``): sum of the neighbours and the node, then a perceptron of two layers."""

from __future__ import annotations

from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.passes import Passes, inner_linear, linear, neighbor_sum
from techniques.hardware.operations import launches, stream


def gin(size: LayerSize, inner: int) -> Passes:
    """One layer whose perceptron is ``inner`` wide."""
    targets = size.targets
    hidden = Passes((stream(targets, inner, 2),), (stream(targets, inner, 3, fresh=True),))
    second = inner_linear(targets, inner, size.columns_out)
    if size.transform_first:
        bias = Passes((stream(targets, inner, 2, fresh=True),), (stream(targets, inner, 1),))
        return (
            linear(size, size.sources, size.columns_in, inner)
            + _summed(size, inner, back=True)
            + bias
            + hidden
            + second
        )
    first = linear(size, targets, size.columns_in, inner, bias=True)
    return _summed(size, size.columns_in, back=not size.first) + first + hidden + second


def _summed(size: LayerSize, columns: int, *, back: bool) -> Passes:
    """Neighbours and (1 + eps) times the node itself."""
    targets, sources = size.targets, size.sources
    own = (stream(targets, columns, 2, fresh=True), stream(targets, columns, 3, fresh=True), launches(3))
    spread = (stream(targets, columns, 2, fresh=True), stream(sources, columns, 2, fresh=True))
    behind = (*spread, stream(sources, columns, 3, fresh=True), launches(4)) if back else ()
    return neighbor_sum(size, columns, back=back) + Passes(own, behind)
