"""Feature rows: dense in memory, sparse (CSR) in memory, or left on disk behind a memory map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from techniques.representation.chunks import VALUES_PER_CHUNK, rows_at_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph
    from techniques.sampling.structure import Structure

ROWS_PER_CHUNK = 65_536
LEAST_LENGTH = 1e-12
"""Rows shorter than that are divided by it, as in torch's ``normalize``."""


class RowStore(Protocol):
    """Features of all nodes, read by rows; order and duplicates of ids are kept."""

    @property
    def num_features(self) -> int:
        """Width F."""

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        """[B, F] float32, dense or sparse CSR."""

    def whole(self) -> Tensor:
        """[N, F] float32, dense or sparse CSR."""


@dataclass
class DenseRows:
    """[N, F] float32 in memory."""

    values: NDArray[np.float32]

    @property
    def num_features(self) -> int:
        return int(self.values.shape[1])

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.values).index_select(0, torch.from_numpy(ids))

    def whole(self) -> Tensor:
        return torch.from_numpy(self.values)


@dataclass
class MappedRows:
    """[N, F] of any float type on disk; rows are cast to float32 as they are read."""

    values: NDArray[np.generic]
    unit: bool = False
    """Rows are scaled to length 1 as they are read."""

    def __post_init__(self) -> None:
        self.values = _copy_on_write(self.values)

    @property
    def num_features(self) -> int:
        return int(self.values.shape[1])

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        return self._scaled(torch.from_numpy(self.values[ids].astype(np.float32, copy=False)))

    def whole(self) -> Tensor:
        return self._scaled(torch.from_numpy(np.asarray(self.values, dtype=np.float32)))

    def _scaled(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.normalize(rows) if self.unit else rows


@dataclass
class SparseRows:
    """CSR in memory: ``indptr`` [N + 1] int64, ``indices`` [nnz] int32, ``data`` [nnz] float32."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float32]
    width: int

    @property
    def num_features(self) -> int:
        return self.width

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        from techniques.sampling.kernels import gather_csr_rows

        return self._tensor(*gather_csr_rows(self.indptr, self.indices, self.data, ids))

    def whole(self) -> Tensor:
        return self._tensor(self.indptr, self.indices, self.data)

    def _tensor(self, indptr: NDArray[np.integer], indices: NDArray[np.integer], data: NDArray[np.generic]) -> Tensor:
        parts = (indptr.astype(np.int32, copy=False), indices.astype(np.int32, copy=False), data)
        pointer, index, values = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
        shape = (pointer.numel() - 1, self.width)
        return torch.sparse_csr_tensor(pointer, index, values, size=shape, check_invariants=False)


def _copy_on_write(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same file mapped privately: torch warns about arrays that cannot be written, though nobody writes here."""
    if not isinstance(values, np.memmap) or values.flags.writeable or values.filename is None:
        return values
    return np.memmap(values.filename, values.dtype, "c", values.offset, values.shape)


def dense_rows(stored: StoredGraph, num_nodes: int, unit: bool = False) -> DenseRows:
    """Read features into memory as dense float32, chunk by chunk; ``unit`` scales rows to length 1."""
    if "x" in stored.headers:
        raw = stored.read("x")
        values = np.empty(raw.shape, dtype=np.float32)
        step = rows_at_once(raw.shape[1])
        for start in range(0, num_nodes, step):
            chunk = values[start : start + step]
            chunk[:] = raw[start : start + step]
            if unit:
                chunk /= np.maximum(np.sqrt(np.einsum("ij,ij->i", chunk, chunk)), LEAST_LENGTH)[:, None]
        return DenseRows(values)
    sparse = sparse_rows(stored, num_nodes, unit)
    values = np.zeros((num_nodes, sparse.width), dtype=np.float32)
    step = rows_at_once(sparse.width)
    for start in range(0, num_nodes, step):
        stop = min(start + step, num_nodes)
        first, last = int(sparse.indptr[start]), int(sparse.indptr[stop])
        node = np.repeat(np.arange(start, stop), np.diff(sparse.indptr[start : stop + 1]))
        values[node, sparse.indices[first:last]] = sparse.data[first:last]
    return DenseRows(values)


def sparse_rows(stored: StoredGraph, num_nodes: int, unit: bool = False) -> SparseRows:
    """Read features into memory as CSR, converting dense ones chunk by chunk; ``unit`` scales rows to length 1."""
    found = _sparse_as_given(stored, num_nodes)
    start = 0
    while unit and start < num_nodes:
        stop = int(np.searchsorted(found.indptr, found.indptr[start] + VALUES_PER_CHUNK, side="right")) - 1
        ptr = found.indptr[start : max(stop, start + 1) + 1]
        start = max(stop, start + 1)
        part, lengths = found.data[ptr[0] : ptr[-1]], np.diff(ptr)
        squares = np.bincount(np.repeat(np.arange(lengths.size), lengths), part * part, lengths.size)
        part /= np.repeat(np.maximum(np.sqrt(squares), LEAST_LENGTH).astype(np.float32), lengths)
    return found


def _sparse_as_given(stored: StoredGraph, num_nodes: int) -> SparseRows:
    if "x_data" in stored.headers:
        width = int(np.asarray(stored.read("x_shape"))[1])
        return SparseRows(
            np.array(stored.read("x_indptr"), dtype=np.int64),
            np.array(stored.read("x_indices"), dtype=np.int32),
            np.array(stored.read("x_data"), dtype=np.float32),
            width,
        )
    raw = stored.read("x")
    pieces = []
    indptr = np.zeros(num_nodes + 1, dtype=np.int64)
    step = rows_at_once(raw.shape[1])
    for start in range(0, num_nodes, step):
        block = np.asarray(raw[start : start + step], dtype=np.float32)
        node, column = np.nonzero(block)
        indptr[start + 1 : start + 1 + len(block)] = np.bincount(node, minlength=len(block))
        pieces.append((column.astype(np.int32), block[node, column]))
    np.cumsum(indptr, out=indptr)
    indices = np.concatenate([column for column, _ in pieces])
    data = np.concatenate([value for _, value in pieces])
    return SparseRows(indptr, indices, data, int(raw.shape[1]))


def degree_rows(structure: Structure) -> DenseRows:
    """Stand-in features for a graph that has none: log(1 + degree) and a constant, [N, 2]."""
    log_degree = torch.log1p(structure.degrees())
    return DenseRows(torch.stack([log_degree, torch.ones_like(log_degree)], dim=1).numpy())
