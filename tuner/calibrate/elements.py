"""What is done value by value, new memory, sparse inputs and the optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from tuner.calibrate.timing import seconds_of

BYTES = (2**14, 2**18, 2**21, 2**24, 2**26)
RANDOM_BYTES = (2**14, 2**18, 2**21)
"""Drawn by one thread, which takes what it takes wherever the values lie."""
FRESH_BYTES = (2**16, 2**22, 2**23, 2**24, 2**26)
COLUMNS = (16, 256)
PARAMETERS = (1_000, 100_000, 3_000_000)
SPARSE = ((3_000, 1_500, 25), (10_000, 5_000, 50))
"""Rows, columns and non-zeros per row of sparse features: transposing them takes longer where caches do not hold them."""
OTHERS, OTHERS_BYTES = 12, 2**26
"""So many tensors of a size take turns, up to so many bytes: what a step reads it has last touched some operators ago."""


def measure_elements() -> dict[Kind, Grid]:
    """Seconds per value, by bytes of the tensor; of streams, per value read or written."""
    return {
        Kind.STREAM: Grid(axes=(BYTES,), values=tuple(_stream(size) for size in BYTES)),
        Kind.EXPONENTIAL: Grid(axes=(BYTES,), values=tuple(_exponential(size) for size in BYTES)),
        Kind.RANDOM: Grid(axes=(RANDOM_BYTES,), values=tuple(_random(size) for size in RANDOM_BYTES)),
        Kind.ADAM: Grid(axes=(PARAMETERS,), values=tuple(_adam(count) for count in PARAMETERS)),
        Kind.SPARSE_INPUT: _sparse_grid(back=False),
        Kind.SPARSE_WEIGHT: _sparse_grid(back=True),
    }


def measure_touch() -> Grid:
    """Seconds per byte of a new tensor beyond what writing costs in one that is there, in memory that was free for a moment
    only; what a hypervisor has taken meanwhile is ``reclaimed``'s."""
    return Grid(axes=(FRESH_BYTES,), values=tuple(max(_touch(size) / size, 1e-14) for size in FRESH_BYTES))


def _touch(size: int) -> float:
    there = _others(size)
    return seconds_of(lambda: torch.empty(size // 4).zero_(), least=4) - seconds_of(
        lambda: next(there).zero_(), least=4
    )


def _stream(size: int) -> float:
    y, others = torch.ones(size // 4), _others(size)
    return seconds_of(lambda: next(others).mul_(y)) / (3 * size // 4)


def _exponential(size: int) -> float:
    out, others = torch.empty(size // 4), _others(size)
    return seconds_of(lambda: torch.exp(next(others), out=out)) / (size // 4)


def _others(size: int) -> Iterator[Tensor]:
    """Tensors of so many bytes, over and over."""
    return cycle([torch.ones(size // 4) for _ in range(max(1, min(OTHERS, OTHERS_BYTES // size)))])


def _random(size: int) -> float:
    x = torch.empty(size // 4)
    return seconds_of(lambda: x.bernoulli_(0.5)) / x.numel()


def _adam(count: int) -> float:
    weight = torch.nn.Parameter(torch.ones(count))
    weight.grad = torch.ones(count)
    return seconds_of(torch.optim.Adam([weight], weight_decay=1e-4).step) / count


def _sparse_grid(*, back: bool) -> Grid:
    """Axes non-zeros and columns of the weight."""
    nonzeros = tuple(float(rows * per_row) for rows, _, per_row in SPARSE)
    values = tuple(_sparse(size, columns, back=back) for size in SPARSE for columns in COLUMNS)
    return Grid(axes=(nonzeros, COLUMNS), values=values)


def _sparse(size: tuple[int, int, int], columns: int, *, back: bool) -> float:
    """Features by a weight as ``F.linear`` takes it, and what its backward pass does."""
    rows, width, per_row = size
    nonzeros = rows * per_row
    pointer = torch.arange(0, nonzeros + 1, per_row)
    place, values, shape = (
        torch.randint(width, (nonzeros,)),
        torch.rand(nonzeros),
        (rows, width),
    )
    x = torch.sparse_csr_tensor(pointer, place, values, size=shape, check_invariants=False)
    weight = torch.rand(columns, width, requires_grad=True)
    if not back:
        with torch.no_grad():
            return seconds_of(lambda: torch.nn.functional.linear(x, weight)) / (nonzeros * columns)
    out = torch.nn.functional.linear(x, weight)
    gradient = torch.rand_like(out)
    return seconds_of(lambda: torch.autograd.grad(out, weight, gradient, retain_graph=True)) / (nonzeros * columns)
