"""The sampling kernel against a naive walk in plain Python, and against the uniform distribution."""

from __future__ import annotations

import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import NeighborKernel, SampledHops, build_csc
from techniques.sampling.kernels import neighbor as kernel_module


def random_graph(seed, num_nodes, num_edges, dtype=np.int32):
    """A few nodes, many edges: self-loops and parallel edges abound; the last node has no in-edge."""
    rng = np.random.default_rng(seed)
    edges = np.stack([rng.integers(0, num_nodes, num_edges), rng.integers(0, max(1, num_nodes - 1), num_edges)])
    colptr, row, _ = build_csc(edges, num_nodes)
    return colptr, row.astype(dtype)


def check_against_a_walk(colptr, row, seeds, fanouts, hops: SampledHops):
    """Replay the sample hop by hop: every target in order, its edges real, distinct, and as many as they must be."""
    node, found = list(seeds), set(seeds)
    first = edge = 0
    for hop, fanout in enumerate(fanouts):
        stop, edges_before = len(node), edge
        for target in range(first, stop):
            begin, end = colptr[node[target]], colptr[node[target] + 1]
            wanted = end - begin if fanout < 0 else min(fanout, end - begin)
            assert hops.ptr[target + 1] - hops.ptr[target] == wanted
            chosen = hops.edge[hops.ptr[target] : hops.ptr[target + 1]]
            assert len(set(chosen)) == wanted and all(begin <= position < end for position in chosen)
            for position in chosen:
                if row[position] not in found:
                    found.add(row[position])
                    node.append(row[position])
                assert hops.node[hops.col_source[edge]] == row[position]
                edge += 1
        first = stop
        assert hops.num_sampled_nodes[hop + 1] == len(node) - stop
        assert hops.num_sampled_edges[hop] == edge - edges_before
    assert hops.node.tolist() == node
    assert len(hops.ptr) == first + 1 and hops.ptr[0] == 0 and hops.ptr[-1] == edge == len(hops.col_source)
    assert hops.num_sampled_nodes[0] == len(seeds)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 9999),
    num_nodes=st.integers(1, 40),
    num_edges=st.integers(0, 400),
    fanouts=st.lists(st.integers(-1, 12), max_size=4),
    dtype=st.sampled_from([np.int32, np.int64]),
    data=st.data(),
)
def test_a_sample_is_a_walk(seed, num_nodes, num_edges, fanouts, dtype, data):
    colptr, row = random_graph(seed, num_nodes, num_edges, dtype)
    seeds = data.draw(st.lists(st.integers(0, num_nodes - 1), unique=True))
    kernel = NeighborKernel(colptr, row, num_nodes)
    for number in range(3):  # the same scratch, again and again
        hops = kernel.sample(np.array(seeds, np.int64), fanouts, number, with_edge=True)
        check_against_a_walk(colptr, row, seeds, fanouts, hops)


def test_a_sample_that_spans_many_blocks():
    colptr, row = random_graph(0, 3000, 200_000)
    seeds = np.random.default_rng(0).permutation(3000)[:400]
    for fanouts in ([7, 3], [-1], [2000], [80, 2]):
        hops = NeighborKernel(colptr, row, 3000).sample(seeds, fanouts, 5, with_edge=True)
        check_against_a_walk(colptr, row, seeds.tolist(), fanouts, hops)


def test_targets_of_the_edges():
    colptr, row = random_graph(1, 20, 100)
    hops = NeighborKernel(colptr, row, 20).sample(np.array([4, 2]), [3, 2], 0)
    np.testing.assert_array_equal(hops.col_target(), np.repeat(np.arange(len(hops.ptr) - 1), np.diff(hops.ptr)))
    assert hops.edge is None


@pytest.mark.parametrize("degree", [10, 100])
@pytest.mark.parametrize("fanout", [1, 3, 9])
def test_every_set_of_neighbours_is_as_likely(degree, fanout):
    """Chi-square on a star: single edges for any degree, whole sets where there are few enough."""
    edges = np.stack([np.arange(1, degree + 1), np.zeros(degree, np.int64)])
    colptr, row, _ = build_csc(edges, degree + 1)
    kernel = NeighborKernel(colptr, row, degree + 1)
    draws = 4000
    sets = Counter()
    for seed in range(draws):
        sets[tuple(sorted(kernel.sample(np.array([0]), [fanout], seed, with_edge=True).edge))] += 1
    counts = np.zeros(degree)
    for chosen, count in sets.items():
        counts[list(chosen)] += count
    expected = draws * fanout / degree
    # Drawn without replacement, the counts vary less than independent ones by (degree - fanout) / (degree - 1).
    chi_square = ((counts - expected) ** 2 / expected).sum() * (degree - 1) / (degree - fanout)
    assert abs(chi_square - (degree - 1)) < 4 * np.sqrt(2 * (degree - 1))
    if comb(degree, fanout) <= 120:
        cells = comb(degree, fanout)
        expected = draws / cells
        chi_square = sum((count - expected) ** 2 / expected for count in sets.values())
        assert len(sets) == cells and abs(chi_square - (cells - 1)) < 4 * np.sqrt(2 * (cells - 1))


def same(a: SampledHops, b: SampledHops) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("node", "ptr", "col_source", "edge"))


def test_equal_seeds_give_equal_samples_on_any_thread():
    colptr, row = random_graph(2, 500, 20_000)
    seeds = np.arange(50)
    kernel = NeighborKernel(colptr, row, 500)
    one = [kernel.sample(seeds, [5, 5], i, with_edge=True) for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda i: kernel.sample(seeds, [5, 5], i, with_edge=True), range(20)))
    assert all(same(a, b) for a, b in zip(one, many, strict=True))
    assert not same(one[0], one[1])
    assert same(one[3], pickle.loads(pickle.dumps(kernel)).sample(seeds, [5, 5], 3, with_edge=True))


def test_memory_maps_and_local_dtypes_change_nothing(tmp_path: Path):
    colptr, row = random_graph(3, 60, 900)
    for name, array in (("colptr", colptr), ("row", row)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("colptr", "row")]
    expected = NeighborKernel(colptr, row, 60).sample(np.arange(9), [4, 3], 1, with_edge=True)
    for graph in ((colptr, row), mapped, (colptr, row.astype(np.int64))):
        for dtype in (np.int32, np.int64):
            hops = NeighborKernel(*graph, 60).sample(np.arange(9), [4, 3], 1, with_edge=True, local_dtype=dtype)
            assert same(hops, expected) and hops.col_source.dtype == dtype


def test_no_seeds_and_isolated_seeds():
    colptr, row = random_graph(4, 10, 30)
    kernel = NeighborKernel(colptr, row, 10)
    empty = kernel.sample(np.empty(0, np.int64), [3, 2], 0)
    assert empty.num_sampled_nodes == [0, 0, 0] and empty.num_sampled_edges == [0, 0] and empty.ptr.tolist() == [0]
    lonely = kernel.sample(np.array([9]), [3, 2], 0)
    assert lonely.node.tolist() == [9] and lonely.num_sampled_nodes == [1, 0, 0] and lonely.ptr.tolist() == [0, 0]


def test_repeated_seeds_are_each_expanded():
    colptr, row, _ = build_csc(np.array([[1, 2, 0], [0, 0, 1]]), 3)
    hops = NeighborKernel(colptr, row, 3).sample(np.array([0, 1, 0]), [-1], 0)
    assert hops.node.tolist() == [0, 1, 0, 2]
    assert hops.ptr.tolist() == [0, 2, 3, 5] and hops.col_source.tolist() == [1, 3, 0, 1, 3]


def test_scratch_is_cleared_before_its_numbers_run_out(monkeypatch):
    colptr, row = random_graph(5, 40, 300)
    kernel = NeighborKernel(colptr, row, 40)
    expected = [kernel.sample(np.arange(5), [3, 3], i, with_edge=True) for i in range(30)]
    monkeypatch.setattr(kernel_module, "INT32_LIMIT", 200)
    assert all(same(kernel.sample(np.arange(5), [3, 3], i, with_edge=True), expected[i]) for i in range(30))
    assert kernel.scratch_bytes == 4 * 40 + np.diff(colptr).max()


def test_bad_arguments_are_named():
    colptr, row = random_graph(6, 10, 30)
    kernel = NeighborKernel(colptr, row, 10)
    with pytest.raises(ValueError, match=r"0\.\.9, got 3\.\.10"):
        kernel.sample(np.array([3, 10]), [2], 0)
    with pytest.raises(ValueError, match="fanouts must be at least 0, or -1"):
        kernel.sample(np.array([3]), [2, -2], 0)
    with pytest.raises(ValueError, match="local_dtype"):
        kernel.sample(np.array([3]), [2], 0, local_dtype=np.int16)
    with pytest.raises(ValueError, match="colptr must rise from 0 to the 29"):
        NeighborKernel(colptr, row[:-1], 10)
    with pytest.raises(ValueError, match=r"colptr must be int64 \[12\]"):
        NeighborKernel(colptr, row, 11)
    with pytest.raises(ValueError, match="row must be int32 or int64"):
        NeighborKernel(colptr, row.astype(np.float32), 10)
    with pytest.raises(ValueError, match="num_nodes"):
        NeighborKernel(colptr, row, -1)
