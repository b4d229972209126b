"""A stored graph made of arrays in memory, whose feature values nobody may read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from techniques.remote.source.stored import ArrayHeader, StoredGraph


class ArraysInMemory:
    """The smallest StoredGraph."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays = {key: np.asarray(value) for key, value in arrays.items()}
        self.headers = {key: ArrayHeader(array.shape, str(array.dtype)) for key, array in self.arrays.items()}
        self.name = "small"
        self.path: str | None = None

    def read(self, key: str) -> Any:
        assert key not in ("x", "x_data", "x_indices"), "a profile does not read feature values"
        return self.arrays[key]


@pytest.fixture
def make_graph() -> Callable[..., StoredGraph]:
    """``make_graph(num_nodes, [(source, target), ...], **arrays)``."""

    def build(num_nodes: int, edges: Any, **arrays: Any) -> StoredGraph:
        edge_index = np.asarray(edges, dtype=np.int32).reshape(-1, 2).T
        return ArraysInMemory({"num_nodes": np.int64(num_nodes), "edge_index": edge_index, **arrays})

    return build
