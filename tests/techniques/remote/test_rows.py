"""Feature rows: the same values whatever holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from techniques.remote import rows as rows_module
from techniques.remote.rows import DenseRows, MappedRows, SparseRows, degree_rows, dense_rows, sparse_rows
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import spill
from techniques.sampling.structure import Structure

matrices = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=st.sampled_from([0.0, 0.0, 1.0, -2.5])
)


def sparse_parts(x: np.ndarray[Any, Any]) -> dict[str, Any]:
    node, column = np.nonzero(x)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=len(x)))])
    return {"x_data": x[node, column], "x_indices": column, "x_indptr": pointer, "x_shape": np.array(x.shape)}


def plain(tensor: torch.Tensor) -> Any:
    return (tensor.to_dense() if tensor.is_sparse_csr else tensor).numpy()


@given(matrices, st.data())
def test_every_store_gives_the_same_rows(x: np.ndarray[Any, Any], data: st.DataObject) -> None:
    ids = np.array(data.draw(st.lists(st.integers(0, len(x) - 1), max_size=8)), dtype=np.int64)
    for stored in (ArrayGraph("g", {"x": x}), ArrayGraph("g", sparse_parts(x))):
        for store in (dense_rows(stored, len(x)), sparse_rows(stored, len(x)), MappedRows(x)):
            assert store.num_features == x.shape[1]
            assert np.array_equal(plain(store.whole()), x)
            assert np.array_equal(plain(store.rows(ids)), x[ids]), "in order, repeats included"
            assert store.rows(ids).dtype is store.whole().dtype is torch.float32


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_do_not_show(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "ROWS_PER_CHUNK", chunk)
    x = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32) * (np.arange(4) % 2)
    for stored in (ArrayGraph("g", {"x": x}), ArrayGraph("g", sparse_parts(x))):
        assert np.array_equal(dense_rows(stored, 10).values, x)
        sparse = sparse_rows(stored, 10)
        assert np.array_equal(plain(sparse.whole()), x)
        assert sparse.data.size == np.count_nonzero(x)


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "bool", "int64"])
def test_other_types_become_float32(dtype: str) -> None:
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    stored = ArrayGraph("g", {"x": x})
    for store in (dense_rows(stored, 3), sparse_rows(stored, 3), MappedRows(x)):
        assert store.whole().dtype is torch.float32
        assert np.array_equal(plain(store.rows(np.array([2, 0]))), [[1, 1], [0, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_mapped_rows_stay_on_disk_and_are_never_written(dtype: Any, tmp_path: Path) -> None:
    """A folder maps its files read-only; torch warns about such arrays, and warnings are errors here."""
    x = np.arange(12, dtype=dtype).reshape(4, 3)
    folder = spill(
        ArrayGraph("g", {"num_nodes": np.array(4), "edge_index": np.zeros((2, 1), int), "x": x}), tmp_path / "g"
    )
    store = MappedRows(folder.read("x"))
    assert isinstance(store.values, np.memmap)
    whole = store.whole()
    assert np.array_equal(whole.numpy(), x)
    whole.add_(1)
    store.rows(np.array([0, 1])).add_(1)
    assert np.array_equal(np.load(tmp_path / "g" / "x.npy"), x), "the file belongs to the user"


def test_dense_rows_are_a_copy_of_the_file(tmp_path: Path) -> None:
    x = np.ones((3, 2), dtype=np.float32)
    folder = spill(
        ArrayGraph("g", {"num_nodes": np.array(3), "edge_index": np.zeros((2, 1), int), "x": x}), tmp_path / "g"
    )
    store = dense_rows(folder, 3)
    assert not isinstance(store.values, np.memmap)
    assert store.values.flags.writeable


def test_sparse_rows_are_narrow() -> None:
    store = SparseRows(np.array([0, 1, 1]), np.array([1], np.int32), np.array([2.0], np.float32), 3)
    assert store.whole().crow_indices().dtype is torch.int32
    assert plain(store.rows(np.array([1, 0, 0]))).tolist() == [[0, 0, 0], [0, 2, 0], [0, 2, 0]]


def test_degrees_stand_in_for_absent_features() -> None:
    structure = Structure.build(np.array([[0, 1, 2], [1, 2, 1]]), 4, False, drop_self_loops=False)
    store = degree_rows(structure)
    assert isinstance(store, DenseRows)
    np.testing.assert_allclose(store.values, [[0, 1], [np.log(3), 1], [np.log(2), 1], [0, 1]], rtol=1e-6)
