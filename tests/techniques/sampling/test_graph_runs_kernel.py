"""Gathering graphs out of a set: equal to cutting them one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import GraphSetKernel, build_csc


def make_set(sizes: list[int], seed: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    pointer = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    graph = np.repeat(np.arange(len(sizes)), np.array(sizes) * 2)
    edges = pointer[graph] + rng.integers(0, np.maximum(np.array(sizes)[graph], 1), (2, graph.size))
    colptr, row, _ = build_csc(edges.astype(np.int32), int(pointer[-1]))
    return pointer, colptr, row, edges


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    picks=st.lists(st.integers(0, 11), max_size=15),
    seed=st.integers(0, 99),
)
def test_is_what_one_graph_after_the_other_gives(sizes: list[int], picks: list[int], seed: int) -> None:
    pointer, colptr, row, _ = make_set(sizes, seed)
    chosen = np.array([pick % len(sizes) for pick in picks], np.int64)
    found = GraphSetKernel(colptr, row, pointer).gather(chosen, with_edge=True)
    nodes, edges, at = [], [], 0
    for g in chosen:
        first, last = pointer[g], pointer[g + 1]
        nodes += list(range(first, last))
        for node in range(first, last):
            edges += [(int(source) - first + at, node - first + at) for source in row[colptr[node] : colptr[node + 1]]]
        at += last - first
    assert found.node.tolist() == nodes
    assert list(zip(found.col_source.tolist(), found.col_target().tolist(), strict=True)) == edges
    assert np.array_equal(np.diff(found.graph_ptr), np.diff(pointer)[chosen])
    assert found.edge is not None
    assert np.array_equal(row[found.edge], found.node[found.col_source])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_takes_any_integers_and_read_only_arrays(dtype: Any) -> None:
    pointer, colptr, row, _ = make_set([3, 0, 4], 0)
    row = row.astype(dtype)
    for array in (row, colptr):
        array.flags.writeable = False
    found = GraphSetKernel(colptr, row, pointer.astype(dtype)).gather(np.array([2, 1]), local_dtype=dtype)
    assert found.col_source.dtype == dtype and found.node.tolist() == [3, 4, 5, 6] and found.edge is None


def test_wrong_input_is_refused() -> None:
    pointer, colptr, row, _ = make_set([3, 2], 0)
    kernel = GraphSetKernel(colptr, row, pointer)
    with pytest.raises(ValueError, match=r"must lie in 0\.\.1, got 0\.\.2"):
        kernel.gather(np.array([0, 2]))
    with pytest.raises(ValueError, match="local_dtype"):
        kernel.gather(np.array([0]), local_dtype=np.float32)
    for wrong in ([1, 3, 5], [0, 4, 3, 5], []):
        with pytest.raises(ValueError, match="graph_ptr must rise"):
            GraphSetKernel(colptr, row, np.array(wrong))
