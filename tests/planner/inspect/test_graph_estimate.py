"""Facts from counts and from the catalog, without a graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog import dataset
from planner.inspect.degrees import estimated_degrees
from planner.inspect.estimate import from_counts, from_dataset
from techniques.errors import OptionError
from techniques.facts import Origin, SizeClass, Task


def test_undirected_edges_are_stored_twice_and_the_note_says_so() -> None:
    facts = from_counts(2_449_029, 61_859_140, 100, 47, directed=False)
    assert facts.num_edges == 123_718_280
    assert "61,859,140 undirected edges are stored as 123,718,280 directed entries" in facts.notes
    assert facts.dataset_bytes == 16 * 123_718_280 + 4 * 2_449_029 * 100
    assert (facts.origin, facts.size_class, facts.undirected) == (Origin.TYPED, SizeClass.LARGE, True)
    assert facts.labels.train == round(0.6 * 2_449_029)
    assert facts.mean_degree == pytest.approx(50.5, abs=0.1)


def test_directed_edges_are_taken_as_they_are() -> None:
    facts = from_counts(100, 300, 8, 3, directed=True)
    assert (facts.num_edges, facts.undirected, facts.density) == (300, False, 300 / 9900)


def test_density_of_the_source_s_school() -> None:
    facts = from_counts(1000, 450_000, 10, 2, directed=False)
    assert facts.density == pytest.approx(450_000 / 499_500)
    assert facts.degrees.max <= 999


def test_stated_figures_win() -> None:
    facts = from_counts(
        10_000, 20_000, 1000, 2, directed=False, dataset_bytes=10**10, edge_features=4, train_share=0.1, name="towns"
    )
    assert (facts.dataset_bytes, facts.edge_features, facts.name) == (10**10, 4, "towns")
    assert (facts.labels.train, facts.labels.val, facts.labels.split_is_seeded) == (1000, 4500, False)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(OptionError, match="train share"):
        from_counts(10, 10, directed=False, train_share=share)


def test_unknown_classes_and_features_are_assumed_and_noted() -> None:
    facts = from_counts(10, 100, directed=False)
    assert (facts.labels.num_classes, facts.features.generated, facts.features.width) == (2, True, 2)
    assert "number of classes not known: 2 assumed" in facts.notes
    assert "more edges than pairs of nodes: parallel edges or self-loops assumed" in facts.notes


def test_a_scaled_data_set_keeps_its_mean_degree() -> None:
    facts = from_dataset(dataset("ogbn-products"), 0.1)
    assert facts.name == "ogbn-products@0.1"
    assert facts.num_nodes == 244_903
    assert facts.mean_degree == pytest.approx(50.5, abs=0.1)
    assert facts.labels.train == pytest.approx(0.0803 * 244_903, rel=1e-3)
    assert (facts.origin, facts.labels.homophily, facts.labels.split_is_seeded) == (Origin.ESTIMATED, 0.81, False)


def test_graph_sets_count_labels_in_graphs() -> None:
    facts = from_dataset(dataset("mutag"))
    assert (facts.task, facts.num_graphs, facts.labels.labelled) == (Task.GRAPH, 188, 188)
    assert facts.labels.homophily is None


def test_sparse_features_of_the_catalog() -> None:
    facts = from_dataset(dataset("coauthor-cs"))
    assert facts.features.density(facts.num_nodes) == pytest.approx(0.0088, rel=1e-3)


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e-9, 1e9, float("nan")])
def test_scales_must_leave_a_graph(scale: float) -> None:
    with pytest.raises(OptionError, match="scale must be above 0"):
        from_dataset(dataset("cora"), scale)


@given(st.integers(1, 10**9), st.integers(0, 10**12), st.sampled_from([0.0, 0.33, 1.2, 2.0]))
def test_estimated_bins_add_up(num_nodes: int, num_edges: int, sigma: float) -> None:
    degrees = estimated_degrees(num_nodes, num_edges, sigma)
    assert sum(degrees.histogram) == num_nodes
    assert sum(degrees.totals) == num_edges
    assert list(degrees.lows) == sorted(set(degrees.lows))
    assert all(count > 0 for count in degrees.histogram)
    for low, high, nodes, total in zip(
        degrees.lows, (*degrees.lows[1:], degrees.max + 1), degrees.histogram, degrees.totals, strict=True
    ):
        assert low * nodes <= total < high * nodes
    assert len(degrees.lows) < 60


@given(st.integers(2, 2000), st.floats(0, 1))
def test_no_estimated_degree_exceeds_what_a_simple_graph_allows(num_nodes: int, share: float) -> None:
    num_edges = int(share * num_nodes * (num_nodes - 1))
    assert estimated_degrees(num_nodes, num_edges).max <= num_nodes - 1


def test_estimated_spread_is_that_of_the_real_graph() -> None:
    """Second moment of amazon-computers' degrees: mean 35.8, coefficient of variation 1.97."""
    entry = replace(dataset("amazon-computers"), num_graphs=1)
    degrees = from_dataset(entry).degrees
    second = sum(total * total / nodes for nodes, total in zip(degrees.histogram, degrees.totals, strict=True))
    variation = (second / entry.num_nodes / degrees.mean**2 - 1) ** 0.5
    assert variation == pytest.approx(1.97, rel=0.2)
