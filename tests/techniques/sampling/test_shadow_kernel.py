"""Ego graphs against plain Python, and the neighbours that they choose against the uniform distribution."""

from __future__ import annotations

import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import EgoGraphs, ShadowKernel, build_csc

FIELDS = ("node", "node_ptr", "root", "ptr", "col_source", "edge")


def random_graph(seed, num_nodes, num_edges, dtype=np.int32):
    """A few nodes, many edges: self-loops and parallel edges abound; the last node has no in-edge."""
    rng = np.random.default_rng(seed)
    edges = np.stack([rng.integers(0, num_nodes, num_edges), rng.integers(0, max(1, num_nodes - 1), num_edges)])
    colptr, row, _ = build_csc(edges, num_nodes)
    return colptr, row.astype(dtype)


def same(a: EgoGraphs, b: EgoGraphs) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def check_induced(colptr, row, nodes, first, egos: EgoGraphs):
    """The edges of one ego graph are all that the graph has between its nodes."""
    where = {v: i for i, v in enumerate(nodes)}
    for local, v in enumerate(nodes, first):
        kept = [e for e in range(colptr[v], colptr[v + 1]) if row[e] in where]
        begin, end = egos.ptr[local], egos.ptr[local + 1]
        assert egos.edge[begin:end].tolist() == kept
        assert egos.col_source[begin:end].tolist() == [first + where[row[e]] for e in kept]


def check_reach(colptr, row, nodes, depth, num_neighbors, replace):
    """No node is farther than ``depth`` edges of the ego graph itself; where all edges are taken, none is missing."""
    hops = [nodes[:1]]
    for _ in range(depth):
        seen = [v for hop in hops for v in hop]
        reach = [u for v in hops[-1] for u in row[colptr[v] : colptr[v + 1]].tolist() if u not in seen]
        hops.append([u for u in dict.fromkeys(reach) if u in nodes])
        if num_neighbors < 0 or (not replace and np.diff(colptr).max() <= num_neighbors):
            assert set(hops[-1]) == set(reach)
    assert {v for hop in hops for v in hop} == set(nodes)
    if num_neighbors >= 0:
        assert len(nodes) <= sum(num_neighbors**hop for hop in range(depth + 1))


@settings(max_examples=150)
@given(
    seed=st.integers(0, 9999),
    num_nodes=st.integers(1, 40),
    num_edges=st.integers(0, 400),
    depth=st.integers(0, 3),
    num_neighbors=st.integers(-1, 8),
    replace=st.booleans(),
    dtype=st.sampled_from([np.int32, np.int64]),
    data=st.data(),
)
def test_each_root_has_the_subgraph_of_its_own_neighbourhood(
    seed, num_nodes, num_edges, depth, num_neighbors, replace, dtype, data
):
    colptr, row = random_graph(seed, num_nodes, num_edges, dtype)
    roots = data.draw(st.lists(st.integers(0, num_nodes - 1), max_size=6))
    kernel = ShadowKernel(colptr, row, num_nodes)
    for number in range(2):  # the same scratch, again and again
        egos = kernel.sample(np.array(roots, dtype), depth, num_neighbors, number, replace=replace, with_edge=True)
        assert egos.node[egos.root].tolist() == roots and len(egos.node_ptr) == len(roots) + 1
        assert egos.node_ptr[-1] == len(egos.node) == len(egos.ptr) - 1 and egos.ptr[0] == 0
        assert len(egos.edge) == len(egos.col_source) == egos.ptr[-1]
        for first, end in pairwise(egos.node_ptr):
            nodes = egos.node[first:end].tolist()
            assert len(set(nodes)) == len(nodes)
            check_induced(colptr, row, nodes, first, egos)
            check_reach(colptr, row, nodes, depth, num_neighbors, replace)


def test_ego_graphs_that_outgrow_their_first_arrays():
    colptr, row = random_graph(0, 2000, 60_000)
    kernel = ShadowKernel(colptr, row, 2000)
    roots = np.arange(40)
    egos = kernel.sample(roots, 2, -1, 0, with_edge=True)
    for i in (0, 17, 39):
        first, end = egos.node_ptr[i], egos.node_ptr[i + 1]
        near = set(row[colptr[i] : colptr[i + 1]])
        far = {u for v in near for u in row[colptr[v] : colptr[v + 1]]}
        assert set(egos.node[first:end]) == near | far | {i} and len(near | far) > 300
        check_induced(colptr, row, egos.node[first:end].tolist(), first, egos)
    assert same(kernel.sample(roots, 2, -1, 0, with_edge=True), egos)
    fresh = ShadowKernel(colptr, row, 2000)
    small = fresh.sample(roots, 2, 3, 5, with_edge=True)  # in arrays that never grew so far
    assert same(kernel.sample(roots, 2, 3, 5, with_edge=True), small)


def test_nodes_that_share_a_flag():
    """Ids a power of two apart have one flag; scratch is clean afterwards."""
    num_nodes, step = 2**18, 2**14
    near, far = np.arange(0, num_nodes, step), np.arange(0, num_nodes, step // 2)
    edges = np.stack([np.concatenate([near, far]), np.repeat([3, near[2]], [len(near), len(far)])])
    colptr, row, _ = build_csc(edges, num_nodes)
    kernel = ShadowKernel(colptr, row, num_nodes)
    egos = kernel.sample(np.array([3, near[2], 3, near[5]]), 1, 4, 1, with_edge=True)
    for first, end in pairwise(egos.node_ptr):
        check_induced(colptr, row, egos.node[first:end].tolist(), first, egos)
    ego = kernel._local.scratch.ego
    assert not ego.flag.any() and np.all(ego.keys == -1) and not ego.taken.any()


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("num_neighbors", [1, 3, 7])
def test_every_neighbour_is_as_likely(num_neighbors, replace):
    """Chi-square on a star, whose hub alone has in-edges; every copy of the root chooses on its own."""
    degree, draws = 20, 4000
    colptr, row, _ = build_csc(np.stack([np.arange(1, degree + 1), np.zeros(degree, np.int64)]), degree + 1)
    egos = ShadowKernel(colptr, row, degree + 1).sample(np.zeros(draws, np.int64), 1, num_neighbors, 3, replace=replace)
    sizes = np.diff(egos.node_ptr)
    counts = np.bincount(egos.node, minlength=degree + 1)[1:]
    if replace:
        chance = 1 - (1 - 1 / degree) ** num_neighbors
        assert sizes.max() <= num_neighbors + 1 and sizes.min() >= 2
        assert np.abs(counts - draws * chance).max() < 4 * np.sqrt(draws * chance * (1 - chance))
        return
    assert np.all(sizes == num_neighbors + 1)
    expected = draws * num_neighbors / degree
    chi_square = ((counts - expected) ** 2 / expected).sum() * (degree - 1) / (degree - num_neighbors)
    assert abs(chi_square - (degree - 1)) < 4 * np.sqrt(2 * (degree - 1))
    sets = Counter(tuple(sorted(egos.node[a:b])) for a, b in pairwise(egos.node_ptr))
    if num_neighbors == 3:
        assert len(sets) > 0.9 * 1140  # of all sets of three, 4000 draws are expected to find 97 %


def test_the_choices_of_a_root_depend_on_the_seed_and_its_place():
    colptr, row = random_graph(1, 300, 9000)
    kernel = ShadowKernel(colptr, row, 300)
    roots = np.random.default_rng(0).integers(0, 300, 30)
    egos = kernel.sample(roots, 2, 4, 8)
    other = roots.copy()
    other[:20] = 7
    changed = kernel.sample(other, 2, 4, 8)
    for i in range(20, 30):
        a, b = (e.node[e.node_ptr[i] : e.node_ptr[i + 1]].tolist() for e in (egos, changed))
        assert a == b
    graphs = {tuple(changed.node[changed.node_ptr[i] : changed.node_ptr[i + 1]]) for i in range(20)}
    assert len(graphs) == 20  # copies of a root choose apart
    assert not np.array_equal(kernel.sample(roots, 2, 4, 9).node, egos.node)


def test_equal_seeds_give_equal_ego_graphs_on_any_thread():
    colptr, row = random_graph(2, 500, 20_000)
    kernel = ShadowKernel(colptr, row, 500)
    one = [kernel.sample(np.arange(i + 5), 2, 5, i, with_edge=True) for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda i: kernel.sample(np.arange(i + 5), 2, 5, i, with_edge=True), range(20)))
    assert all(same(a, b) for a, b in zip(one, many, strict=True))
    assert same(one[3], pickle.loads(pickle.dumps(kernel)).sample(np.arange(8), 2, 5, 3, with_edge=True))


def test_memory_maps_and_local_dtypes_change_nothing(tmp_path: Path):
    colptr, row = random_graph(3, 60, 900)
    for name, array in (("colptr", colptr), ("row", row)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("colptr", "row")]
    expected = ShadowKernel(colptr, row, 60).sample(np.arange(9), 2, 3, 1, with_edge=True)
    for graph in ((colptr, row), mapped, (colptr, row.astype(np.int64))):
        for dtype in (np.int32, np.int64):
            egos = ShadowKernel(*graph, 60).sample(np.arange(9), 2, 3, 1, with_edge=True, local_dtype=dtype)
            assert same(egos, expected) and egos.col_source.dtype == dtype


def test_no_roots_and_isolated_roots():
    colptr, row = random_graph(4, 10, 30)
    kernel = ShadowKernel(colptr, row, 10)
    empty = kernel.sample(np.empty(0, np.int64), 2, 3, 0)
    assert empty.node_ptr.tolist() == [0] and empty.ptr.tolist() == [0] and empty.edge is None
    lonely = kernel.sample(np.array([9, 9]), 2, 3, 0, with_edge=True)
    assert lonely.node.tolist() == [9, 9] and lonely.root.tolist() == [0, 1] and lonely.ptr.tolist() == [0, 0, 0]
    assert kernel.sample(np.array([9]), 2, 3, 0, replace=True).node.tolist() == [9]


def test_targets_of_the_edges():
    colptr, row = random_graph(1, 20, 100)
    egos = ShadowKernel(colptr, row, 20).sample(np.array([4, 2]), 2, 3, 0)
    np.testing.assert_array_equal(egos.col_target(), np.repeat(np.arange(len(egos.node)), np.diff(egos.ptr)))


def test_bad_arguments_are_named():
    colptr, row = random_graph(6, 10, 30)
    kernel = ShadowKernel(colptr, row, 10)
    with pytest.raises(ValueError, match=r"roots must lie in 0\.\.9, got 3\.\.10"):
        kernel.sample(np.array([3, 10]), 2, 3, 0)
    with pytest.raises(ValueError, match="depth must be at least 0, got -1"):
        kernel.sample(np.array([3]), -1, 3, 0)
    with pytest.raises(ValueError, match="num_neighbors must be at least 0, or -1 for all, got -2"):
        kernel.sample(np.array([3]), 2, -2, 0)
    with pytest.raises(ValueError, match="local_dtype"):
        kernel.sample(np.array([3]), 2, 3, 0, local_dtype=np.int16)
    with pytest.raises(ValueError, match="colptr must rise from 0 to the 29"):
        ShadowKernel(colptr, row[:-1], 10)
    with pytest.raises(ValueError, match="colptr must rise from 0 to the 2"):
        ShadowKernel(np.array([0, 3, 2]), row[:2], 2)
