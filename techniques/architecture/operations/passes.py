"""What layers have in common: products with weights, sums over neighbours, what stands between layers."""

from __future__ import annotations

from typing import NamedTuple

from techniques.architecture.layer_size import LayerSize
from techniques.hardware.operations import (
    Kind,
    Operation,
    fused_sum,
    gather,
    gather_sorted,
    index_add,
    launches,
    product,
    scatter,
    stream,
    weight_gradient,
)

Operations = tuple[Operation, ...]


class Passes(NamedTuple):
    """Operations of a layer's forward and backward pass."""

    forward: Operations
    backward: Operations

    def __add__(self, other: Passes) -> Passes:  # type: ignore[override]
        return Passes(self.forward + other.forward, self.backward + other.backward)


NOTHING = Passes((), ())


def linear(size: LayerSize, rows: float, columns_in: float, columns_out: float, *, bias: bool = False) -> Passes:
    """A product with a weight; the first layer's input needs no gradient."""
    if size.sparse_nonzeros is not None:
        forward = (Operation(Kind.SPARSE_INPUT, rows, columns_out, size.sparse_nonzeros),)
        return Passes(forward, (Operation(Kind.SPARSE_WEIGHT, columns_in, columns_out, size.sparse_nonzeros),))
    back: Operations = (weight_gradient(rows, columns_in, columns_out),)
    if not size.first:
        back += (product(rows, columns_out, columns_in),)
    back += (stream(rows, columns_out, 1),) if bias else ()
    return Passes((product(rows, columns_in, columns_out),), back)


def inner_linear(rows: float, columns_in: float, columns_out: float) -> Passes:
    """A product whose input is no layer's: its gradient is always needed."""
    back = (weight_gradient(rows, columns_in, columns_out), product(rows, columns_out, columns_in))
    return Passes((product(rows, columns_in, columns_out),), (*back, stream(rows, columns_out, 1)))


def neighbor_sum(size: LayerSize, columns: float, *, back: bool = True) -> Passes:
    """``representation.block.neighbor_sum``; ``back`` where the rows need a gradient."""
    sources, targets, edges = size.sources, size.targets, size.edges
    if size.dense:
        forward: Operations = (product(targets, sources, columns),)
        backward: Operations = (product(sources, targets, columns),)
    elif size.fused:
        forward = (fused_sum(targets, columns, edges, sources), launches(2))
        backward = (fused_sum(sources, columns, edges, targets), launches(2))
    else:
        weighted = (stream(edges, columns, 3, fresh=True),) if size.weighted else ()
        forward = (gather(edges, columns, sources), *weighted, scatter(targets, columns, edges), launches(4))
        backward = (gather_sorted(edges, columns, targets), *weighted, index_add(sources, columns, edges), launches(3))
    return Passes(forward, backward if back else ())


def activation(size: LayerSize) -> Passes:
    """``network.relu_dropout``: in place, then one new tensor in the backward pass."""
    rows, columns = size.targets, size.columns_out
    forward: Operations = (stream(rows, columns),)
    backward: Operations = (stream(rows, columns, 3, fresh=True),)
    if size.dropout:
        noise = Operation(Kind.RANDOM, rows, columns)
        forward += (noise, stream(rows, columns, 3), stream(rows, columns))
        backward += (stream(rows, columns),)
    return Passes(forward, (*backward, launches(3)))


def normalisation(size: LayerSize) -> Passes:
    """Batch normalisation: two passes for the moments, one for the result; about as many back."""
    rows, columns = size.targets, size.columns_out
    return Passes(
        (stream(rows, columns), stream(rows, columns, fresh=True), launches(6)),
        (stream(rows, columns, 3), stream(rows, columns, 3, fresh=True), launches(3)),
    )


def loss(rows: float, columns: float, every: float) -> Operations:
    """Rows of the loss chosen from ``every`` row, log-softmax, and the gradient spread back."""
    chosen = (gather(rows, columns, every), stream(every, columns, 1, fresh=True)) if every > rows else ()
    softmax = (Operation(Kind.EXPONENTIAL, rows, columns), Operation(Kind.EXPONENTIAL, rows, columns))
    return (*chosen, *softmax, stream(rows, columns, 2), launches(16))


TYPICAL_COLUMNS = 64.0


def in_bulk(multiply_adds: float, moved: float, rows: float, operators: float) -> Operations:
    """Work of which only the amount is known: products as wide as they are deep, and so many floats read and written,
    half of them new."""
    rows = max(rows, 1.0)
    width = max((multiply_adds / rows) ** 0.5, 1.0)
    columns = min(TYPICAL_COLUMNS, max(moved / 4 / rows, 1.0))
    touched = max(moved / columns / 4, 1.0)
    parts = max(touched / rows, 1.0)
    each = stream(touched / parts, columns, 4, fresh=True)
    return (product(rows, width, width), *(each,) * min(int(parts), 40), launches(operators))
