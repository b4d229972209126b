"""What one layer costs, in floats and operations, and the terms that the layers' costs share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.layer_size import LayerSize

SPARSE_TRANSPOSE_FLOATS = 9
"""Floats per non-zero while torch turns the transposed input into CSR, with int64 indices (measured)."""
TRANSPOSED_FLOATS = 3
"""Of them those of the CSR itself, which is then multiplied."""
CACHE_BYTES = 4 * 2**20
"""Rows of so many bytes are read over and over from the cores' caches."""
CACHED_RATE = 0.3
"""Rate of a sparse product whose rows are in the caches over that of a dense one (measured on one core for 200 to 5,000
nodes, 64 and 128 columns: 40 to 57 GB/s of rows, 20 to 28 GFLOP/s, against 80 to 100 GFLOP/s)."""
FUSED_MOVED = 1.3
"""Floats that a sparse product moves per edge and column where they are not."""


@dataclass(frozen=True)
class LayerCost:
    """Floats kept for the backward pass, floats needed for a moment above what is kept, and work.

    The input is the layer before's ``output``, or lies in the batch: it is not counted here. The output carries no
    second copy for ReLU and dropout (``network.relu_dropout``).
    """

    output: float
    """Kept until the next layer's backward pass is done."""
    saved: float
    """Kept until this layer's backward pass is done."""
    forward: float
    """Largest sum of what the forward pass makes, ``output`` and ``saved`` included."""
    backward: float
    """Largest sum of what the backward pass makes, its incoming gradient included and ``saved`` where it lives; of the weights'
    gradients those of a sparse input only."""
    beside_gradients: float
    """Part of it that is there when the weights' gradients are."""
    inference: float
    """Largest sum of what the forward pass makes where nothing is kept for a backward pass."""
    gemm: float
    """Multiply-adds of dense products in the forward pass."""
    input_gemm: float
    """Multiply-adds of the product whose input gradient is needed, in the backward pass, beside as many as ``gemm``."""
    aggregated: float
    """Multiply-adds of sparse products and scatters, forward and backward."""
    moved: float
    """Floats read and written by one forward pass."""
    parameters: int
    gathered: int
    """Columns of the rows that the neighbours' sum reads."""
    recomputed: float
    """Largest sum, incoming gradients included, until a checkpointed layer has again what its backward pass needs."""
    kept: float = 0.0
    """Part of ``saved`` that a checkpointed layer keeps, too: the rows before their normalisation."""
    recomputed_late: float = 0.0
    """Part of ``backward`` that a checkpointed layer has again only when its largest sum is over."""
    hidden_columns: int = 0
    """Width of a layer inside this one that is normalised where its output is."""
    keeps_input: bool = True
    """Whether the backward pass needs the input."""
    rounds: int = 1
    """How often its sums are made, each anew: every step of a propagation."""
    edge_blocks: tuple[float, ...] = ()
    """Floats of its tensors with a few values per edge: their ends, and scores."""


def dropped_out(size: LayerSize) -> float:
    """Floats alive while dropout draws its noise beside the output."""
    wide = size.targets * size.columns_out * size.narrow
    return 2 * wide if size.dropout and not size.last else wide


def normalised(size: LayerSize, cost: LayerCost) -> LayerCost:
    """The same layer with batch normalisation before its ReLU, in float32: its input is kept for the backward pass."""
    wide, hidden = size.targets * size.columns_out, size.targets * cost.hidden_columns
    saved = cost.saved + hidden + wide
    forward = max(cost.forward, saved + max(dropped_out(size), size.widened(1.5 * wide)))
    return replace(
        cost,
        saved=saved,
        forward=forward,
        backward=max(cost.backward, cost.saved + (2 + size.narrow) * hidden),
        beside_gradients=max(cost.beside_gradients, cost.saved + 2 * hidden),
        inference=max(cost.inference, cost.saved + hidden + size.widened(hidden), 2 * wide),
        moved=cost.moved + 4 * (hidden + wide),
        parameters=cost.parameters + 2 * (size.columns_out + cost.hidden_columns),
        kept=cost.kept + wide,
        recomputed=max(cost.recomputed, size.narrow * wide + cost.saved + hidden + size.widened(2.5 * hidden)),
    )


def activations_moved(size: LayerSize) -> float:
    """Floats read and written by bias, ReLU and dropout in one forward pass."""
    return (6.0 if size.last else 14.0) * size.targets * size.columns_out


def sparse_forward(size: LayerSize, columns: int) -> float:
    """Floats alive while a sparse input is multiplied with ``columns`` of weights: torch makes the result twice."""
    if size.sparse_nonzeros is None:
        return 0.0
    return 2 * size.sources * columns + size.columns_in * columns


def sparse_backward(size: LayerSize, columns: int) -> float:
    """The same for the weights' gradient, which is the transposed input times the product's gradient."""
    if size.sparse_nonzeros is None:
        return 0.0
    product = TRANSPOSED_FLOATS * size.sparse_nonzeros + 2 * size.columns_in * columns
    return size.sources * columns + max(SPARSE_TRANSPOSE_FLOATS * size.sparse_nonzeros, product)


def cached_share(size: LayerSize, columns: float) -> float:
    """Share of the neighbours' rows that caches hold, 0 to 1."""
    return min(1.0, CACHE_BYTES / max(4 * size.sources * columns, 1.0))


def products_per_sum(size: LayerSize, columns: float) -> float:
    """Operations of a dense product that take as long as one of the sum over neighbours, its memory traffic apart."""
    if size.dense:
        return 1.0
    return cached_share(size, columns) / CACHED_RATE if size.fused else 0.0


def aggregation_moved(size: LayerSize, columns: float) -> float:
    """Floats moved from memory to sum ``columns`` wide rows over the edges.

    A fused product reads an index and a value per edge, and about one row where rows are not in the caches; six rows
    are moved where they are gathered and scattered; a dense product reads its matrix.
    """
    rows = size.targets * columns
    if size.dense:
        return size.edges + size.sources * columns + rows
    if size.fused:
        return size.edges * (FUSED_MOVED * (1.0 - cached_share(size, columns)) * columns + 2) + rows
    return 6.0 * size.edges * columns + rows
