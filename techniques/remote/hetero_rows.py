"""Features of one node type of a flat graph: how many columns it has, and its rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from techniques.remote.rows import ROWS_PER_CHUNK, DenseRows, RowStore, SparseRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.remote.hetero_types import NodeTypes
    from techniques.remote.source.stored import StoredGraph


def columns_and_nonzeros(stored: StoredGraph, nodes: NodeTypes, number: int) -> tuple[int, int]:
    """Feature columns of a type and how many of its values are stored; (0, 0) where all its rows are zero.

    ``type_columns`` [types] says the columns where types differ in them; without it dense rows are looked at.
    """
    count = nodes.counts[number]
    stated: Any = stored.read("type_columns") if "type_columns" in stored.headers else None
    if "x_data" in stored.headers:
        pointer: Any = stored.read("x_indptr")
        members = nodes.members(number)
        nonzeros = int((np.asarray(pointer[members + 1], np.int64) - pointer[members]).sum())
        width = int(np.asarray(stored.read("x_shape"))[1])
        columns = int(stated[number]) if stated is not None else width
        return (columns, nonzeros) if nonzeros or stated is not None else (0, 0)
    if "x" not in stored.headers:
        return 0, 0
    if stated is not None:
        return int(stated[number]), count * int(stated[number])
    raw: Any = stored.read("x")
    width = int(raw.shape[1]) if raw.ndim > 1 else 1
    members = nodes.members(number)
    for start in range(0, members.size, ROWS_PER_CHUNK):
        if np.any(raw[members[start : start + ROWS_PER_CHUNK]]):
            return width, count * width
    return 0, 0


def rows_of_type(stored: StoredGraph, nodes: NodeTypes, number: int, columns: int, sparse: bool) -> RowStore:
    """The rows of one type, [N_t, columns] float32, dense or CSR in memory, converted chunk by chunk."""
    members = nodes.members(number)
    if "x_data" in stored.headers:
        csr = _sparse_members(stored, members, columns)
        return csr if sparse else DenseRows(_dense(csr))
    raw: Any = stored.read("x")
    values = np.empty((members.size, columns), np.float32)
    for start in range(0, members.size, ROWS_PER_CHUNK):
        part = slice(start, start + ROWS_PER_CHUNK)
        values[part] = raw[members[part]].reshape(-1, raw.shape[1] if raw.ndim > 1 else 1)[:, :columns]
    return _sparse(values) if sparse else DenseRows(values)


def _sparse_members(stored: StoredGraph, members: NDArray[np.int64], columns: int) -> SparseRows:
    from techniques.sampling.kernels import gather_csr_rows

    indptr: Any
    indices: Any
    data: Any
    indptr, indices, data = (np.asarray(stored.read(f"x_{part}")) for part in ("indptr", "indices", "data"))
    indptr, indices = indptr.astype(np.int64), indices.astype(np.int32)
    pointer, index, values = gather_csr_rows(indptr, indices, data.astype(np.float32), members)
    return SparseRows(pointer.astype(np.int64), index.astype(np.int32), values.astype(np.float32), columns)


def _dense(csr: SparseRows) -> NDArray[np.float32]:
    values = np.zeros((csr.indptr.size - 1, csr.width), np.float32)
    node = np.repeat(np.arange(csr.indptr.size - 1), np.diff(csr.indptr))
    values[node, csr.indices] = csr.data
    return values


def _sparse(values: NDArray[np.float32]) -> SparseRows:
    node, column = np.nonzero(values)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=len(values)))]).astype(np.int64)
    return SparseRows(indptr, column.astype(np.int32), values[node, column], values.shape[1])
