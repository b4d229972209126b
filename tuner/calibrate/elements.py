"""What is done value by value, new memory, sparse inputs and the optimiser."""

from __future__ import annotations

import torch

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from tuner.calibrate.timing import seconds_of

BYTES = (2**14, 2**18, 2**21, 2**24, 2**26)
FRESH_BYTES = (2**16, 2**22, 2**23, 2**25, 2**27)
COLUMNS = (8, 64, 256)
PARAMETERS = (1_000, 100_000, 3_000_000)
SPARSE = ((4_000, 2_000, 25), (20_000, 6_000, 50))
"""Rows, columns and non-zeros per row of sparse features: transposing them takes longer where caches do not hold them."""


def measure_elements() -> dict[Kind, Grid]:
    """Seconds per value, by bytes of the tensor; of streams, per value read or written."""
    return {
        Kind.STREAM: Grid(axes=(BYTES,), values=tuple(_stream(size) for size in BYTES)),
        Kind.EXPONENTIAL: Grid(axes=(BYTES,), values=tuple(_exponential(size) for size in BYTES)),
        Kind.RANDOM: Grid(axes=(BYTES,), values=tuple(_random(size) for size in BYTES)),
        Kind.ADAM: Grid(axes=(PARAMETERS,), values=tuple(_adam(count) for count in PARAMETERS)),
        Kind.SPARSE_INPUT: _sparse_grid(back=False),
        Kind.SPARSE_WEIGHT: _sparse_grid(back=True),
    }


def measure_touch() -> Grid:
    """Seconds per byte of a new tensor beyond what writing costs in one that is there."""
    return Grid(axes=(FRESH_BYTES,), values=tuple(_touch(size) for size in FRESH_BYTES))


def _touch(size: int) -> float:
    there = torch.empty(size // 4)
    new = seconds_of(lambda: torch.empty(size // 4).zero_())
    return max(new - seconds_of(lambda: there.zero_()), 1e-9) / size


def _stream(size: int) -> float:
    x, y = torch.rand(size // 4), torch.rand(size // 4)
    return seconds_of(lambda: x.mul_(y)) / (3 * size // 4)


def _exponential(size: int) -> float:
    x, out = torch.rand(size // 4), torch.empty(size // 4)
    return seconds_of(lambda: torch.exp(x, out=out)) / (size // 4)


def _random(size: int) -> float:
    x = torch.empty(min(size, 2**22) // 4)
    return seconds_of(lambda: x.bernoulli_(0.5), least=2) / x.numel()


def _adam(count: int) -> float:
    weight = torch.nn.Parameter(torch.rand(count))
    weight.grad = torch.rand(count)
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
