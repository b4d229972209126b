"""A whole training step, and a forward pass over all nodes, as lists of operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.passes import Operations, Passes, activation, inner_linear, loss, normalisation
from techniques.architecture.readout import Readout
from techniques.hardware.operations import Kind, Operation, gather, index_add, launches, scatter, stream

ADAM_OPERATORS = 30
"""Of the two or three tensors of a layer: about a dozen each."""

Layer = Callable[[LayerSize], Passes]


def training_step(
    sizes: Sequence[LayerSize],
    layer: Layer,
    seeds: float,
    readout: Readout,
    num_classes: int,
    parameters: float,
    *,
    norms: int = 0,
    checkpoint_layers: bool = False,
) -> Operations:
    """Forward, loss, backward and Adam. ``checkpoint_layers`` takes every layer's forward pass once more.

    Every layer has ``norms`` batch normalisations: one behind it, others inside.
    """
    found: list[Operation] = []
    for size in sizes:
        one = layer(size)
        for _ in range(norms - 1):
            one += normalisation(size)
        between = normalisation(size) if norms else Passes((), ())
        between += Passes((), ()) if size.last else activation(size)
        found += one.forward + between.forward + one.backward + between.backward
        found += one.forward if checkpoint_layers else ()
    found += _read_out(sizes[-1], seeds, readout, num_classes)
    if sizes[0].learned:
        rows, columns = sizes[0].sources, sizes[0].columns_in
        found += (gather(rows, columns, rows), index_add(rows, columns, rows))
    return (*found, Operation(Kind.ADAM, parameters, 1.0, 0.0), launches(ADAM_OPERATORS * len(sizes)))


def inference(sizes: Sequence[LayerSize], layer: Layer) -> Operations:
    """Logits of all nodes: forward passes without dropout."""
    found: list[Operation] = []
    for size in sizes:
        found += layer(size).forward
        found += () if size.last else (stream(size.targets, size.columns_out),)
    return tuple(found)


def _read_out(last: LayerSize, seeds: float, readout: Readout, num_classes: int) -> Operations:
    """From the last layer's rows to the loss and back."""
    rows, hidden = last.targets, last.columns_out
    if readout is Readout.PAIRS:
        ends = (gather(seeds, hidden, rows), gather(seeds, hidden, rows), stream(seeds, hidden, 3, fresh=True))
        back = (stream(seeds, hidden, 3, fresh=True),) * 2 + (index_add(rows, hidden, seeds),) * 2
        return (*ends, *back, stream(rows, hidden, 3), *loss(seeds, 1, seeds))
    if readout in (Readout.EGO, Readout.GRAPHS):
        wide = 2 * hidden if readout is Readout.EGO else hidden
        pooled = (scatter(seeds, hidden, rows), gather(rows, hidden, seeds), index_add(rows, hidden, seeds))
        dense = inner_linear(seeds, wide, num_classes if readout is Readout.EGO else hidden + num_classes)
        made = (*pooled, stream(rows, hidden, 3, fresh=True), *dense.forward, *dense.backward, launches(16))
        return (*made, *loss(seeds, num_classes, seeds))
    return loss(seeds, hidden, rows)
