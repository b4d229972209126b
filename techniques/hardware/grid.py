"""Measured values on a grid, and what lies between: multilinear in the logarithms of axes and values."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import product

from techniques.record import Record


class Grid(Record):
    """``values`` in row-major order over ``axes``, all positive, axes ascending. Outside the grid its edge counts."""

    axes: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]

    def at(self, *point: float) -> float:
        """The value at a point, one coordinate per axis."""
        places = [_place(axis, where) for axis, where in zip(self.axes, point, strict=True)]
        total = 0.0
        for corner in product((0, 1), repeat=len(places)):
            weight, index = 1.0, 0
            for (low, share), side, axis in zip(places, corner, self.axes, strict=True):
                weight *= share if side else 1.0 - share
                index = index * len(axis) + min(low + side, len(axis) - 1)
            if weight:
                total += weight * math.log(self.values[index])
        return math.exp(total)


def _place(axis: tuple[float, ...], where: float) -> tuple[int, float]:
    """The point of the axis below, and how far on the way to the next."""
    if where <= axis[0]:
        return 0, 0.0
    if where >= axis[-1]:
        return len(axis) - 1, 0.0
    low = bisect_right(axis, where) - 1
    return low, math.log(where / axis[low]) / math.log(axis[low + 1] / axis[low])
