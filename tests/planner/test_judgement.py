"""Change one fact and the recommended sampler changes as the source says; the reason quotes the value and goes with it."""

from __future__ import annotations

from typing import Any

import pytest

from planner import Goal, Plan, plan
from planner.inspect.estimate import from_counts
from techniques.base import Slot
from techniques.facts import GraphFacts, Objective, Origin, Task

SOCIAL = from_counts(400_000, 10_200_000, 64, 10, directed=False)  # mean degree 51
ROADS = from_counts(400_000, 600_000, 64, 10, directed=False)  # mean degree 3


def with_labels(graph: GraphFacts, **labels: Any) -> GraphFacts:
    return graph.model_copy(update={"labels": graph.labels.model_copy(update=labels)})


def recommended(graph: GraphFacts, on: str = "laptop-16gb", **goal: Any) -> tuple[Plan, str]:
    found = plan(graph, on=on, goal=Goal(**goal))
    assert found.best is not None
    return found, found.best.options[Slot.SAMPLING]


def said(found: Plan, fact: str) -> list[str]:
    """Values that the best candidate's reasons quote for a fact."""
    assert found.best is not None
    return [reason.value for reason in found.best.reasons if reason.fact == fact]


# Imbalance


@pytest.mark.parametrize("graph", [SOCIAL, ROADS], ids=["social", "roads"])
def test_a_rare_class_is_drawn_more_often(graph: GraphFacts) -> None:
    even, _ = recommended(with_labels(graph, imbalance=1.0))
    rare, sampling = recommended(with_labels(graph, imbalance=30.0))
    assert even.best is not None and rare.best is not None
    assert even.best.settings.get("seed_order") in (None, "uniform")
    assert rare.best.settings["seed_order"] == "imbalanced"
    assert sampling in ("neighbor", "shadow_k_hop"), "a whole graph cannot choose its seeds"
    assert "30.0" in said(rare, "imbalance")
    assert said(even, "imbalance") == []


def test_several_labels_a_node_have_no_rare_class() -> None:
    found, _ = recommended(with_labels(SOCIAL, imbalance=30.0, multi_label=True))
    assert found.best is not None and found.best.settings.get("seed_order") != "imbalanced"


def test_the_baseline_stays_uniform() -> None:
    found, _ = recommended(with_labels(SOCIAL, imbalance=30.0))
    assert found.baseline is not None and found.baseline.settings["seed_order"] == "uniform"


# Degree and context


def test_a_low_degree_asks_for_ego_graphs() -> None:
    dense, sampling = recommended(SOCIAL)
    assert sampling in ("neighbor", "full_batch")
    sparse, road_sampling = recommended(ROADS)
    assert road_sampling == "shadow_k_hop"
    assert said(sparse, "mean degree") == ["3.0"]
    assert "3.0" not in said(dense, "mean degree")


def test_neighbours_stand_for_many_where_degrees_are_high() -> None:
    found, sampling = recommended(SOCIAL, host_memory_bytes=900 * 10**6)
    assert sampling == "neighbor"
    assert said(found, "mean degree") == ["51.0"]


def test_hubs_are_not_roads() -> None:
    """PubMed's mean degree is that of a road network, its largest is not."""
    measured = ROADS.model_copy(update={"origin": Origin.MEASURED})
    flat = measured.model_copy(update={"degrees": measured.degrees.model_copy(update={"max": 8})})
    hubs = measured.model_copy(update={"degrees": measured.degrees.model_copy(update={"max": 171})})
    assert recommended(flat)[1] == "shadow_k_hop"
    assert recommended(hubs)[1] != "shadow_k_hop"


def test_wide_context_asks_for_ego_graphs_that_reach_it() -> None:
    graph = from_counts(100_000, 400_000, 64, 10, directed=False)  # mean degree 8
    near, sampling = recommended(graph)
    assert sampling != "shadow_k_hop" and said(near, "context") == []
    far, wide_sampling = recommended(graph, context_hops=6)
    assert wide_sampling == "shadow_k_hop"
    assert said(far, "context") == ["6"]
    assert far.best is not None
    assert far.best.settings["depth"] == 6 and far.best.settings["layers"] == 3


def test_case_e_roads_with_wide_context_tune_the_depth() -> None:
    """Source, case E: ShaDow k-hop sampling with k tuned."""
    found, sampling = recommended(from_counts(24_000_000, 29_000_000, 10, 4, directed=False), context_hops=5)
    assert sampling == "shadow_k_hop"
    from planner.proposal import knobs_of

    assert found.best is not None
    depth = next(knob for knob in knobs_of(found.facts, found.best.spec) if knob.name == "depth")
    assert depth.tuned and len(depth.choices) > 1 and all(int(str(choice)) >= 5 for choice in depth.choices)


def test_wide_context_at_a_high_degree_is_too_dear_for_ego_graphs() -> None:
    assert recommended(SOCIAL, context_hops=4)[1] != "shadow_k_hop"


# Task


def test_links_take_the_link_loader() -> None:
    nodes, sampling = recommended(SOCIAL)
    assert sampling != "link_neighbor" and said(nodes, "task") == []
    links, link_sampling = recommended(SOCIAL, task=Task.LINK)
    assert link_sampling == "link_neighbor"
    assert said(links, "task") == ["link"]
    assert {one.options[Slot.SAMPLING] for one in links.candidates} == {"link_neighbor"}
    assert links.baseline is not None and links.baseline.options[Slot.SAMPLING] == "link_neighbor"


def test_a_node_sampler_pinned_for_links_is_refused_with_the_task() -> None:
    found = plan(SOCIAL, on="laptop-16gb", goal=Goal(task=Task.LINK), fix={"sampling": "neighbor"})
    assert found.best is None
    assert all("task link" in one.reason for one in found.rejected if "/cpu" in one.name)


# Memory


def test_a_memory_limit_turns_the_whole_graph_into_samples() -> None:
    graph = from_counts(300_000, 3_000_000, 64, 10, directed=False)
    roomy, _ = recommended(graph, host_memory_bytes=10**12)
    tight, tight_sampling = recommended(graph, host_memory_bytes=900 * 10**6)
    assert tight_sampling == "neighbor"
    assert [value.startswith("needs ") for value in said(tight, "full batch")] == [True]
    assert said(roomy, "full batch") == [] and "full_batch" in {one.options[Slot.SAMPLING] for one in roomy.candidates}


# What the goal does


def test_least_memory_heeds_no_rule_on_samplers() -> None:
    found, _ = recommended(ROADS, optimize=Objective.MEMORY)
    peaks = [one.forecast.peak_host_bytes.expected for one in found.candidates]
    assert found.best is not None
    assert found.best.forecast.peak_host_bytes.expected == min(peaks)


def test_other_samplers_stay_at_hand_to_be_measured() -> None:
    found, _ = recommended(SOCIAL)
    samplers = {one.options[Slot.SAMPLING] for one in found.candidates}
    assert {"neighbor", "shadow_k_hop", "cluster", "graph_saint", "random_node"} <= samplers


# Homophily, features, machine


def test_low_homophily_is_quoted() -> None:
    quoted = [said(recommended(with_labels(SOCIAL, homophily=value))[0], "homophily") for value in (0.12, 0.9, None)]
    assert quoted == [["0.12"], [], []], "unknown is not a finding"


def test_sparse_features_quote_their_density() -> None:
    city = from_counts(50_000, 500_000, 4_000, 6, directed=False)
    for nonzeros, form, quoted in ((1_000_000, "csr", ["0.50%"]), (200_000_000, "dense", [])):
        bag = city.model_copy(update={"features": city.features.model_copy(update={"nonzeros": nonzeros})})
        found, _ = recommended(bag)
        assert found.best is not None and found.best.options[Slot.REPRESENTATION_FEATURES] == form
        assert said(found, "feature density") == quoted


def test_a_larger_machine_never_fits_less() -> None:
    products = from_counts(2_449_029, 61_859_140, 100, 47, directed=False)
    fitting = [
        len(plan(products, on="laptop-16gb", goal=Goal(host_memory_bytes=size * 10**9)).candidates)
        for size in (1, 4, 16, 64, 512)
    ]
    assert fitting == sorted(fitting)
    assert fitting[0] < fitting[-1]
