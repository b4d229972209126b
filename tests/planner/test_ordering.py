"""Renumbered nodes are proposed where ids scatter neighbours, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.api import make_plan
from planner.inspect.opened import drawer
from planner.pins import Pins
from planner.records import Plan
from planner.render import plan_text
from techniques.base import Slot
from techniques.facts import ModelFacts
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling import node_order

SIDE = 120


@pytest.fixture(autouse=True)
def small_cache(monkeypatch: Any) -> None:
    """A cache of 2,048 rows of 64 floats, so that a graph of 14,400 nodes leaves it."""
    monkeypatch.setattr(node_order, "CACHE_BYTES", 2**19)


def stored_grid(seed: int | None, features: int = 64) -> ArrayGraph:
    """A grid as of roads: mean degree 4, ids row by row, or shuffled."""
    at = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    pairs = [(at[:, :-1], at[:, 1:]), (at[:-1], at[1:])]
    edges = np.concatenate([np.stack([one.ravel(), other.ravel()]) for one, other in pairs], axis=1)
    edges = np.concatenate([edges, edges[::-1]], axis=1).astype(np.int32)
    if seed is not None:
        edges = np.random.default_rng(seed).permutation(SIDE * SIDE).astype(np.int32)[edges]
    rng = np.random.default_rng(0)
    return ArrayGraph(
        "grid",
        {
            "num_nodes": np.array(SIDE * SIDE),
            "edge_index": edges,
            "x": rng.random((SIDE * SIDE, features), np.float32),
            "y": rng.integers(0, 2, SIDE * SIDE),
        },
    )


def planned(stored: ArrayGraph, profiled: Any, draws: bool = True, **settings: Any) -> Plan:
    facts = profiled(stored, model=ModelFacts(architecture="sage"))
    pins = Pins({Slot.SAMPLING: "full_batch", Slot.REPRESENTATION: "csr"}, {"hidden": 64, **settings})
    return make_plan(facts, pins, drawer(stored, facts.graph) if draws else None)


def order_in(plan: Plan) -> Any:
    assert plan.best is not None
    return plan.best.settings["node_order"]


def test_shuffled_ids_of_a_low_degree_graph_are_renumbered(profiled: Any) -> None:
    plan = planned(stored_grid(seed=1), profiled)
    assert order_in(plan) == "rcm"
    assert plan.best is not None
    (reason,) = (one for one in plan.best.reasons if one.fact == "node order")
    assert "found in the cache as given" in reason.value and "back after" in reason.text
    assert "node_order=rcm" in plan_text(plan)


def test_the_same_graph_in_good_order_is_left_alone(profiled: Any) -> None:
    plan = planned(stored_grid(seed=None), profiled)
    assert order_in(plan) == "as_given"
    assert plan.best is not None and not [one for one in plan.best.reasons if one.fact == "node order"]


def test_what_fits_the_cache_is_left_alone(profiled: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(node_order, "CACHE_BYTES", 2**23)
    assert order_in(planned(stored_grid(seed=1), profiled)) == "as_given"


def test_what_takes_longer_than_it_saves_is_left_alone(profiled: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(node_order, "RENUMBER_SECONDS_PER_EDGE", 1.0)
    assert order_in(planned(stored_grid(seed=1), profiled)) == "as_given"


def test_a_pin_decides(profiled: Any) -> None:
    assert order_in(planned(stored_grid(seed=1), profiled, node_order="as_given")) == "as_given"
    assert order_in(planned(stored_grid(seed=None), profiled, node_order="community")) == "community"


def test_counts_alone_propose_nothing(profiled: Any) -> None:
    assert order_in(planned(stored_grid(seed=1), profiled, draws=False)) == "as_given"
