"""A graph whose arrays are in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError
from techniques.remote.source.stored import ArrayHeader

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ArrayGraph:
    """A :class:`StoredGraph` made of arrays in memory; reads hand out the arrays themselves, without a copy."""

    name: str
    arrays: dict[str, Array]
    path: str | None = None

    @property
    def headers(self) -> dict[str, ArrayHeader]:
        return {key: header_of(array) for key, array in self.arrays.items()}

    def read(self, key: str) -> Array:
        if key not in self.arrays:
            raise absent(self.name, key, self.arrays)
        return self.arrays[key]


def header_of(array: Array) -> ArrayHeader:
    """Shape and dtype of an array at hand."""
    return ArrayHeader(tuple(array.shape), dtype_name(array.dtype))


def dtype_name(dtype: np.dtype[Any]) -> str:
    """``float32`` rather than ``<f4``; strings, dates and the other byte order keep the form that ``numpy.dtype`` can parse."""
    return dtype.name if dtype.kind in "biufc" and dtype.isnative else dtype.str


def absent(name: str, key: str, keys: Iterable[str]) -> GraphError:
    """The error for a key that a graph does not have."""
    return GraphError(f"{name} must hold {key!r}, got {', '.join(sorted(keys)) or 'no arrays'}", f"Add {key!r}")
