"""Every way in which a readable graph can make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from techniques.errors import GraphError
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.validate import check_features, check_headers, check_structure


def check(arrays: dict[str, Any], chunk: int = 4) -> None:
    stored = ArrayGraph("ring", arrays)
    check_headers(stored)
    check_structure(stored, chunk)
    check_features(stored, chunk)


def test_valid_graphs_pass(arrays: dict[str, Any]) -> None:
    check(arrays)
    check(arrays | {"y": np.eye(6, dtype=np.uint8)})
    check(arrays | {"edge_index": arrays["edge_index"][:, :1], "edge_weight": np.ones(1, dtype=np.float32)})
    check({key: arrays[key] for key in ("num_nodes", "edge_index")})
    graphs = arrays | {"graph_ptr": np.array([0, 0, 6, 6]), "y": np.array([0, 1, 0])}
    check({key: graphs[key] for key in ("num_nodes", "edge_index", "y", "graph_ptr")})


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"edge_index": None}, "edge_index must be stored"),
        ({"edge_index": np.zeros((3, 10), dtype=np.int64)}, r"two rows, got shape \(3, 10\)"),
        ({"edge_index": np.zeros(10, dtype=np.int64)}, "two rows"),
        ({"edge_index": np.zeros((2, 5))}, "integers, got float64"),
        ({"edge_index": np.zeros((2, 5), dtype=np.uint32)}, "must be int32 or int64, got uint32"),
        ({"edge_index": np.zeros((2, 5), dtype=">i4")}, "this machine's byte order, got >i4"),
        ({"x": np.ones((6, 3), dtype=">f4")}, "x must be in this machine's byte order"),
        ({"x": np.full((6, 3), 1e300)}, r"finite numbers \(in float32\), got 18"),
        ({"edge_index": np.zeros((2, 0), dtype=np.int64)}, "at least one edge, got 0"),
        ({"edge_index": np.array([[0, 1, 2, 3, 0], [1, 2, 3, 4, 6]])}, "below 6, got 6"),
        (
            {"edge_index": np.array([[0, 1, 2, -1, 0], [1, 2, 3, 4, 5]])},
            r"no negative ids, got -1 at edge_index\[0, 3\]",
        ),
        ({"num_nodes": None}, "num_nodes must be stored"),
        ({"num_nodes": np.array(0)}, "at least 1, got 0"),
        ({"num_nodes": np.array([6, 6])}, "integer scalar"),
        ({"num_nodes": np.array(6.0)}, "integer scalar"),
        ({"x": np.zeros((5, 3), dtype=np.float32)}, r"\(6, F\), got \(5, 3\)"),
        ({"x": np.zeros((6, 0), dtype=np.float32)}, "a column"),
        ({"x": np.full((6, 3), "a")}, "real numbers"),
        ({"y": np.zeros(5, dtype=np.int64)}, "y must have length 6"),
        ({"y": np.full(6, "a")}, "integers, got <U1"),
        ({"y": np.zeros(6)}, "got only class 0"),
        ({"y": np.linspace(0, 1, 6)}, r"class ids \[N\] or rows of 0 and 1 \[N, L\], got 0.2"),
        ({"y": np.linspace(-1, 1, 12).reshape(6, 2)}, "or rows of 0 and 1"),
        ({"y": np.where(np.eye(6, 2), np.nan, 1.0)}, "must hold 0 and 1, got NaN near row 0"),
        ({"y": np.zeros((6, 1), dtype=np.int64)}, "L of 2 or more"),
        ({"y": np.array([1, 1, 1, 1, -1, -1])}, "got only class 1"),
        ({"y": np.full(6, -1)}, "no labelled entry"),
        ({"y": np.zeros((6, 3), dtype=np.uint8)}, "only zeros"),
        ({"y": np.full((6, 3), 2, dtype=np.uint8)}, "0 and 1, got 2"),
        ({"train_mask": np.zeros(6, dtype=bool)}, "at least one node"),
        ({"train_mask": np.arange(6) == 5}, "labelled node"),
        ({"train_mask": np.zeros(4, dtype=bool)}, "length 6"),
        ({"train_mask": np.zeros(6)}, "boolean, got float64"),
        ({"train_mask": None, "test_mask": np.arange(6) > 3}, "test_mask must come with train_mask, got none"),
        ({"edge_weight": np.ones(3)}, "length 12"),
        ({"graph_ptr": np.array([0, 4, 2, 6])}, "never fall, got a fall at 1"),
        ({"graph_ptr": np.array([0, 4])}, "from 0 to 6, got 0 to 4"),
        ({"graph_ptr": np.empty(0, dtype=np.int64)}, "one row of integers"),
        ({"node_type": np.full(6, 2), "type_names": np.array(["a", "b"])}, "node_type must hold ids below 2"),
        ({"x_data": np.ones(2)}, "x alone or all of"),
    ],
)
def test_wrong_graphs_are_refused(arrays: dict[str, Any], change: dict[str, Any], problem: str, chunk: int) -> None:
    wrong = {key: array for key, array in (arrays | change).items() if array is not None}
    with pytest.raises(GraphError, match=problem):
        check(wrong, chunk)


@pytest.mark.parametrize("chunk", [1, 1000])
@pytest.mark.parametrize("y", [np.eye(6, 3, dtype=np.float32), np.array([0, 1, np.nan, 2, 0, 1.0])])
def test_labels_may_be_stored_as_floats(arrays: dict[str, Any], y: Any, chunk: int) -> None:
    """As PyG's multi-label sets do; NaN stands for no label, as in ogbn-papers100M."""
    check(arrays | {"y": y}, chunk)


@pytest.fixture
def sparse(arrays: dict[str, Any]) -> dict[str, Any]:
    parts = {
        "x_data": np.ones(4, dtype=np.float32),
        "x_indices": np.array([0, 8, 2, 3], dtype=np.int32),
        "x_indptr": np.array([0, 2, 2, 3, 3, 3, 4]),
        "x_shape": np.array([6, 9]),
    }
    return {key: array for key, array in arrays.items() if key != "x"} | parts


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"x_shape": np.array([5, 9])}, r"x_shape must be \(6, F\)"),
        ({"x_shape": np.array([6])}, "x_shape must have length 2"),
        ({"x_indptr": np.array([0, 2, 4])}, "x_indptr must have length 7"),
        ({"x_indptr": np.array([0, 2, 2, 3, 3, 3, 3])}, "from 0 to 4, got 0 to 3"),
        ({"x_indptr": np.array([0, 2, 1, 3, 3, 3, 4])}, "never fall"),
        ({"x_indices": np.array([0, 9, 2, 3])}, "below 9, got 9"),
        ({"x_indices": np.array([0, 8, 2])}, "x_indices must have length 4"),
        ({"x_data": np.array([1, 1, np.nan, np.inf])}, "2 NaN or infinite values, the first in row 2"),
    ],
)
def test_wrong_sparse_features(sparse: dict[str, Any], change: dict[str, Any], problem: str) -> None:
    check(sparse)
    with pytest.raises(GraphError, match=problem):
        check(sparse | change)


@pytest.mark.parametrize("chunk", [1, 6, 1000])
def test_nan_features_name_the_first_row(arrays: dict[str, Any], chunk: int) -> None:
    arrays["x"][4, 1] = np.nan
    arrays["x"][5] = np.inf
    with pytest.raises(GraphError, match="4 NaN or infinite values, the first in row 4"):
        check(arrays, chunk)


def test_two_wide_rows() -> None:
    x = np.zeros((2, 50), dtype=np.float32)
    x[1, 7] = np.nan
    with pytest.raises(GraphError, match="1 NaN or infinite values, the first in row 1"):
        check({"num_nodes": np.array(2), "edge_index": np.array([[0], [1]]), "x": x})


def test_object_arrays_are_refused(arrays: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        check(arrays | {"y": np.array([None] * 6)})
