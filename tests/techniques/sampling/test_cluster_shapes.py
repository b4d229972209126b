"""Cluster-GCN's batches: a plan with the graph at hand knows the parts of the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from planner.inspect.estimate import from_counts
from techniques.sampling.cluster import MOST_CUT_EDGES, ClusterBatches
from techniques.sampling.drawn import DrawnGraph
from techniques.sampling.kernels import build_csc
from techniques.sampling.partition import members_of_parts

CLIQUES, SIZE = 8, 6
BATCHES = ClusterBatches(layers=2, prefetch=0, sparse_features=False, num_parts=CLIQUES, parts_per_batch=2)


def cliques() -> DrawnGraph:
    """Eight cliques of six nodes in a ring, one edge from each to the next."""
    pairs = [(a, b) for a in range(SIZE) for b in range(SIZE) if a != b]
    inside = np.array([(SIZE * c + a, SIZE * c + b) for c in range(CLIQUES) for a, b in pairs])
    ring = np.array([(SIZE * c, (SIZE * c + SIZE) % (SIZE * CLIQUES)) for c in range(CLIQUES)])
    edges: NDArray[np.int32] = np.concatenate([inside, ring, ring[:, ::-1]]).T.astype(np.int32)
    colptr, row, _ = build_csc(np.ascontiguousarray(edges), SIZE * CLIQUES)
    return DrawnGraph(colptr, row, np.arange(SIZE * CLIQUES))


def test_a_batch_is_whole_parts_and_the_edges_between_them() -> None:
    pytest.importorskip("pymetis")
    graph = cliques()
    drawn = [BATCHES.draw(graph, index) for index in range(20)]
    inside = 2 * SIZE * (SIZE - 1)
    assert {one.nodes for one in drawn} == {(2 * SIZE,)}
    assert {one.edges[0] for one in drawn} == {
        inside,
        inside + 2,
    }  # neighbours on the ring have two entries between them
    assert len(graph.metis_members(CLIQUES)) == CLIQUES
    assert graph.metis_members(CLIQUES) is graph.metis_members(CLIQUES)


def test_edges_of_a_batch_are_those_of_its_subgraph() -> None:
    """Summed over pairs of parts: as the sampler's kernel finds them, self-loops and parallel edges too."""
    pytest.importorskip("pymetis")
    edges = np.random.default_rng(0).integers(0, 60, (2, 400)).astype(np.int32)
    colptr, row, _ = build_csc(edges, 60)
    graph = DrawnGraph(colptr, row, np.arange(60))
    for index in range(5):
        members = graph.metis_members(CLIQUES)
        chosen = np.random.default_rng(index).permutation(CLIQUES)[:2]
        found = graph.subgraph.induced(np.concatenate([members[one] for one in chosen]))
        drawn = BATCHES.draw(graph, index)
        assert (drawn.nodes, drawn.edges) == ((found.node.size,), (found.col_source.size,))
    loops = int((edges[0] == edges[1]).sum())
    assert graph.metis_cut(CLIQUES).edges.sum() - graph.without_loops().metis_cut(CLIQUES).edges.sum() == loops > 0


def test_only_graphs_that_are_cut_quickly_are_cut_while_planning() -> None:
    pytest.importorskip("pymetis")
    graph = from_counts(1000, 5000, features=4, classes=2, directed=False)
    assert BATCHES.can_draw(graph)
    assert not BATCHES.can_draw(graph.model_copy(update={"num_edges": MOST_CUT_EDGES + 1}))
    assert not replace(BATCHES, num_parts=4).can_draw(graph.model_copy(update={"num_edges": MOST_CUT_EDGES + 1}))
    assert not BATCHES.can_draw(graph.model_copy(update={"num_nodes": MOST_CUT_EDGES + 1}))
    two_ways = graph.model_copy(update={"num_edges": MOST_CUT_EDGES // 2 + 1})
    assert BATCHES.can_draw(two_ways)
    assert not BATCHES.can_draw(two_ways.model_copy(update={"undirected": False})), "METIS gets both directions"


def test_random_graphs_are_cut_in_fewer_rounds_while_planning(monkeypatch: pytest.MonkeyPatch) -> None:
    """METIS refines them in vain until its ten rounds are over."""
    pymetis = pytest.importorskip("pymetis")
    rounds, made = [], pymetis.Options
    monkeypatch.setattr(pymetis, "Options", lambda **given: rounds.append(given["niter"]) or made(**given))
    cliques().metis_members(CLIQUES)
    entries = CLIQUES * (SIZE * (SIZE - 1) + 2)
    for most in (3.5 * CLIQUES * entries, 0.0):
        monkeypatch.setattr("techniques.sampling.drawn.MOST_REFINED", most)
        cliques().metis_members(CLIQUES)
    assert rounds == [10, 3, 1]


def test_members_leave_empty_parts_out() -> None:
    members = members_of_parts(np.array([2, 0, 2, 0], np.int32))
    assert [one.tolist() for one in members] == [[1, 3], [0, 2]]
