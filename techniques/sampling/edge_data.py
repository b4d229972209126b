"""Edge weights and attributes beside the structure, and their share in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

GATHERED_AT_ONCE = 1 << 20
"""Edges converted at a time: files may hold another dtype, and are memory-mapped."""


@dataclass(frozen=True)
class EdgeData:
    """What is stored beside each edge.

    Shapes: ``weight`` [m]; ``attr`` [m, D]; float32 once gathered. ``symmetric`` says that both directions of every edge
    weigh the same.
    """

    weight: NDArray[Any] | None = None
    attr: NDArray[Any] | None = None
    symmetric: bool = False

    @property
    def given(self) -> bool:
        return self.weight is not None or self.attr is not None

    def at(self, position: NDArray[np.int64] | None) -> EdgeData:
        """Weights and attributes of the edges at these positions, float32, in their order."""
        if not self.given:
            return NO_EDGE_DATA
        assert position is not None, "edges with data are drawn with their positions"
        return EdgeData(_gathered(self.weight, position), _gathered(self.attr, position), self.symmetric)

    def run(self, first: int, last: int) -> EdgeData:
        """Those of edges ``first`` to ``last - 1``, without a copy."""
        weight, attr = (None if one is None else one[first:last] for one in (self.weight, self.attr))
        return EdgeData(weight, attr, self.symmetric)

    def times(self, factor: NDArray[np.float32]) -> EdgeData:
        """Weights multiplied with ``factor`` [m], or made of it; a factor differs between the directions of an edge."""
        return EdgeData(factor if self.weight is None else factor * self.weight, self.attr)


NO_EDGE_DATA = EdgeData()


def stored_edge_data(
    stored: StoredGraph, weights: bool, attributes: bool, symmetric: bool, kept: NDArray[np.bool_] | None
) -> EdgeData:
    """Weights and attributes as a graph stores them, of the entries ``kept`` [E] (all by default)."""

    def read(key: str, shape: tuple[int, ...]) -> NDArray[Any]:
        array: Any = stored.read(key)
        return array.reshape(shape) if kept is None else array[kept].reshape(shape)  # type: ignore[no-any-return]

    entries = stored.headers["edge_index"].shape[1] if kept is None else int(np.count_nonzero(kept))
    weight = read("edge_weight", (entries,)) if weights else None
    return EdgeData(weight, read("edge_attr", (entries, -1)) if attributes else None, symmetric)


def weight_sums(ptr: NDArray[np.integer[Any]], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of the weights of every row of a compressed matrix, [T]; 0 for empty rows.

    Row by row in float64: differences of one running sum would lose small weights behind large ones.
    """
    sums = np.zeros(ptr.size - 1, np.float32)
    filled = ptr[1:] > ptr[:-1]
    if filled.any():
        sums[filled] = np.add.reduceat(weight, ptr[:-1][filled], dtype=np.float64)
    return sums


def _gathered(array: NDArray[Any] | None, position: NDArray[np.int64]) -> NDArray[np.float32] | None:
    if array is None:
        return None
    out = np.empty((position.size, *array.shape[1:]), np.float32)
    for start in range(0, position.size, GATHERED_AT_ONCE):
        part = slice(start, start + GATHERED_AT_ONCE)
        out[part] = array[position[part]]
    return out
