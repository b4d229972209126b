"""Counting sorts against numpy's stable argsort, and row gathering against fancy indexing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import build_csc, gather_csr_rows, gather_dense_rows, transpose_csr


def random_edges(seed, num_nodes, num_edges, dtype=np.int64):
    return np.random.default_rng(seed).integers(0, num_nodes, (2, num_edges)).astype(dtype)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 999),
    num_nodes=st.integers(1, 12),
    num_edges=st.integers(0, 60),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_csc_is_the_stable_sort_by_target(seed, num_nodes, num_edges, dtype):
    edges = random_edges(seed, num_nodes, num_edges, dtype)
    colptr, row, perm = build_csc(edges, num_nodes, with_permutation=True)
    order = np.argsort(edges[1], kind="stable")
    assert colptr.dtype == np.int64 and row.dtype == np.int32 and perm.dtype == np.int64
    np.testing.assert_array_equal(perm, order)
    np.testing.assert_array_equal(row, edges[0][order])
    np.testing.assert_array_equal(np.diff(colptr), np.bincount(edges[1], minlength=num_nodes))
    assert colptr[0] == 0 and len(colptr) == num_nodes + 1


def test_csc_without_permutation_and_without_edges():
    colptr, row, perm = build_csc(np.empty((2, 0), np.int64), 3)
    assert colptr.tolist() == [0, 0, 0, 0] and len(row) == 0 and perm is None


def test_csc_reads_memory_maps_and_strided_arrays(tmp_path: Path):
    edges = random_edges(1, 50, 400)
    np.save(tmp_path / "edges.npy", edges)
    mapped = build_csc(np.load(tmp_path / "edges.npy", mmap_mode="r"), 50)
    strided = build_csc(np.ascontiguousarray(edges.T).T, 50)
    for a, b, c in zip(build_csc(edges, 50)[:2], mapped[:2], strided[:2], strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (np.array([[0, 1], [1, 3]]), "0 to 2, got the edge 1 -> 3 at position 1"),
        (np.array([[-1], [0]]), "got the edge -1 -> 0"),
        (np.zeros((3, 2), np.int64), "shape"),
        (np.zeros((2, 2), np.float32), "int32 or int64, got float32"),
    ],
)
def test_csc_refuses_bad_edges(edges, message):
    with pytest.raises(ValueError, match=message):
        build_csc(edges, 3)


@settings(max_examples=40)
@given(seed=st.integers(0, 999), rows=st.integers(0, 8), cols=st.integers(1, 8), dtype=st.sampled_from(["i4", "i8"]))
def test_transpose_of_a_rectangle(seed, rows, cols, dtype):
    dense = np.random.default_rng(seed).integers(0, 3, (rows, cols))
    _, j = np.nonzero(dense)
    ptr = np.concatenate([[0], np.cumsum((dense > 0).sum(1))]).astype(np.int64)
    tptr, tidx = transpose_csr(ptr, j.astype(dtype), cols)
    assert tidx.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(tidx, np.nonzero(dense.T)[1])
    np.testing.assert_array_equal(np.diff(tptr), (dense > 0).sum(0))


def test_transpose_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="0 to 1, got 2 at position 1"):
        transpose_csr(np.array([0, 2]), np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="ptr must start at 0"):
        transpose_csr(np.array([0, 3]), np.array([0, 1]), 2)


def test_sparse_rows(tmp_path: Path):
    dense = np.random.default_rng(0).random((20, 7)).astype(np.float32)
    dense[dense < 0.6] = 0
    indices = np.nonzero(dense)[1].astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(1))])
    np.save(tmp_path / "data.npy", dense[dense > 0])
    rows = np.array([3, 3, 19, 0])
    out_indptr, out_indices, data = gather_csr_rows(
        indptr, indices, np.load(tmp_path / "data.npy", mmap_mode="r"), rows
    )
    again = np.zeros((4, 7), np.float32)
    again[np.repeat(np.arange(4), np.diff(out_indptr)), out_indices] = data
    np.testing.assert_array_equal(again, dense[rows])
    with pytest.raises(ValueError, match=r"0\.\.19, got 20"):
        gather_csr_rows(indptr, indices, dense[dense > 0], np.array([20]))


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_dense_rows(tmp_path: Path, dtype):
    x = np.random.default_rng(0).integers(-5, 5, (30, 4)).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    rows = np.array([29, 0, 0, 7])
    for source in (x, np.load(tmp_path / "x.npy", mmap_mode="r"), np.asfortranarray(x)):
        np.testing.assert_array_equal(gather_dense_rows(source, rows, np.empty((4, 4), dtype)), x[rows])
    with pytest.raises(ValueError, match=r"0\.\.29, got -1"):
        gather_dense_rows(x, np.array([-1]), np.empty((1, 4), dtype))
    with pytest.raises(ValueError, match="out must be contiguous"):
        gather_dense_rows(x, rows, np.empty((4, 4), np.float64))


def test_every_float16_widens_exactly():
    x = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 16)
    out = gather_dense_rows(x, np.arange(len(x)), np.empty(x.shape, np.float32))
    np.testing.assert_array_equal(out, x.astype(np.float32))
    finite = np.isfinite(x)
    np.testing.assert_array_equal(np.signbit(out[finite]), np.signbit(x[finite]))
