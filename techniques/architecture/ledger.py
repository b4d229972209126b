"""What a training step costs, in bytes and operations: the ledger from which peaks, FLOPs and seconds are summed.

A training step is walked as autograd walks it: forward layer by layer, keeping what the backward pass needs, then back.
The peak is the largest sum of what is kept and what the layer at hand needs for a moment. Counts are for the layers in
``convs.py``; ``tests/techniques/architecture/test_ledger.py`` compares them with live bytes of real steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.costs import LayerCost, dropped_out, products_per_sum
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.readout import Readout
from techniques.hardware.allocator import MAPPED_BYTES

ADAM_BYTES_PER_PARAMETER = 12
"""float32 weight and two moments, held between steps; a gradient of as many as the weight comes and goes with every step."""

ADAM_SCRATCH = 3
"""Floats per parameter while torch's Adam updates one tensor: decayed gradient, root of the second moment, the same scaled."""
SORT_FLOATS = 10
"""Floats per edge while torch's scatter sorts its index: keys and positions, twice (excess of measured full batches)."""


@dataclass(frozen=True)
class StepCost:
    """One step of the whole network."""

    activation_bytes: float
    """Largest live bytes of the forward and backward pass, gradients of the weights that are there already among them;
    parameters, their moments and the input not counted."""
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
    updating_bytes: float = 0.0
    """The same while the optimiser takes its step, one parameter at a time: all gradients and its scratch."""
    recomputed_flops: float = 0.0
    """Dense products that checkpointing takes once more."""
    sparse_blocks: tuple[float, ...] = ()
    """Bytes of the tensors that live while a sparse input is transposed."""


@dataclass(frozen=True)
class Gradients:
    """Floats of the weights' gradients in the backward pass: those of a layer stay when it is walked back, unless all of them
    are there from the batch before (``accumulated``) and new ones are added to these."""

    readout: float
    accumulated: float = 0.0

    def left_by(self, parameters: float) -> float:
        """What stays of a layer with so many parameters."""
        return 0.0 if self.accumulated else parameters


def step_cost(
    layers: list[tuple[LayerSize, LayerCost]],
    seeds: float = 0.0,
    readout: Readout = Readout.NODES,
    num_classes: int = 0,
    table_size: int = 0,
    *,
    checkpoint_layers: bool = False,
    accumulates: bool = False,
) -> StepCost:
    """Walk forward and back over the layers of one step; 2 FLOPs a multiply-add.

    ``seeds`` is the number of rows, or pairs, that carry a loss; ``num_classes`` the width of an ego readout;
    ``table_size`` the entries of a learned table, whose gradient is made last. Where a step ``accumulates`` gradients over
    batches all of them are there, and a new one lies beside them until it is added. ``checkpoint_layers`` adds a forward pass to ``moved_bytes`` and ``recomputed_flops``; FLOPs stay those of the model.
    """
    walk = _largest_live_checkpointed if checkpoint_layers else _largest_live
    hidden = layers[-1][0].columns_out
    parameters = sum(cost.parameters for _, cost in layers) + readout.parameters(hidden, num_classes)
    every = parameters + table_size
    gradients = Gradients(readout.parameters(hidden, num_classes), every if accumulates else 0.0)
    walked = walk(layers, seeds, readout, gradients)
    looked_up = sum(size.sources * size.columns_in for size, _ in layers if size.learned)
    looked_back = every + 2 * looked_up + (table_size if accumulates else 0) if table_size else 0.0
    largest = max(table_size, *(size.columns_in * size.columns_out for size, _ in layers))
    matrices = 2 * sum(_matrix_products(size, cost) for size, cost in layers)
    summed = [(size, cost, cost.aggregated - _matrix_products(size, cost)) for size, cost in layers]
    return StepCost(
        activation_bytes=4 * max(walked, looked_back),
        workspace_bytes=max(
            4 * (walk(layers, seeds, readout, gradients, SORT_FLOATS) - walked), _sorted_in_heap(layers)
        ),
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
        parameters=parameters,
        updating_bytes=4 * (every + ADAM_SCRATCH * largest),
        recomputed_flops=2 * sum(cost.gemm for _, cost in layers) if checkpoint_layers else 0.0,
        sparse_blocks=tuple(block for size, _ in layers for block in _transposing(size)),
    )


def _sorted_in_heap(layers: list[tuple[LayerSize, LayerCost]]) -> float:
    """Bytes of the largest sort whose arrays are not mapped: they stay in the heap until the next one finds them there."""
    edges = max((size.edges for size, _ in layers if not size.fused and 8 * size.edges < MAPPED_BYTES), default=0.0)
    return 4 * SORT_FLOATS * edges


def _matrix_products(size: LayerSize, cost: LayerCost) -> float:
    """Multiply-adds of products with a dense matrix, forward and, where the input needs a gradient, backward: dense products
    like any other. What else counts as aggregated are loops and sparse inputs."""
    once = size.edges * cost.gathered
    return min(2.0, cost.aggregated // once) * once if size.dense and once else 0.0


def _transposing(size: LayerSize) -> tuple[float, ...]:
    """Bytes: four times int64 and once float32 per non-zero (``SPARSE_TRANSPOSE_FLOATS``)."""
    nonzeros = size.sparse_nonzeros or 0.0
    return (*[8 * nonzeros] * 4, 4 * nonzeros) if nonzeros else ()


def _blocks(size: LayerSize, cost: LayerCost) -> tuple[float, ...]:
    """Floats of what a layer projects, of its sums and its outputs, and of its messages and what else edges carry."""
    sums = (size.sources * cost.gathered, size.targets * cost.gathered, size.targets * size.columns_out)
    blocks = sums if size.fused else (*sums, size.edges * cost.gathered, *cost.edge_blocks)
    return blocks * cost.rounds


def _walked_blocks(layers: list[tuple[LayerSize, LayerCost]]) -> tuple[float, ...]:
    return tuple(block for size, cost in layers for block in _blocks(size, cost))


def _readout_blocks(last: LayerSize, seeds: float, readout: Readout) -> tuple[float, ...]:
    """The same where both ends of pairs are gathered: two blocks of rows, and their gradients."""
    return (seeds * last.columns_out,) * 4 if readout is Readout.PAIRS else ()


def _largest_live(
    layers: list[tuple[LayerSize, LayerCost]],
    seeds: float,
    readout: Readout,
    gradients: Gradients,
    sort_floats: float = 0.0,
) -> float:
    """Floats alive at the worst moment of forward, loss and backward."""
    looked_up = sum(size.sources * size.columns_in for size, _ in layers if size.learned)
    live = peak = looked_up + gradients.accumulated
    for size, cost in layers:
        sorting = 0.0 if size.fused else sort_floats * size.edges
        peak = max(peak, live + cost.forward + sorting)
        live += cost.output + cost.saved
        if size.learned and not cost.keeps_input:
            live -= looked_up
    # Gradients of normalised rows and of the rows before, which are still there.
    ways = [(cost.saved, max(cost.backward, cost.beside_gradients + cost.parameters)) for _, cost in layers]
    return _walked_back(layers, ways, live, peak, seeds, readout, gradients)


def _largest_live_checkpointed(
    layers: list[tuple[LayerSize, LayerCost]],
    seeds: float,
    readout: Readout,
    gradients: Gradients,
    sort_floats: float = 0.0,
) -> float:
    """The same where every convolution keeps its input only and is computed again when its gradient is there."""
    live = peak = sum(size.sources * size.columns_in for size, _ in layers if size.learned) + gradients.accumulated
    for size, cost in layers:
        sorting = 0.0 if size.fused else sort_floats * size.edges
        peak = max(peak, live + cost.kept + max(cost.inference, dropped_out(size)) + sorting)
        live += cost.output + cost.kept
    ways = []
    for size, cost in layers:
        sorting = 0.0 if size.fused else sort_floats * size.edges
        back = max(cost.backward - cost.recomputed_late, cost.beside_gradients + cost.parameters)
        ways.append((cost.kept, max(cost.recomputed + sorting, back)))
    return _walked_back(layers, ways, live, peak, seeds, readout, gradients)


def _walked_back(
    layers: list[tuple[LayerSize, LayerCost]],
    ways: list[tuple[float, float]],
    live: float,
    peak: float,
    seeds: float,
    readout: Readout,
    gradients: Gradients,
) -> float:
    """Floats alive at the worst moment, where ``live`` are after a forward pass whose worst was ``peak``.

    Args:
        ways: of each layer, what it has held for its gradient, and what that takes once it has let go of it.
    """
    live, at_loss = _loss_live(live, *layers[-1], seeds, readout)
    peak = max(peak, at_loss)
    live += gradients.left_by(gradients.readout)
    for index, ((_, cost), (held, back)) in reversed(list(enumerate(zip(layers, ways, strict=True)))):
        if index < len(layers) - 1 or readout.follows:
            peak = max(peak, live + 2 * cost.output)
            live -= cost.output
        peak = max(peak, live + 2 * cost.kept, live - held + back)
        live += gradients.left_by(cost.parameters) - held
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
