"""What the edges tell beyond the degrees, on graphs where the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.inspect import mixing
from planner.inspect.degrees import measured_degrees
from planner.inspect.mixing import closed_shares, with_mixing
from techniques.graph_figures import DegreeFacts


def both_ways(ends: Any) -> Any:
    return np.concatenate([ends, ends[::-1]], axis=1)


def complete(nodes: int) -> Any:
    return np.stack(np.nonzero(~np.eye(nodes, dtype=bool)))


def torus(side: int) -> Any:
    at = np.arange(side * side).reshape(side, side)
    right = np.stack([at.ravel(), np.roll(at, 1, axis=1).ravel()])
    down = np.stack([at.ravel(), np.roll(at, 1, axis=0).ravel()])
    return both_ways(np.concatenate([right, down], axis=1))


def two_sides(left: int, right: int) -> Any:
    ends = np.stack([np.repeat(np.arange(left), right), left + np.tile(np.arange(right), left)])
    return both_ways(ends)


def measured(edge_index: Any, nodes: int, undirected: bool, train: Any = None) -> DegreeFacts:
    in_degrees = np.bincount(edge_index[1], minlength=nodes)
    return with_mixing(measured_degrees(in_degrees), edge_index, in_degrees, undirected, train)


@pytest.mark.parametrize(
    ("edge_index", "triangles", "squares"),
    [
        (complete(30), 1.0, 0.0),
        (two_sides(20, 30), 0.0, 1.0),
        (torus(40), 0.0, 2 / 9),
        (both_ways(np.stack([np.arange(200), (np.arange(200) + 1) % 200])), 0.0, 0.0),
        (np.stack([np.arange(200), (np.arange(200) + 1) % 200]), 0.0, 0.0),
    ],
    ids=["complete", "bipartite", "torus", "ring", "one way round"],
)
def test_closed_shares_of_known_graphs(edge_index: Any, triangles: float, squares: float) -> None:
    found = closed_shares(edge_index, np.bincount(edge_index[1]))
    assert found == pytest.approx((triangles, squares), abs=0.06)


def test_blocks_count_every_node_and_edge_once() -> None:
    rng = np.random.default_rng(0)
    edge_index = rng.integers(0, 300, (2, 4_000)) // rng.integers(1, 9, (2, 4_000))
    facts = measured(edge_index, 310, undirected=False, train=np.arange(50))
    assert facts.block_nodes is not None and facts.block_edges is not None and facts.block_train is not None
    assert sum(facts.block_nodes) == 310 and sum(facts.block_train) == 50
    assert sum(map(sum, facts.block_edges)) == np.count_nonzero(edge_index[0] != edge_index[1])
    assert all(train <= nodes for train, nodes in zip(facts.block_train, facts.block_nodes, strict=True))


def test_blocks_hold_who_meets_whom() -> None:
    facts = measured(two_sides(3, 40), 43, undirected=True)
    assert facts.block_nodes == (40, 3)
    assert facts.block_edges == ((0, 120), (120, 0))


def test_large_graphs_are_counted_by_a_share_of_their_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "MIXING_EDGES", 100)
    edge_index = complete(40)
    facts = measured(edge_index, 40, undirected=True)
    assert facts.block_edges is not None
    assert sum(map(sum, facts.block_edges)) == pytest.approx(edge_index.shape[1], rel=0.02)


@pytest.mark.parametrize("edge_index", [np.zeros((2, 0), np.int64), np.array([[1], [1]]), np.array([[0], [1]])])
def test_graphs_with_nothing_to_walk_on(edge_index: Any) -> None:
    facts = measured(edge_index, 3, undirected=False)
    assert facts.closure in (None, 0.0) and facts.square_closure in (None, 0.0)
