"""What one layer costs, in floats and operations: the ledger from which peaks, FLOPs and seconds are summed.

A training step is walked as autograd walks it: forward layer by layer, keeping what the backward pass needs, then back.
The peak is the largest sum of what is kept and what the layer at hand needs for a moment. Counts are for the layers in
``convs.py``; ``tests/techniques/architecture/test_costs.py`` compares them with live bytes of real steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from techniques.forecast import StepShape

ADAM_BYTES_PER_PARAMETER = 16
"""float32 weight, gradient and two moments (stas00/ml-engineering, training/performance)."""

ADAM_SCRATCH = 3
"""Floats per parameter while torch's Adam updates one tensor: decayed gradient, root of the second moment, the same scaled."""

INFERENCE_CHUNK_BYTES = 2**19
"""Rows that layer-wise inference gathers, and rows that it makes, at once where training samples the graph: a chunk takes a
few times as much, which is less than any step of training that is worth its overhead."""
PAIRS_PER_CHUNK = 2_048
"""Pairs whose two ends are held at once when links are scored."""


MAX_BYTES = 64 * 2**20
"""Rows of all edges that a maximum gathers at once: a few columns where the input is wide."""


class Readout(StrEnum):
    """What becomes of the last convolution's output."""

    NODES = "nodes"
    """Its rows are the logits."""
    PAIRS = "pairs"
    """The dot product of two rows is the logit of a link."""
    EGO = "ego"
    """The root's row beside the mean of its ego graph's rows goes through a linear layer (ShaDow)."""
    GRAPHS = "graphs"
    """The rows of a graph are pooled to one, which goes through two linear layers."""

    @property
    def follows(self) -> bool:
        """Whether the last convolution's output is a hidden one, on which a layer of its own follows."""
        return self in (Readout.EGO, Readout.GRAPHS)

    def products(self, hidden: int, outputs: int) -> int:
        """Multiply-adds that a seed's row takes beyond the convolutions."""
        if self is Readout.EGO:
            return 2 * hidden * outputs
        return hidden * (hidden + outputs) if self is Readout.GRAPHS else 0

    def parameters(self, hidden: int, outputs: int) -> int:
        """Weights and biases beyond the convolutions."""
        if self is Readout.EGO:
            return (2 * hidden + 1) * outputs
        return (hidden + 1) * (hidden + outputs) if self is Readout.GRAPHS else 0


@dataclass(frozen=True)
class LayerSize:
    """One layer of one step: S sources, T targets, m edges, I columns in, O columns out."""

    sources: float
    targets: float
    edges: float
    columns_in: int
    columns_out: int
    first: bool
    """The input needs no gradient."""
    last: bool
    fused: bool
    transform_first: bool
    heads: int = 1
    sparse_nonzeros: float | None = None
    """Non-zeros of a sparse input; ``None`` for a dense one."""
    dropout: bool = True
    weighted: bool = False
    """Messages are multiplied with a weight per edge."""
    edge_columns: int = 0
    """Columns of the edges' attributes."""
    bf16: bool = False
    """Dense products and what is between layers are bfloat16; sums over neighbours are float32."""
    dense: bool = False
    """Neighbours are summed by a product with a dense matrix: ``edges`` are all S T pairs."""
    learned: bool = False
    """The input are rows of a learned table, gathered for this step."""

    @property
    def narrow(self) -> float:
        """Floats that one value of a dense product takes."""
        return 0.5 if self.bf16 else 1.0

    def narrow_copy(self, rows: float) -> float:
        """Floats of the bfloat16 copy of ``rows`` of the first layer's dense input, kept for the weight's gradient."""
        return 0.5 * rows * self.columns_in if self.bf16 and self.first and self.sparse_nonzeros is None else 0.0

    def widened(self, values: float) -> float:
        """Floats of a float32 copy of bfloat16 ``values``; 0 where they are float32 already."""
        return values if self.bf16 else 0.0

    def messages(self, columns: int) -> float:
        """Floats alive while rows are gathered edge by edge and, where they are, weighted; 0 for a fused product."""
        if self.fused:
            return 0.0
        # Rows before and after their weights are alive together, but not beside their sums.
        rows = max(self.edges, 2 * self.edges - self.targets) if self.weighted else self.edges
        return rows * columns


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
    """Largest sum of what the backward pass makes, its incoming gradient included and ``saved`` where it lives."""
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
        inference=max(cost.inference, cost.saved + hidden + size.widened(hidden), 2 * wide),
        moved=cost.moved + 4 * (hidden + wide),
        parameters=cost.parameters + 2 * (size.columns_out + cost.hidden_columns),
        kept=cost.kept + wide,
        recomputed=max(cost.recomputed, size.narrow * wide + cost.saved + hidden + size.widened(2.5 * hidden)),
    )


def activations_moved(size: LayerSize) -> float:
    """Floats read and written by bias, ReLU and dropout in one forward pass."""
    return (6.0 if size.last else 14.0) * size.targets * size.columns_out


@dataclass(frozen=True)
class StepCost:
    """One step of the whole network."""

    activation_bytes: float
    """Largest live bytes of the forward and backward pass, parameters and input not counted."""
    workspace_bytes: float
    """What kernels allocate for themselves beside it, on the host."""
    blocks: tuple[float, ...]
    """Bytes of typical tensors: allocators serve large blocks exactly and small ones with slack."""
    gemm_flops: float
    aggregation_flops: float
    summing_flops: float
    """Operations of dense products that take as long as summing over neighbours, memory traffic apart."""
    moved_bytes: float
    parameters: int
    recomputed_flops: float = 0.0
    """Dense products that checkpointing takes once more."""
    sparse_blocks: tuple[float, ...] = ()
    """Bytes of the tensors that live while a sparse input is transposed."""


def step_cost(
    layers: list[tuple[LayerSize, LayerCost]],
    seeds: float = 0.0,
    readout: Readout = Readout.NODES,
    num_classes: int = 0,
    table_size: int = 0,
    *,
    checkpoint_layers: bool = False,
) -> StepCost:
    """Walk forward and back over the layers of one step; 2 FLOPs a multiply-add.

    ``seeds`` is the number of rows, or pairs, that carry a loss; ``num_classes`` the width of an ego readout;
    ``table_size`` the entries of a learned table, whose gradient is made last and is counted with the parameters.
    ``checkpoint_layers`` adds a forward pass to ``moved_bytes`` and ``recomputed_flops``; FLOPs stay those of the model.
    """
    walk = _largest_live_checkpointed if checkpoint_layers else _largest_live
    walked = walk(layers, seeds, readout)
    looked_up = sum(size.sources * size.columns_in for size, _ in layers if size.learned)
    live = max(walked - table_size, 2 * looked_up, ADAM_SCRATCH * table_size)
    hidden = layers[-1][0].columns_out
    matrices = 2 * sum(_matrix_products(size, cost) for size, cost in layers)
    summed = [(size, cost, cost.aggregated - _matrix_products(size, cost)) for size, cost in layers]
    return StepCost(
        activation_bytes=4 * live,
        workspace_bytes=4 * (walk(layers, seeds, readout, SORT_FLOATS) - walked),
        blocks=tuple(4 * block for block in (*_walked_blocks(layers), *_readout_blocks(layers[-1][0], seeds, readout))),
        gemm_flops=2
        * (
            sum(2 * cost.gemm + cost.input_gemm for _, cost in layers)
            + 3 * seeds * readout.products(hidden, num_classes)
        )
        + matrices,
        aggregation_flops=2 * sum(sums for _, _, sums in summed),
        summing_flops=2 * sum(sums * products_per_sum(size, cost.gathered) for size, cost, sums in summed),
        moved_bytes=4 * sum((4 if checkpoint_layers else 3) * cost.moved for _, cost in layers),
        parameters=sum(cost.parameters for _, cost in layers) + readout.parameters(hidden, num_classes),
        recomputed_flops=2 * sum(cost.gemm for _, cost in layers) if checkpoint_layers else 0.0,
        sparse_blocks=tuple(block for size, _ in layers for block in _transposing(size)),
    )


def _matrix_products(size: LayerSize, cost: LayerCost) -> float:
    """Multiply-adds of products with a dense matrix, forward and, where the input needs a gradient, backward: dense products
    like any other. What else counts as aggregated are loops and sparse inputs."""
    once = size.edges * cost.gathered
    return min(2.0, cost.aggregated // once) * once if size.dense and once else 0.0


SPARSE_TRANSPOSE_FLOATS = 9
"""Floats per non-zero while torch turns the transposed input into CSR, with int64 indices (measured)."""


def sparse_forward(size: LayerSize, columns: int) -> float:
    """Floats alive while a sparse input is multiplied with ``columns`` of weights: torch makes the result twice."""
    if size.sparse_nonzeros is None:
        return 0.0
    return 2 * size.sources * columns + size.columns_in * columns


def sparse_backward(size: LayerSize, columns: int) -> float:
    """The same for the weights' gradient, which is the transposed input times the product's gradient."""
    if size.sparse_nonzeros is None:
        return 0.0
    weights = 2 * size.columns_in * columns
    return size.sources * columns + SPARSE_TRANSPOSE_FLOATS * size.sparse_nonzeros + weights


def _transposing(size: LayerSize) -> tuple[float, ...]:
    """Bytes: four times int64 and once float32 per non-zero (``SPARSE_TRANSPOSE_FLOATS``)."""
    nonzeros = size.sparse_nonzeros or 0.0
    return (*[8 * nonzeros] * 4, 4 * nonzeros) if nonzeros else ()


def _blocks(size: LayerSize, cost: LayerCost) -> tuple[float, ...]:
    """Floats of what a layer projects, of its sums and its outputs, and of its messages."""
    sums = (size.sources * cost.gathered, size.targets * cost.gathered, size.targets * size.columns_out)
    return sums if size.fused else (*sums, size.edges * cost.gathered)


def _walked_blocks(layers: list[tuple[LayerSize, LayerCost]]) -> tuple[float, ...]:
    return tuple(block for size, cost in layers for block in _blocks(size, cost))


def _readout_blocks(last: LayerSize, seeds: float, readout: Readout) -> tuple[float, ...]:
    """The same where both ends of pairs are gathered: two blocks of rows, and their gradients."""
    return (seeds * last.columns_out,) * 4 if readout is Readout.PAIRS else ()


SORT_FLOATS = 10
"""Floats per edge while torch's scatter sorts its index: keys and positions, twice (excess of measured full batches)."""


def _largest_live(
    layers: list[tuple[LayerSize, LayerCost]], seeds: float, readout: Readout, sort_floats: float = 0.0
) -> float:
    """Floats alive at the worst moment of forward, loss and backward."""
    looked_up = sum(size.sources * size.columns_in for size, _ in layers if size.learned)
    live = peak = looked_up
    for size, cost in layers:
        sorting = 0.0 if size.fused else sort_floats * size.edges
        peak = max(peak, live + cost.forward + sorting)
        live += cost.output + cost.saved
        if size.learned and not cost.keeps_input:
            live -= looked_up
    live, at_loss = _loss_live(live, *layers[-1], seeds, readout)
    peak = max(peak, at_loss)
    for index, (_, cost) in reversed(list(enumerate(layers))):
        if index < len(layers) - 1 or readout.follows:
            peak = max(peak, live + 2 * cost.output)
            live -= cost.output
        # Gradients of normalised rows and of the rows before, which are still there.
        peak = max(peak, live + 2 * cost.kept, live - cost.saved + cost.backward)
        live -= cost.saved
    return peak


def _largest_live_checkpointed(
    layers: list[tuple[LayerSize, LayerCost]], seeds: float, readout: Readout, sort_floats: float = 0.0
) -> float:
    """The same where every convolution keeps its input only and is computed again when its gradient is there."""
    live = peak = sum(size.sources * size.columns_in for size, _ in layers if size.learned)
    for size, cost in layers:
        sorting = 0.0 if size.fused else sort_floats * size.edges
        peak = max(peak, live + cost.kept + max(cost.inference, dropped_out(size)) + sorting)
        live += cost.output + cost.kept
    live, at_loss = _loss_live(live, *layers[-1], seeds, readout)
    peak = max(peak, at_loss)
    for index, (size, cost) in reversed(list(enumerate(layers))):
        if index < len(layers) - 1 or readout.follows:
            peak = max(peak, live + 2 * cost.output)
            live -= cost.output
        peak = max(peak, live + 2 * cost.kept)
        live -= cost.kept
        sorting = 0.0 if size.fused else sort_floats * size.edges
        peak = max(peak, live + cost.recomputed + sorting, live + cost.backward - cost.recomputed_late)
    return peak


def _loss_live(live: float, last: LayerSize, cost: LayerCost, seeds: float, readout: Readout) -> tuple[float, float]:
    """Floats alive while the last layer is walked back, and the most around the loss."""
    chosen = seeds * last.columns_out
    if readout is Readout.GRAPHS:
        # A pooled row, two hidden ones and their gradients for every graph; then the gradient of every node's row.
        return live, live + 4 * chosen + 2 * max(cost.output, last.widened(last.targets * last.columns_out))
    if readout is Readout.EGO:
        # Roots and means side by side; then the output's gradient from either, added in place.
        return live, live + 4 * chosen + 2 * max(cost.output, last.widened(last.targets * last.columns_out))
    live -= cost.output
    if readout is Readout.PAIRS:
        # Both ends of every pair and their product; then the ends' gradients, spread over the output one by one.
        return live, live + max(cost.output + 3 * chosen, 4 * chosen, chosen + 2 * cost.output)
    # The loss keeps log-softmax of the seeds' logits; two gradients follow.
    return live, live + max(3 * chosen, 2 * chosen + cost.output)


CACHE_BYTES = 4 * 2**20
"""Rows of so many bytes are read over and over from the cores' caches."""
CACHED_RATE = 0.3
"""Rate of a sparse product whose rows are in the caches over that of a dense one (measured on one core for 200 to 5,000
nodes, 64 and 128 columns: 40 to 57 GB/s of rows, 20 to 28 GFLOP/s, against 80 to 100 GFLOP/s)."""
FUSED_MOVED = 1.3
"""Floats that a sparse product moves per edge and column where they are not."""


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


def shape_sizes(
    shape: StepShape,
    widths: tuple[int, ...],
    fused: bool,
    transform_first: bool,
    heads: int = 1,
    sparse_nonzeros: float | None = None,
    dropout: bool = True,
    readout: Readout = Readout.NODES,
    weighted: bool = False,
    edge_columns: int = 0,
    bf16: bool = False,
    dense: bool = False,
    learned_input: bool = False,
) -> list[LayerSize]:
    """Sizes of every layer; ``widths`` are F_in, hidden, ..., classes; only the first layer may transform first."""
    last = len(shape.layers) - (0 if readout.follows else 1)
    return [
        LayerSize(
            sources=layer.num_sources,
            targets=layer.num_targets,
            edges=layer.num_edges,
            columns_in=widths[index],
            columns_out=widths[index + 1],
            first=index == 0 and not learned_input,
            learned=index == 0 and learned_input,
            last=index == last,
            fused=fused,
            transform_first=transform_first and index == 0,
            heads=heads if index < last else 1,
            sparse_nonzeros=sparse_nonzeros if index == 0 else None,
            dropout=dropout,
            weighted=weighted,
            edge_columns=edge_columns,
            bf16=bf16,
            dense=dense,
        )
        for index, layer in enumerate(shape.layers)
    ]
