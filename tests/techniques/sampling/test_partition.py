"""Parts by METIS: every kind of graph, whatever METIS itself would make of it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techniques.errors import GraphError, MissingDependencyError, OptionError
from techniques.sampling import partition
from techniques.sampling.kernels import build_csc
from techniques.sampling.partition import fill_empty_parts, metis_parts, undirected_neighbors


@st.composite
def graphs(draw):
    """Directed, disconnected, with loops and parallel edges, or without any edge."""
    num_nodes = draw(st.integers(1, 25))
    ends = st.integers(0, num_nodes - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=60))
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    edge_index = np.array(edges, dtype=dtype).reshape(-1, 2).T
    return num_nodes, edge_index


@given(graphs(), st.integers(1, 30), st.booleans(), st.integers(0, 2**40))
def test_every_node_has_a_part_and_no_part_is_empty(graph, num_parts, recursive, seed):
    num_nodes, edge_index = graph
    colptr, row, _ = build_csc(edge_index, num_nodes)
    parts = metis_parts(colptr, row, num_parts, recursive, seed)
    assert parts.shape == (num_nodes,) and parts.dtype == np.int32
    assert len(np.unique(parts)) == min(num_parts, num_nodes) and parts.min() >= 0 and parts.max() < num_parts
    assert np.array_equal(parts, metis_parts(colptr, row, num_parts, recursive, seed))


@given(graphs())
def test_neighbours_are_distinct_and_of_either_direction(graph):
    num_nodes, edge_index = graph
    colptr, row, _ = build_csc(edge_index, num_nodes)
    ptr, neighbor = undirected_neighbors(colptr, row)
    pairs = {(int(u), int(v)) for u, v in edge_index.T if u != v}
    for v in range(num_nodes):
        expected = sorted({u for u, w in pairs if w == v} | {w for u, w in pairs if u == v})
        assert neighbor[ptr[v] : ptr[v + 1]].tolist() == expected


def test_two_cliques_come_apart():
    """Ten nodes each, joined by one edge."""
    u, v = np.divmod(np.arange(100), 10)
    edge_index = np.concatenate([[u, v], [u + 10, v + 10], [[0], [10]]], axis=1)
    colptr, row, _ = build_csc(edge_index, 20)
    for recursive in (False, True):
        parts = metis_parts(colptr, row, 2, recursive)
        assert set(parts[:10]) != set(parts[10:]) and len(set(parts[:10])) == len(set(parts[10:])) == 1


def test_isolated_nodes_are_dealt_out_and_kept_from_metis(monkeypatch):
    """Two cliques of ten nodes, one self-loop, and isolated nodes before, between and behind them."""
    import pymetis

    seen, part_graph = [], pymetis.part_graph

    def spy(num_parts, graph, **options):
        seen.append(len(graph.adj_starts) - 1)
        return part_graph(num_parts, graph, **options)

    monkeypatch.setattr("pymetis.part_graph", spy)
    u, v = np.divmod(np.arange(100), 10)
    edge_index = np.concatenate([[u + 7, v + 7], [u + 40, v + 40], [[7, 99], [40, 99]]], axis=1)
    colptr, row, _ = build_csc(edge_index, 101)
    parts = metis_parts(colptr, row, 2)
    assert seen == [20] and sorted(np.bincount(parts)) == [50, 51]
    assert {*parts[7:17]} != {*parts[40:50]} and len({*parts[7:17]}) == len({*parts[40:50]}) == 1
    assert np.bincount(metis_parts(colptr, row, 25)).tolist() == [4] * 24 + [5] and seen == [20]


def test_empty_parts_take_from_the_largest():
    parts = fill_empty_parts(np.array([1, 1, 1, 1, 3], np.int32), 4)
    assert np.bincount(parts).tolist() == [1, 2, 1, 1] and parts[4] == 3


def test_limits_and_failures_are_said(monkeypatch):
    colptr, row, _ = build_csc(np.array([[0, 1, 2], [1, 2, 0]]), 3)
    with pytest.raises(OptionError, match="num_parts must be at least 1, got 0"):
        metis_parts(colptr, row, 0)
    with pytest.raises(GraphError, match="at most 5 neighbours, got 6"):
        partition._check_size(3, 6, 5)
    monkeypatch.setattr("pymetis.part_graph", _give_up)
    with pytest.raises(GraphError, match="3 nodes into 2 parts, but gave up: no memory"):
        metis_parts(colptr, row, 2)
    monkeypatch.setitem(sys.modules, "pymetis", None)
    with pytest.raises(MissingDependencyError, match="pip install pymetis"):
        metis_parts(colptr, row, 2)
    assert metis_parts(colptr, row, 1).tolist() == [0, 0, 0]


def _give_up(*_arguments, **_options):
    raise RuntimeError("no memory")
