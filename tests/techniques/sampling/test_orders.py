"""Orders of nodes: every node once, neighbours near, the same edges under new names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import build_csc
from techniques.sampling.kernels.orders import community_order, degree_order, rcm_order, renumbered_csc
from techniques.sampling.kernels.reuse import rows_in_order, rows_of_ball, rows_of_community

FOUND: dict[str, Callable[..., Any]] = {
    "rcm": rcm_order,
    "community": lambda colptr, row, undirected: community_order(colptr, row, undirected, 50),
}


def both_ways(pairs: Any, nodes: int, seed: int | None = None) -> tuple[Any, Any]:
    """CSC of undirected pairs, ids shuffled by a seed."""
    edges = np.array(pairs, np.int32).reshape(-1, 2).T
    edges = np.concatenate([edges, edges[::-1]], axis=1)
    if seed is not None:
        edges = np.random.default_rng(seed).permutation(nodes).astype(np.int32)[edges]
    return build_csc(edges, nodes)[:2]


def grid(side: int) -> list[tuple[int, int]]:
    at = np.arange(side * side).reshape(side, side)
    across, down = (at[:, :-1], at[:, 1:]), (at[:-1], at[1:])
    return [
        pair for one, other in (across, down) for pair in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    ]


def communities(count: int, size: int, degree: int, seed: int) -> list[tuple[int, int]]:
    """Nine edges of ten inside communities of ``size``."""
    rng = np.random.default_rng(seed)
    source = rng.integers(0, count * size, count * size * degree // 2)
    near = source // size * size + rng.integers(0, size, source.size)
    target = np.where(rng.random(source.size) < 0.9, near, rng.integers(0, count * size, source.size))
    return [(int(u), int(v)) for u, v in zip(source, target, strict=True) if u != v]


def bandwidth(colptr: Any, row: Any) -> int:
    target = np.repeat(np.arange(len(colptr) - 1), np.diff(colptr))
    return int(np.abs(row - target).max(initial=0))


def entries(colptr: Any, row: Any) -> list[tuple[int, int]]:
    target = np.repeat(np.arange(len(colptr) - 1), np.diff(colptr))
    return sorted(zip(row.tolist(), target.tolist(), strict=True))


graphs = st.integers(1, 30).flatmap(
    lambda nodes: st.tuples(
        st.just(nodes), st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=80)
    )
)


@pytest.mark.parametrize("name", FOUND)
@settings(max_examples=40)
@given(graph=graphs, seed=st.integers(0, 3))
def test_every_node_stands_in_the_order_once(name: str, graph: Any, seed: int) -> None:
    nodes, pairs = graph
    edges = np.array(pairs, np.int64).reshape(-1, 2).T  # directed, with loops and parallel edges
    colptr, row, _ = build_csc(edges, nodes)
    order = FOUND[name](colptr, row, False)
    assert sorted(order.tolist()) == list(range(nodes))
    assert order.tolist() == FOUND[name](colptr, row, False).tolist()


def test_reverse_cuthill_mckee_unties_a_path() -> None:
    colptr, row = both_ways([(i, i + 1) for i in range(199)], 200, seed=1)
    assert bandwidth(colptr, row) > 50
    assert bandwidth(*renumbered_csc(colptr, row, rcm_order(colptr, row, True))[:2]) == 1


def test_reverse_cuthill_mckee_reaches_about_the_side_of_a_grid() -> None:
    colptr, row = both_ways(grid(20), 400, seed=2)
    assert bandwidth(*renumbered_csc(colptr, row, rcm_order(colptr, row, True))[:2]) <= 40


def test_directions_are_disregarded() -> None:
    path = np.array([np.arange(99), np.arange(1, 100)])
    path = np.random.default_rng(0).permutation(100)[path]
    colptr, row, _ = build_csc(path, 100)
    assert bandwidth(*renumbered_csc(colptr, row, rcm_order(colptr, row, False))[:2]) <= 2


def test_communities_stand_together() -> None:
    colptr, row = both_ways(communities(20, 50, 16, seed=0), 1000, seed=3)
    order = community_order(colptr, row, True, 100)
    member = np.random.default_rng(3).permutation(1000).argsort()[order] // 50
    changes = int((member[1:] != member[:-1]).sum())
    assert changes < 150, "20 communities apart would change 19 times, at random 950 times"


def test_no_community_grows_over_its_limit() -> None:
    colptr, row = both_ways([(0, i) for i in range(1, 400)], 400)
    order = community_order(colptr, row, True, 10)
    assert sorted(order.tolist()) == list(range(400))


def test_by_degree_hubs_come_first() -> None:
    colptr, _ = both_ways([(3, 0), (3, 1), (3, 2), (1, 0)], 4)
    assert degree_order(colptr).tolist() == [3, 0, 1, 2]


@settings(max_examples=40)
@given(graph=graphs, seed=st.integers(0, 99))
def test_renumbering_keeps_every_edge(graph: Any, seed: int) -> None:
    nodes, pairs = graph
    edges = np.array(pairs, np.int32).reshape(-1, 2).T
    colptr, row, _ = build_csc(edges, nodes)
    order = np.random.default_rng(seed).permutation(nodes)
    pointer, moved, position = renumbered_csc(colptr, row, order, with_position=True)
    assert moved.dtype == row.dtype
    assert sorted((order[u], order[v]) for u, v in entries(pointer, moved)) == entries(colptr, row)
    assert position is not None and order[moved].tolist() == row[position].tolist()
    plain = renumbered_csc(colptr, row, order)
    assert plain[1].tolist() == moved.tolist() and plain[2] is None


def test_rows_are_counted_once_while_they_are_near() -> None:
    path = both_ways([(i, i + 1) for i in range(9)], 10)
    assert rows_in_order(*path, 0, 11) == (10, 18)
    assert rows_in_order(*path, 0, 3) == (3, 3), "stops where the cache is full"


@pytest.mark.parametrize("shuffled", [None, 5])
def test_what_an_order_will_reach_is_seen_before_it_is_made(shuffled: int | None) -> None:
    """Balls and communities do not depend on the ids; rows in order do."""

    def share(found: tuple[int, int]) -> float:
        return 1 - found[0] / found[1]

    mesh = both_ways(grid(60), 3600, shuffled)
    groups = both_ways(communities(40, 100, 16, seed=0), 4000, shuffled)
    assert share(rows_of_ball(*mesh, 1800, 400)) == pytest.approx(0.72, abs=0.05)
    assert 0.65 < share(rows_of_community(*groups, 7, 200)) < 0.85, "0.84 is what whole communities give"
    assert share(rows_of_community(*groups, 7, 200)) > share(rows_of_ball(*groups, 7, 200)) + 0.2
    given = share(rows_in_order(*mesh, 1800, 400))
    assert given < 0.2 if shuffled else given > 0.5


def test_lonely_nodes_are_counted_too() -> None:
    colptr, row = both_ways([(0, 1)], 5)
    for count in (rows_in_order, rows_of_ball, rows_of_community):
        rows, all_read = count(colptr, row, 4, 3)
        assert 0 <= rows <= max(all_read, 1)
