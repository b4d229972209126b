"""Random walks: every step an edge, every edge as likely."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import build_csc, random_walks


def random_graph(seed, num_nodes, num_edges):
    edges = np.random.default_rng(seed).integers(0, max(1, num_nodes - 1), (2, num_edges))
    return build_csc(edges, num_nodes)[:2]


@settings(max_examples=100)
@given(
    seed=st.integers(-5, 9999),
    num_nodes=st.integers(1, 30),
    num_edges=st.integers(0, 100),
    length=st.integers(0, 6),
    dtype=st.sampled_from([np.int32, np.int64]),
    data=st.data(),
)
def test_every_step_follows_an_edge_or_stays_at_a_dead_end(seed, num_nodes, num_edges, length, dtype, data):
    ptr, neighbor = random_graph(seed % 100, num_nodes, num_edges)
    roots = data.draw(st.lists(st.integers(0, num_nodes - 1), max_size=20))
    walks = random_walks(ptr.astype(dtype), neighbor.astype(dtype), np.array(roots, dtype), length, seed)
    assert walks.shape == (len(roots), length + 1) and walks.dtype == np.int64
    assert walks[:, 0].tolist() == roots
    for walk in walks:
        for v, u in pairwise(walk):
            neighbors = neighbor[ptr[v] : ptr[v + 1]]
            assert u in neighbors or (len(neighbors) == 0 and u == v)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_every_edge_is_as_likely(step):
    """Chi-square on a complete graph of 12 nodes, two of whose edges out of each node are parallel."""
    degree, draws = 12, 6000
    ptr = np.arange(0, 13 * degree, degree)
    neighbor = np.concatenate([[v, *(u for u in range(12) if u != v)] for v in range(12)])
    neighbor[neighbor == 11] = 10
    walks = random_walks(ptr, neighbor, np.zeros(draws, np.int64), 3, 5)
    counts = np.bincount(walks[:, step], minlength=12)
    assert counts[11] == 0 and abs(counts[10] - draws / 6) < 4 * np.sqrt(draws / 6)
    expected = draws / 12
    chi_square = ((counts[:10] - expected) ** 2 / expected).sum()
    assert abs(chi_square - 10) < 4 * np.sqrt(20)


def test_steps_do_not_depend_on_each_other():
    """Chi-square over pairs of steps, each an unbiased coin: two walks side by side, and two steps of one walk."""
    ptr, neighbor = np.array([0, 2, 4]), np.array([0, 1, 0, 1])
    walks = random_walks(ptr, neighbor, np.zeros(8000, np.int64), 4, 9)
    pairs = [(walks[:-1, 1], walks[1:, 1]), (walks[:, 1], walks[:, 2])]
    for a, b in pairs + [(walks[:-1, step], walks[1:, 1]) for step in (2, 3, 4)]:
        counts = np.bincount(2 * a + b, minlength=4)
        assert ((counts - len(a) / 4) ** 2 / (len(a) / 4)).sum() < 3 + 4 * np.sqrt(6)


def test_a_walk_depends_on_its_place_and_the_seed_only():
    ptr, neighbor = random_graph(1, 200, 5000)
    roots = np.random.default_rng(0).integers(0, 200, 1000)
    walks = random_walks(ptr, neighbor, roots, 7, 3)
    np.testing.assert_array_equal(random_walks(ptr, neighbor, roots[:300], 7, 3), walks[:300])
    assert not np.array_equal(random_walks(ptr, neighbor, roots, 7, 4), walks)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: random_walks(ptr, neighbor, roots, 7, 3), range(8)):
            np.testing.assert_array_equal(other, walks)


def test_memory_maps_and_dtypes_change_nothing(tmp_path: Path):
    ptr, neighbor = random_graph(1, 50, 500)
    np.save(tmp_path / "ptr.npy", ptr)
    np.save(tmp_path / "neighbor.npy", neighbor)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("ptr", "neighbor")]
    roots = np.arange(50)
    roots.flags.writeable = False
    expected = random_walks(ptr, neighbor, roots, 5, 0)
    np.testing.assert_array_equal(random_walks(*mapped, roots, 5, 0), expected)
    np.testing.assert_array_equal(random_walks(ptr.astype(np.int32), neighbor.astype(np.int64), roots, 5, 0), expected)


def test_bad_arguments_are_named():
    ptr, neighbor = random_graph(1, 50, 500)
    with pytest.raises(ValueError, match="length must be at least 0, got -1"):
        random_walks(ptr, neighbor, np.array([0]), -1, 0)
    with pytest.raises(ValueError, match=r"roots must lie in 0\.\.49, got 0\.\.50"):
        random_walks(ptr, neighbor, np.array([0, 50]), 1, 0)
    with pytest.raises(ValueError, match="ptr must end at the 499"):
        random_walks(ptr, neighbor[:-1], np.array([0]), 1, 0)
