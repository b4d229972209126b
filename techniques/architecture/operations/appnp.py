"""Operations of APPNP (``propagation.PropagationNetwork``): a perceptron, then steps of the normalised sum."""

from __future__ import annotations

from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.gcn import normalised_sum
from techniques.architecture.operations.passes import Passes, linear
from techniques.hardware.operations import stream


def appnp(size: LayerSize, steps: int) -> Passes:
    """One dense layer; the last one propagates what it says."""
    rows, columns = size.sources, size.columns_out
    passes = linear(size, rows, size.columns_in, columns, bias=True) + Passes((stream(rows, columns, 2),), ())
    if not size.last:
        return passes
    mixed = Passes(
        (stream(rows, columns, 2), stream(rows, columns, 3)),
        (stream(rows, columns, 2, fresh=True), stream(rows, columns, 2, fresh=True), stream(rows, columns, 3)),
    )
    step = normalised_sum(size, columns) + mixed
    return passes + Passes(step.forward * steps, step.backward * steps)
