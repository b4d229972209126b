"""Induced subgraphs against plain Python."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import Subgraph, SubgraphKernel, build_csc
from techniques.sampling.kernels import subgraph as kernel_module


def random_graph(seed, num_nodes, num_edges, dtype=np.int32):
    """A few nodes, many edges: self-loops and parallel edges abound; the last node has no edge."""
    edges = np.random.default_rng(seed).integers(0, max(1, num_nodes - 1), (2, num_edges))
    colptr, row, _ = build_csc(edges, num_nodes)
    return colptr, row.astype(dtype)


def check(colptr, row, nodes, found: Subgraph):
    ptr, source, edge = [0], [], []
    for v in nodes:
        kept = [e for e in range(colptr[v], colptr[v + 1]) if row[e] in nodes]
        source += [nodes.index(row[e]) for e in kept]
        edge += kept
        ptr.append(len(edge))
    assert found.node.tolist() == nodes and found.ptr.tolist() == ptr
    assert found.col_source.tolist() == source and found.edge.tolist() == edge
    assert found.col_target().tolist() == np.repeat(np.arange(len(nodes)), np.diff(ptr)).tolist()


def same(a: Subgraph, b: Subgraph) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("node", "ptr", "col_source", "edge"))


@settings(max_examples=150)
@given(
    seed=st.integers(0, 9999),
    num_nodes=st.integers(1, 40),
    num_edges=st.integers(0, 400),
    dtype=st.sampled_from([np.int32, np.int64]),
    data=st.data(),
)
def test_every_edge_between_the_nodes_and_no_other(seed, num_nodes, num_edges, dtype, data):
    colptr, row = random_graph(seed, num_nodes, num_edges, dtype)
    kernel = SubgraphKernel(colptr, row, num_nodes)
    for _ in range(3):  # the same scratch, again and again
        nodes = data.draw(st.lists(st.integers(0, num_nodes - 1), unique=True))
        check(colptr, row, nodes, kernel.induced(np.array(nodes, dtype), with_edge=True))


@pytest.mark.parametrize("num_kept", [3, 300, 2900])
def test_a_graph_of_many_blocks(num_kept):
    colptr, row = random_graph(0, 3000, 150_000)
    nodes = np.random.default_rng(1).permutation(3000)[:num_kept]
    found = SubgraphKernel(colptr, row, 3000).induced(nodes, with_edge=True)
    local = np.full(3000, -1)
    local[nodes] = np.arange(num_kept)
    edge = np.concatenate([np.arange(colptr[v], colptr[v + 1]) for v in nodes])
    edge = edge[local[row[edge]] >= 0]
    np.testing.assert_array_equal(found.edge, edge)
    np.testing.assert_array_equal(found.col_source, local[row[edge]])
    np.testing.assert_array_equal(found.col_target(), local[np.repeat(np.arange(3000), np.diff(colptr))[edge]])


def test_nodes_that_share_a_bit_of_the_filter():
    """Ids a power of two apart pass the filter for each other; scratch is clean afterwards."""
    num_nodes, step = 2**18, 2**15
    edges = np.stack([np.arange(0, num_nodes, step // 2), np.full(16, 3)])
    colptr, row, _ = build_csc(edges, num_nodes)
    kernel = SubgraphKernel(colptr, row, num_nodes)
    for nodes in ([3, 0], [step, 3, 5 * step], [3, 7], [3 + step, 3]):
        check(colptr, row, nodes, kernel.induced(np.array(nodes), with_edge=True))
        assert not kernel._local.scratch.all_bits.any()


def test_self_loops_and_parallel_edges_are_kept():
    colptr, row, _ = build_csc(np.array([[0, 0, 1, 1, 2, 3], [0, 0, 0, 0, 1, 0]]), 4)
    found = SubgraphKernel(colptr, row, 4).induced(np.array([1, 0]))
    assert found.ptr.tolist() == [0, 0, 4] and found.col_source.tolist() == [1, 1, 0, 0] and found.edge is None


def test_no_nodes_and_a_hub_that_is_alone():
    colptr, row, _ = build_csc(np.stack([np.arange(1, 5000), np.zeros(4999, np.int64)]), 5000)
    kernel = SubgraphKernel(colptr, row, 5000)
    empty = kernel.induced(np.empty(0, np.int64), with_edge=True)
    assert empty.node.tolist() == [] and empty.ptr.tolist() == [0] and empty.edge.tolist() == []
    assert kernel.induced(np.array([0])).ptr.tolist() == [0, 0]
    assert kernel.induced(np.array([4998, 0, 17]), with_edge=True).edge.tolist() == [16, 4997]


def test_equal_subgraphs_on_any_thread():
    colptr, row = random_graph(2, 500, 20_000)
    kernel = SubgraphKernel(colptr, row, 500)
    sets = [np.random.default_rng(i).permutation(500)[: 10 * i] for i in range(20)]
    one = [kernel.induced(nodes, with_edge=True) for nodes in sets]
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda nodes: kernel.induced(nodes, with_edge=True), sets))
    assert all(same(a, b) for a, b in zip(one, many, strict=True))
    assert same(one[7], pickle.loads(pickle.dumps(kernel)).induced(sets[7], with_edge=True))


def test_memory_maps_and_dtypes_change_nothing(tmp_path: Path):
    colptr, row = random_graph(3, 60, 900)
    for name, array in (("colptr", colptr), ("row", row)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("colptr", "row")]
    expected = SubgraphKernel(colptr, row, 60).induced(np.arange(9, 40), with_edge=True)
    for graph in ((colptr, row), mapped, (colptr, row.astype(np.int64))):
        for dtype in (np.int32, np.int64):
            found = SubgraphKernel(*graph, 60).induced(np.arange(9, 40), with_edge=True, local_dtype=dtype)
            assert same(found, expected) and found.col_source.dtype == dtype


def test_scratch_is_cleared_before_its_numbers_run_out(monkeypatch):
    colptr, row = random_graph(5, 40, 300)
    kernel = SubgraphKernel(colptr, row, 40)
    sets = [np.random.default_rng(i).permutation(40)[:15] for i in range(30)]
    expected = [kernel.induced(nodes, with_edge=True) for nodes in sets]
    monkeypatch.setattr(kernel_module, "INT32_LIMIT", 200)
    assert all(same(kernel.induced(nodes, with_edge=True), want) for nodes, want in zip(sets, expected, strict=True))
    assert kernel.scratch_bytes >= 4 * 40


def test_bad_arguments_are_named_and_leave_no_trace():
    colptr, row = random_graph(6, 10, 60)
    kernel = SubgraphKernel(colptr, row, 10)
    expected = kernel.induced(np.array([3, 5]), with_edge=True)
    with pytest.raises(ValueError, match=r"distinct, got 7 again at position 2"):
        kernel.induced(np.array([7, 1, 7]))
    with pytest.raises(ValueError, match=r"0\.\.9, got 3\.\.10"):
        kernel.induced(np.array([3, 10]))
    with pytest.raises(ValueError, match=r"0\.\.9, got -1\.\.3"):
        kernel.induced(np.array([3, -1]))
    with pytest.raises(ValueError, match="local_dtype"):
        kernel.induced(np.array([3]), local_dtype=np.int16)
    assert same(kernel.induced(np.array([3, 5]), with_edge=True), expected)
    with pytest.raises(ValueError, match="colptr must rise from 0 to the 59"):
        SubgraphKernel(colptr, row[:-1], 10)
    with pytest.raises(ValueError, match="colptr must rise from 0 to the 2"):
        SubgraphKernel(np.array([0, 3, 2]), row[:2], 2)
    with pytest.raises(ValueError, match=r"colptr must be int64 \[12\]"):
        SubgraphKernel(colptr, row, 11)
    with pytest.raises(ValueError, match="row must be int32 or int64"):
        SubgraphKernel(colptr, row.astype(np.float32), 10)
    with pytest.raises(ValueError, match="num_nodes"):
        SubgraphKernel(colptr, row, -1)
