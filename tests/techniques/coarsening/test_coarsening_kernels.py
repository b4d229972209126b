"""Matching and contraction: what PyG's graclus does, P^T A P to the bit, and the reference on Karate Club."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.coarsening.kernels import (
    contract,
    contract_attributes,
    match,
    members_of,
    merged_pairs,
    normalised,
    pool_sparse_rows,
    pooled_nonzeros,
    refined_parts,
    relabelled,
)
from techniques.sampling.kernels import build_csc

REFERENCE = (22, 98)
"""Nodes and directed edges of Karate Club after graclus and max pooling (source, technique 7)."""


def graph_of(edges: Any, nodes: int, dtype: Any = np.int32) -> tuple[Any, Any]:
    colptr, row, _ = build_csc(np.asarray(edges, dtype=dtype).reshape(2, -1), nodes)
    return colptr, row


def both_ways(edges: Any) -> Any:
    return np.concatenate([edges, edges[::-1]], axis=1)


def dense(colptr: Any, row: Any, weight: Any = None) -> Any:
    """Rows are targets; parallel edges add up."""
    nodes = len(colptr) - 1
    matrix = np.zeros((nodes, nodes))
    np.add.at(matrix, (np.repeat(np.arange(nodes), np.diff(colptr)), row), 1.0 if weight is None else weight)
    return matrix


@st.composite
def graphs(draw: Any) -> tuple[Any, Any, Any, int]:
    nodes = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    edges = rng.integers(0, nodes, (2, draw(st.integers(0, 120))))
    if draw(st.booleans()):
        edges = both_ways(edges)
    colptr, row = graph_of(edges, nodes, draw(st.sampled_from([np.int32, np.int64])))
    weight = rng.random(row.size).astype(np.float32) if draw(st.booleans()) else None
    return colptr, row, weight, draw(st.integers(0, 2**63 - 1))


# Matching


@settings(max_examples=150)
@given(graph=graphs())
def test_a_matching_pairs_neighbours_and_leaves_no_edge_between_two_alone(graph: Any) -> None:
    colptr, row, weight, seed = graph
    mate = match(colptr, row, weight, seed)
    nodes = np.arange(len(mate))
    assert np.array_equal(mate[mate], nodes), "partners are each other's"
    linked = dense(colptr, row) > 0
    paired = mate != nodes
    assert all(linked[v, mate[v]] or linked[mate[v], v] for v in nodes[paired])
    alone = ~paired
    both_alone = linked & alone[:, None] & alone[None, :]
    np.fill_diagonal(both_alone, False)
    assert not both_alone.any(), "a maximal matching"


@settings(max_examples=50)
@given(graph=graphs(), most=st.integers(0, 10))
def test_equal_seeds_give_equal_matchings_and_no_more_pairs_than_asked_for(graph: Any, most: int) -> None:
    colptr, row, weight, seed = graph
    first = match(colptr, row, weight, seed, most=most, two_hop=True)
    assert np.array_equal(first, match(colptr, row, weight, seed, most=most, two_hop=True))
    assert merged_pairs(first) <= most


def test_seeds_change_the_matching() -> None:
    ring = both_ways(np.stack([np.arange(100), (np.arange(100) + 1) % 100]))
    colptr, row = graph_of(ring, 100)
    assert len({match(colptr, row, None, seed).tobytes() for seed in range(10)}) == 10


def test_the_heaviest_edge_is_taken() -> None:
    colptr, row = graph_of(both_ways(np.array([[0, 1, 2], [1, 2, 3]])), 4)
    weight = np.array([1, 1, 9, 9, 1, 1], np.float32)  # in-edges of 0, 1 (from 0, 2), 2 (from 1, 3), 3
    pairs = {tuple(match(colptr, row, weight, seed)) for seed in range(50)}
    assert (0, 2, 1, 3) in pairs
    # A node that is visited first at an end takes its only edge.
    assert pairs <= {(0, 2, 1, 3), (1, 0, 3, 2)}


def test_ties_are_broken_alike_for_all() -> None:
    """A path of three: the middle node takes either end as often, as in torch-cluster."""
    colptr, row = graph_of(both_ways(np.array([[0, 1], [1, 2]])), 3)
    left = np.mean([match(colptr, row, None, seed)[0] == 1 for seed in range(2000)])
    assert 0.46 < left < 0.54


def test_groups_and_labels_keep_nodes_apart() -> None:
    full = np.array([(a, b) for a in range(8) for b in range(8) if a != b]).T
    colptr, row = graph_of(full, 8)
    group = np.array([0, 0, 0, 0, 1, 1, -1, -1], np.int32)
    label = np.array([0, 1, -1, 0, 2, 3, -1, -1], np.int32)
    for seed in range(50):
        mate = match(colptr, row, None, seed, group=group, label=label, two_hop=True)
        assert mate[6] == 6 and mate[7] == 7, "no group: left alone"
        assert mate[4] == 4 and mate[5] == 5, "one group, but different classes"
        for v in range(4):
            assert mate[v] < 4
            assert label[v] == label[mate[v]] or -1 in (label[v], label[mate[v]])


def test_leaves_of_a_hub_are_matched_over_two_hops() -> None:
    star = both_ways(np.stack([np.zeros(20, int), np.arange(1, 21)]))
    colptr, row = graph_of(star, 21)
    assert merged_pairs(match(colptr, row, None, 0)) == 1
    assert merged_pairs(match(colptr, row, None, 0, two_hop=True)) == 10


def test_arrays_that_do_not_fit_are_refused() -> None:
    colptr, row = graph_of([[0, 1], [1, 0]], 2)
    with pytest.raises(ValueError, match="one per edge"):
        match(colptr, row, np.ones(3, np.float32), 0)
    with pytest.raises(ValueError, match="one per node"):
        match(colptr, row, None, 0, label=np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="must lie in"):
        contract(colptr, row, None, np.array([0, 2], np.int32), 2)


# Contraction


@settings(max_examples=150)
@given(graph=graphs(), clusters=st.integers(1, 8))
def test_contraction_is_the_product_with_the_partition_matrix(graph: Any, clusters: int) -> None:
    colptr, row, weight, seed = graph
    nodes = len(colptr) - 1
    cluster = np.random.default_rng(seed).integers(0, clusters, nodes).astype(np.int32)
    partition = np.zeros((nodes, clusters))
    partition[np.arange(nodes), cluster] = 1
    wanted = partition.T @ dense(colptr, row, weight) @ partition
    np.fill_diagonal(wanted, 0)
    found = contract(colptr, row, weight, cluster, clusters)
    np.testing.assert_allclose(dense(*found), wanted, rtol=1e-5)
    for v in range(clusters):
        sources = found[1][found[0][v] : found[0][v + 1]]
        assert np.all(np.diff(sources) > 0), "coalesced: ascending, none twice"
    # With columns of length 1.
    length = np.sqrt(partition.sum(0))
    columns = partition / np.where(length > 0, length, 1)
    wanted = columns.T @ dense(colptr, row, weight) @ columns
    np.fill_diagonal(wanted, 0)
    root = np.maximum(length, 1).astype(np.float32)
    np.testing.assert_allclose(dense(found[0], found[1], normalised(*found, root)), wanted, rtol=1e-5, atol=1e-6)


def test_attributes_of_merged_edges_are_averaged() -> None:
    colptr, row = graph_of([[0, 1, 2, 3], [2, 2, 0, 1]], 4)
    attributes = np.arange(8, dtype=np.float32).reshape(4, 2)  # of the edges 2->0, 3->1, 0->2, 1->2
    cluster = np.array([0, 0, 1, 1], np.int32)
    coarse_ptr, coarse_row, weight = contract(colptr, row, None, cluster, 2)
    assert (coarse_row.tolist(), weight.tolist()) == ([1, 0], [2.0, 2.0])
    found = contract_attributes(colptr, row, attributes, cluster, (coarse_ptr, coarse_row))
    np.testing.assert_allclose(found, [[1, 2], [5, 6]])


def test_long_rows_are_sorted_too() -> None:
    hub = np.stack([np.random.default_rng(0).permutation(np.arange(1, 200)), np.zeros(199, int)])
    colptr, row = graph_of(hub, 200)
    found = contract(colptr, row, None, np.arange(200, dtype=np.int32), 200)
    assert found[1].tolist() == list(range(1, 200))


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), maximum=st.booleans())
def test_sparse_rows_are_pooled_like_dense_ones(seed: int, maximum: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(15, 6)).astype(np.float32) * (rng.random((15, 6)) < 0.4)
    indptr = np.concatenate([[0], np.cumsum((x != 0).sum(1))])
    rows, columns = np.nonzero(x)
    cluster, count = relabelled(match(*graph_of(rng.integers(0, 15, (2, 30)), 15), None, seed))
    members = members_of(cluster, count)
    arguments = (indptr, columns.astype(np.int32), x[rows, columns])
    found = pool_sparse_rows(*arguments, 6, *members, maximum=maximum)
    wanted = np.stack([(x[cluster == c].max(0) if maximum else x[cluster == c].mean(0)) for c in range(count)])
    pooled = np.zeros_like(wanted)
    pooled[np.repeat(np.arange(count), np.diff(found[0])), found[1]] = found[2]
    np.testing.assert_allclose(pooled, wanted, rtol=1e-5, atol=1e-6)
    assert np.array_equal(pooled_nonzeros(arguments[0], arguments[1], 6, *members), np.diff(found[0]))


# The reference


def test_karate_club_over_a_hundred_seeds_has_the_reference_in_its_distribution() -> None:
    """34 nodes and 156 directed edges become about 22 and 98, counted as PyG's max_pool does: coalesced, without
    self-loops."""
    from torch_geometric.datasets import KarateClub

    data = KarateClub()[0]
    colptr, row = graph_of(data.edge_index.numpy(), data.num_nodes, np.int64)
    assert (data.num_nodes, row.size) == (34, 156)
    found = []
    for seed in range(100):
        cluster, count = relabelled(match(colptr, row, None, seed))
        found.append((count, contract(colptr, row, None, cluster, count)[1].size))
    assert REFERENCE in found
    nodes, edges = np.quantile(np.array(found), [0.05, 0.5, 0.95], axis=0).T
    assert nodes[0] <= REFERENCE[0] <= nodes[2] and edges[0] <= REFERENCE[1] <= edges[2]
    assert abs(nodes[1] - REFERENCE[0]) <= 1 and abs(edges[1] - REFERENCE[1]) <= 6


def test_refined_parts_cut_less_and_stay_balanced_and_filled() -> None:
    rng = np.random.default_rng(0)
    community = np.repeat(np.arange(4, dtype=np.int32), 50)
    source = rng.integers(0, 200, 2000)
    edges = np.stack([source, 50 * (source // 50) + rng.integers(0, 50, 2000)])
    colptr, row = graph_of(both_ways(edges), 200)
    mixed = np.where(rng.random(200) < 0.2, rng.permutation(community), community).astype(np.int32)
    found = refined_parts(colptr, row, mixed, 4)
    target = np.repeat(np.arange(200), np.diff(colptr))
    before, after = (np.count_nonzero(part[row] != part[target]) for part in (mixed, found))
    assert after < 0.2 * before
    assert np.bincount(found).max() <= np.ceil(1.03 * 50)
    alone = refined_parts(colptr, row, np.minimum(np.arange(200), 3).astype(np.int32), 4)
    assert np.bincount(alone, minlength=4).min() > 0
