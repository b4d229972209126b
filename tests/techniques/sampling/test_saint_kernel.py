"""GraphSAINT's samplers against their probabilities, and its normalisation against plain counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import (
    SaintCounts,
    SubgraphKernel,
    build_csc,
    saint_edges,
    saint_nodes,
    saint_walks,
)


def undirected_graph(seed, num_nodes, num_edges):
    """Self-loops and parallel edges abound; the last node has no edge."""
    edges = np.random.default_rng(seed).integers(0, max(1, num_nodes - 1), (2, num_edges))
    return build_csc(np.concatenate([edges, edges[::-1]], axis=1), num_nodes)[:2]


def star(num_leaves):
    """A hub, 0, with leaves, and one node alone."""
    leaves, hub = np.arange(1, num_leaves + 1), np.zeros(num_leaves, np.int64)
    return build_csc(np.stack([np.concatenate([leaves, hub]), np.concatenate([hub, leaves])]), num_leaves + 2)[:2]


@settings(max_examples=100)
@given(
    seed=st.integers(-3, 9999),
    num_nodes=st.integers(2, 40),
    num_edges=st.integers(1, 200),
    budget=st.integers(1, 60),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_nodes_are_distinct_and_as_few_as_the_budget(seed, num_nodes, num_edges, budget, dtype):
    colptr, row = undirected_graph(seed % 50, num_nodes, num_edges)
    row = row.astype(dtype)
    degree = np.diff(colptr)
    for nodes, most in (
        (saint_nodes(colptr, row, num_nodes, budget, seed), budget),
        (saint_edges(colptr, row, num_nodes, budget, seed), 2 * budget),
        (saint_walks(colptr, row, num_nodes, budget, 3, seed), 4 * budget),
    ):
        assert nodes.dtype == np.int64 and len(set(nodes.tolist())) == len(nodes) and 1 <= len(nodes) <= most
        assert nodes.min() >= 0 and nodes.max() < num_nodes
    assert degree[saint_nodes(colptr, row, num_nodes, budget, seed)].min() > 0
    assert degree[saint_edges(colptr, row, num_nodes, budget, seed)].min() > 0


def single_draws(sample, num_nodes, draws=6000):
    counts = np.zeros(num_nodes)
    for seed in range(draws):
        counts[sample(seed)] += 1
    return counts


def test_nodes_are_drawn_in_proportion_to_their_degree():
    colptr, row = undirected_graph(3, 12, 30)
    counts = single_draws(lambda seed: saint_nodes(colptr, row, 12, 1, seed), 12)
    expected = 6000 * np.diff(colptr) / len(row)
    assert counts[11] == 0 == expected[11]
    chi_square = ((counts - expected)[:11] ** 2 / expected[:11]).sum()
    assert abs(chi_square - 10) < 4 * np.sqrt(20)


def test_edges_are_drawn_in_proportion_to_the_inverse_degrees():
    """A triangle with a tail, 0-1-2-0 and 2-4, and 3 alone: single draws tell which edge it was."""
    edges = np.array([[0, 1, 2, 2], [1, 2, 0, 4]])
    colptr, row, _ = build_csc(np.concatenate([edges, edges[::-1]], axis=1), 5)
    counts = {tuple(edge): 0 for edge in np.sort(edges.T)}
    for seed in range(6000):
        counts[tuple(np.sort(saint_edges(colptr, row, 5, 1, seed)))] += 1
    degree = np.diff(colptr)
    weight = np.array([1 / degree[u] + 1 / degree[v] for u, v in counts])
    expected = 6000 * weight / weight.sum()
    chi_square = ((np.array(list(counts.values())) - expected) ** 2 / expected).sum()
    assert chi_square < 3 + 4 * np.sqrt(6)


def test_walks_begin_anywhere():
    colptr, row = star(9)
    counts = single_draws(lambda seed: saint_walks(colptr, row, 11, 1, 0, seed), 11)
    assert ((counts - 6000 / 11) ** 2 / (6000 / 11)).sum() < 10 + 4 * np.sqrt(20)


def test_a_walk_and_its_root_are_drawn_apart():
    """On a complete graph the first step is uniform whatever the root."""
    ptr, row = np.arange(0, 25, 4), np.tile(np.arange(2, 6), 6)
    first = np.array([saint_walks(ptr, row, 6, 1, 1, seed)[[0, -1]] for seed in range(6000)])
    first = first[first[:, 0] < 2]  # their step never leads back to the root
    counts = np.bincount(4 * first[:, 0] + first[:, 1] - 2, minlength=8)
    assert ((counts - len(first) / 8) ** 2 / (len(first) / 8)).sum() < 7 + 4 * np.sqrt(14)


def test_draws_of_one_call_do_not_depend_on_each_other():
    """The number of distinct nodes in ``d`` uniform draws of ``n`` is ``n (1 - (1 - 1 / n)**d)`` in the mean."""
    num_nodes = 1000
    cycle = np.stack([np.arange(num_nodes), (np.arange(num_nodes) + 1) % num_nodes])
    colptr, row, _ = build_csc(cycle, num_nodes)
    found = [len(saint_nodes(colptr, row, num_nodes, 700, seed)) for seed in range(50)]
    assert abs(np.mean(found) - num_nodes * (1 - (1 - 1 / num_nodes) ** 700)) < 8


SAMPLERS = [
    lambda graph, seed: saint_nodes(*graph, 200, 300, seed),
    lambda graph, seed: saint_edges(*graph, 200, 300, seed),
    lambda graph, seed: saint_walks(*graph, 200, 30, 3, seed),
]


@pytest.mark.parametrize("sample", SAMPLERS)
def test_equal_seeds_give_equal_nodes_on_any_thread_and_from_memory_maps(sample, tmp_path: Path):
    colptr, row = undirected_graph(1, 200, 2000)
    np.save(tmp_path / "colptr.npy", colptr)
    np.save(tmp_path / "row.npy", row)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("colptr", "row")]
    one = [sample((colptr, row), seed) for seed in range(10)]
    assert not np.array_equal(one[0], one[1])
    with ThreadPoolExecutor(4) as pool:
        for graph in (mapped, (colptr, row.astype(np.int64))):
            for a, b in zip(one, pool.map(lambda seed, graph=graph: sample(graph, seed), range(10)), strict=True):
                np.testing.assert_array_equal(a, b)


def test_norms_are_those_of_the_counts():
    colptr, row = undirected_graph(2, 30, 40)
    counts, kernel = SaintCounts(colptr), SubgraphKernel(colptr, row, 30)
    node_count, edge_count = np.zeros(30), np.zeros(len(row))
    for seed in range(6):
        subgraph = kernel.induced(saint_nodes(colptr, row, 30, 8, seed), with_edge=True)
        counts.add(subgraph)
        node_count[subgraph.node] += 1
        edge_count[subgraph.edge] += 1
    target = np.repeat(np.arange(30), np.diff(colptr))
    assert (edge_count == 0).any(), "what was never seen counts as seen once"
    expected = np.maximum(node_count[target], 1) / np.maximum(edge_count, 1)
    np.testing.assert_allclose(counts.edge_norm(), expected, rtol=1e-6)
    np.testing.assert_allclose(counts.node_norm(), 6 / np.maximum(node_count, 1) / 30, rtol=1e-6)
    assert counts.edge_norm().dtype == counts.node_norm().dtype == np.float32
    assert counts.num_samples == 6 and counts.num_sampled_nodes == node_count.sum()


def test_bad_arguments_are_named():
    colptr, row = undirected_graph(2, 30, 40)
    for sample in (saint_nodes, saint_edges):
        with pytest.raises(ValueError, match="budget must be at least 1, got 0"):
            sample(colptr, row, 30, 0, 0)
        with pytest.raises(ValueError, match="must have edges"):
            sample(np.zeros(4, np.int64), np.empty(0, np.int32), 3, 5, 0)
        with pytest.raises(ValueError, match="colptr must rise"):
            sample(colptr, row[:-1], 30, 5, 0)
    with pytest.raises(ValueError, match="roots and num_nodes must be at least 1, got 0 and 30"):
        saint_walks(colptr, row, 30, 0, 3, 0)
    with pytest.raises(ValueError, match="length must be at least 0"):
        saint_walks(colptr, row, 30, 1, -3, 0)
    with pytest.raises(ValueError, match="with_edge=True"):
        SaintCounts(colptr).add(SubgraphKernel(colptr, row, 30).induced(np.array([1])))
