"""What one layer of a typed network costs: the ledger of ``architecture/costs.py``, summed relation by relation."""

from __future__ import annotations

from dataclasses import dataclass, field

from techniques.architecture.costs import (
    LayerCost,
    activations_moved,
    aggregation_moved,
    sparse_backward,
    sparse_forward,
)
from techniques.architecture.hetero.inputs import TypeInput
from techniques.architecture.hetero.relation import Relation
from techniques.architecture.hetero.use import LayerUse
from techniques.architecture.layer_size import LayerSize

ADAM_MOVED = 7 / 3
"""Floats that a step reads and writes per parameter (weight, gradient, two moments), as a share of three passes."""


@dataclass(frozen=True)
class TypedSize(LayerSize):
    """One typed layer of one step; what ``LayerSize`` holds are sums over types.

    ``read`` [types] and ``written`` [types] count nodes, ``by_relation`` edges. An encoder has ``inputs``, a layer its
    ``use``, a linear head neither.
    """

    read: tuple[float, ...] = ()
    written: tuple[float, ...] = ()
    by_relation: tuple[float, ...] = ()
    relations: tuple[Relation, ...] = ()
    use: LayerUse | None = None
    inputs: dict[int, TypeInput] | None = field(default=None, hash=False)
    whole: bool = False
    """Every node is read: an embedding is used as it is instead of row by row."""


def encoder_cost(size: TypedSize) -> LayerCost:
    """A linear layer and ReLU for every type with features, rows of the others' embeddings."""
    assert size.inputs is not None
    width, output, made, peak, back = size.columns_out, 0.0, 0.0, 0.0, 0.0
    gemm, moved, parameters = 0.0, 0.0, 0
    for kind, given in size.inputs.items():
        rows = size.read[kind]
        out = rows * width
        if given.embedded:
            parameters += given.num_nodes * width
            moved += ADAM_MOVED * given.num_nodes * width + (0 if size.whole else 2 * out)
            output += 0 if size.whole else out
            continue
        parameters += (given.columns + 1) * width
        moved += ADAM_MOVED * given.columns * width + 14 * out
        nonzeros = rows * given.nonzeros_per_node if given.sparse else None
        one = _as_linear(rows, given.columns, width, nonzeros)
        stored = nonzeros if nonzeros is not None else rows * given.columns
        gemm += 0.0 if given.sparse else stored * width
        moved += rows * given.columns if nonzeros is None else 3 * nonzeros * width
        peak = max(peak, made + max(2 * out if size.dropout else out, sparse_forward(one, width)))
        made += out
        output += out
        back = max(back, sparse_backward(one, width) - out)
    return LayerCost(
        output=output,
        saved=0.0,
        forward=max(peak, output),
        backward=output + back,
        beside_gradients=output,
        inference=max(peak, output),
        gemm=gemm,
        input_gemm=0.0,
        aggregated=_sparse_products(size),
        moved=moved,
        parameters=parameters,
        gathered=width,
        recomputed=2 * output,
    )


def _sparse_products(size: TypedSize) -> float:
    """Multiply-adds of sparse inputs, forward and backward."""
    assert size.inputs is not None
    rows = (size.read[kind] * one.nonzeros_per_node for kind, one in size.inputs.items() if one.sparse)
    return 2 * size.columns_out * sum(rows)


def _as_linear(rows: float, columns: int, width: int, nonzeros: float | None) -> LayerSize:
    return LayerSize(rows, rows, 0.0, columns, width, True, False, False, False, sparse_nonzeros=nonzeros)


def head_cost(size: TypedSize) -> LayerCost:
    """A linear layer on the targets."""
    out, read = size.targets * size.columns_out, size.targets * size.columns_in
    product = size.targets * size.columns_in * size.columns_out
    return LayerCost(
        output=out,
        saved=0.0,
        forward=out,
        backward=out + read,
        beside_gradients=out + read,
        inference=out,
        gemm=product,
        input_gemm=product,
        aggregated=0.0,
        moved=read + 3 * out,
        parameters=(size.columns_in + 1) * size.columns_out,
        gathered=size.columns_out,
        recomputed=out,
    )


def relational_cost(size: TypedSize, parameters: int) -> LayerCost:
    """Mean over the neighbours of every relation, times a weight of its own, added to the root's product."""
    assert size.use is not None
    forward, saved, output = _relational_forward(size)
    backward = _relational_backward(size, saved)
    wide_in, wide_out = size.columns_in, size.columns_out
    rows = sum(size.written[size.relations[place].target] for place in size.use.relations if size.by_relation[place])
    rows += sum(size.written[kind] for kind in size.use.outputs)
    edges = sum(size.by_relation[place] for place in size.use.relations)
    gemm = rows * wide_in * wide_out
    moved = sum(
        aggregation_moved(_relation_size(size, place), wide_in)
        + 4 * size.written[size.relations[place].target] * wide_in
        for place in size.use.relations
    )
    total = LayerSize(0.0, output / wide_out, 0.0, wide_in, wide_out, False, size.last, size.fused, False)
    return LayerCost(
        output=output,
        saved=saved,
        forward=forward,
        backward=backward,
        beside_gradients=backward,
        inference=forward,
        gemm=gemm,
        input_gemm=gemm,
        aggregated=2 * edges * wide_in,
        moved=moved + activations_moved(total),
        parameters=parameters,
        gathered=wide_in,
        recomputed=output + forward,
    )


def typed_blocks(size: TypedSize) -> list[float]:
    """Floats of typical tensors: rows of every type, and for every relation means, gradients of sources and messages."""
    if size.use is None:
        return [size.read[kind] * size.columns_out for kind in size.inputs or {}]
    found = [size.written[kind] * size.columns_out for kind in size.use.outputs]
    for place in size.use.relations:
        one = _relation_size(size, place)
        found += [one.targets * size.columns_in, one.sources * size.columns_in]
        found += [] if size.fused else [one.edges * size.columns_in]
    return found


def _relation_size(size: TypedSize, place: int) -> LayerSize:
    one = size.relations[place]
    ends = size.read[one.source], size.written[one.target], size.by_relation[place]
    return LayerSize(*ends, size.columns_in, size.columns_out, False, size.last, size.fused, False)


def _relational_forward(size: TypedSize) -> tuple[float, float, float]:
    """Largest sum of what the forward pass makes, what it keeps, and its output."""
    assert size.use is not None
    live = saved = output = peak = 0.0
    for target in size.use.outputs:
        out = size.written[target] * size.columns_out
        output += out
        live += out
        peak = max(peak, live)
        for place in size.use.into(size.relations, target):
            one = _relation_size(size, place)
            if not one.edges:
                continue
            mean = one.targets * size.columns_in
            # Messages and sums side by side; then sums and means.
            peak = max(peak, live + max(one.messages(size.columns_in) + mean, 2 * mean) + one.targets)
            saved += mean + one.targets
            live += mean + one.targets
    if size.dropout and not size.last:
        largest = max(size.written[target] for target in size.use.outputs)
        peak = max(peak, live + largest * size.columns_out)
    return peak, saved, output


def _relational_backward(size: TypedSize, saved: float) -> float:
    """Largest sum of what the backward pass makes, walked type by type from the last one back."""
    assert size.use is not None
    gradients = sum(size.written[kind] for kind in size.use.outputs) * size.columns_out
    to_input: dict[int, float] = {}
    live = peak = saved + gradients
    for target in reversed(size.use.outputs):
        for place in reversed(size.use.into(size.relations, target)):
            one = _relation_size(size, place)
            if not one.edges:
                continue
            mean, spread = one.targets * size.columns_in, one.sources * size.columns_in
            # The mean's gradient beside the mean, then divided; one row per edge, summed by source.
            messages = one.messages(size.columns_in)
            peak = max(peak, live + max(mean, messages, spread if size.fused else messages + spread - mean))
            live += _added(to_input, size.relations[place].source, spread) - mean - one.targets
        root = size.written[target] * size.columns_in
        spread = size.read[target] * size.columns_in
        peak = max(peak, live + root + spread)
        live += _added(to_input, target, spread) - size.written[target] * size.columns_out
    return peak


def _added(to_input: dict[int, float], kind: int, spread: float) -> float:
    """Floats that stay: the first gradient of a type's inputs, which later ones are added to."""
    fresh = spread if kind not in to_input else 0.0
    to_input[kind] = spread
    return fresh
