"""Dense products as layers take them: many rows, few columns, forward and back."""

from __future__ import annotations

import torch

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from tuner.calibrate.timing import seconds_of

ROWS = (30, 300, 20_000, 150_000)
WIDTHS = (8, 48, 256)
MOST_PRODUCTS = 6e7
"""Multiply-adds of one product: shapes beyond are measured with fewer rows. Narrow products of many rows are bound by memory,
and their weights' gradients are slow out of proportion."""


def measure_products() -> dict[Kind, Grid]:
    """Seconds per multiply-add; axes rows, inner, columns."""
    shapes = [(rows, inner, columns) for rows in ROWS for inner in WIDTHS for columns in WIDTHS]
    axes = (ROWS, WIDTHS, WIDTHS)
    return {
        Kind.GEMM: Grid(axes=axes, values=tuple(_product(*shape) for shape in shapes)),
        Kind.GEMM_WEIGHT: Grid(axes=axes, values=tuple(_weight_gradient(*shape) for shape in shapes)),
    }


def _fewer(rows: int, inner: int, columns: int) -> int:
    return int(min(rows, MOST_PRODUCTS / (inner * columns)))


def _product(rows: int, inner: int, columns: int) -> float:
    rows = _fewer(rows, inner, columns)
    x, weight, out = torch.ones(rows, inner), torch.ones(columns, inner), torch.empty(rows, columns)
    return seconds_of(lambda: torch.mm(x, weight.t(), out=out)) / (rows * inner * columns)


def _weight_gradient(rows: int, inner: int, columns: int) -> float:
    rows = _fewer(rows, inner, columns)
    x, gradient, out = torch.ones(rows, inner), torch.ones(rows, columns), torch.empty(columns, inner)
    return seconds_of(lambda: torch.mm(gradient.t(), x, out=out)) / (rows * inner * columns)
