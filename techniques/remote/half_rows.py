"""Feature rows as float16 in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from techniques.errors import GraphError
from techniques.representation.chunks import rows_at_once

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from techniques.remote.source.stored import StoredGraph


@dataclass
class HalfRows:
    """[N, F] float16 in memory; rows are cast to float32 as they are read."""

    values: NDArray[np.float16]

    @property
    def num_features(self) -> int:
        return int(self.values.shape[1])

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        """[B, F] float32."""
        import torch

        return torch.from_numpy(self.values).index_select(0, torch.from_numpy(ids)).float()

    def whole(self) -> Tensor:
        """[N, F] float16: inference casts it chunk by chunk."""
        import torch

        return torch.from_numpy(self.values)


def half_rows(stored: StoredGraph, num_nodes: int) -> HalfRows:
    """Read dense features into memory as float16, chunk by chunk.

    Raises:
        GraphError: a value does not survive, see :func:`survives`.
    """
    raw = stored.read("x")
    values = np.empty(raw.shape, dtype=np.float16)
    step = rows_at_once(raw.shape[1])
    for start in range(0, num_nodes, step):
        chunk = np.asarray(raw[start : start + step])
        if not survives(chunk):
            raise GraphError(
                f"float16 features must be 0 or between 3e-8 and 65,520, rows {start:,} to {start + len(chunk) - 1:,} "
                "are not all",
                "Use --fix representation.features=dense",
            )
        values[start : start + step] = chunk
    return HalfRows(values)


def survives(chunk: NDArray[np.generic]) -> bool:
    """Whether rounding to float16 turns no finite value to infinity and none but 0 to 0."""
    if chunk.dtype == np.float16:
        return True
    with np.errstate(over="ignore", under="ignore"):
        rounded = chunk.astype(np.float16)
    return not bool(np.any(np.isinf(rounded) & np.isfinite(chunk)) or np.any((rounded == 0) & (chunk != 0)))


def features_fit_half(stored: StoredGraph) -> bool | None:
    """Whether every dense feature value survives; ``None`` where there are none."""
    if "x" not in stored.headers or stored.headers["x"].shape[1:] == (0,):
        return None
    raw = stored.read("x")
    step = rows_at_once(raw.shape[1])
    return all(survives(np.asarray(raw[at : at + step])) for at in range(0, raw.shape[0], step))
