"""Operations of GCN (``convs.GCN``): product, scaling, sum over neighbours, loops."""

from __future__ import annotations

from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.passes import Passes, linear, neighbor_sum
from techniques.hardware.operations import launches, stream


def gcn(size: LayerSize) -> Passes:
    """One layer."""
    columns = size.columns_out
    passes = linear(size, size.sources, size.columns_in, columns) + normalised_sum(size, columns)
    rows = size.targets
    return passes + Passes((stream(rows, columns, fresh=True),), (stream(rows, columns, 1),))


def normalised_sum(size: LayerSize, columns: float) -> Passes:
    """``representation.block.gcn_sum``."""
    sources, targets = size.sources, size.targets
    summed = neighbor_sum(size, columns)
    scaled = stream(sources, columns, 2, fresh=True)
    if size.fused or size.dense:
        return Passes(
            (scaled, *summed.forward, stream(targets, columns, 3), stream(targets, columns, 2), launches(9)),
            (
                stream(targets, columns, 2, fresh=True),
                *summed.backward,
                stream(targets, columns, 3),
                stream(sources, columns, 2),
                launches(6),
            ),
        )
    made = stream(targets, columns, 3, fresh=True)
    forward = (scaled, *summed.forward, made, stream(targets, columns, 2, fresh=True), launches(10))
    spread = stream(sources, columns, 2, fresh=True)  # the loops' gradient among those of all sources
    back = (stream(targets, columns, 2, fresh=True), *summed.backward, spread, stream(sources, columns, 3, fresh=True))
    return Passes(forward, (*back, stream(sources, columns, 2, fresh=True), launches(8)))
