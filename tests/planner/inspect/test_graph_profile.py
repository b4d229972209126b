"""Profiles of small graphs made by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.inspect.graph import profile, size_class
from techniques.errors import OptionError, UnsupportedTaskError
from techniques.facts import SizeClass, Task
from techniques.remote.source.stored import StoredGraph

MakeGraph = Callable[..., StoredGraph]
TRIANGLE = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)]


def test_a_triangle_with_a_lone_node(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(4, TRIANGLE, x=np.zeros((4, 3), np.float16), y=[0, 0, 1, -1]))
    assert (facts.num_nodes, facts.num_edges, facts.undirected) == (4, 6, True)
    assert (facts.isolated, facts.self_loops) == (1, 0)
    assert facts.density == 6 / 12
    assert (facts.degrees.lows, facts.degrees.histogram, facts.degrees.totals) == ((0, 2), (1, 3), (0, 6))
    assert (facts.features.width, facts.features.dtype, facts.features.nonzeros) == (3, "float16", 12)
    assert facts.features.stored_bytes == 24
    assert facts.dataset_bytes == 16 * 6 + 4 * 4 * 3
    assert facts.labels.homophily == 2 / 6
    assert (facts.labels.num_classes, facts.labels.labelled, facts.labels.imbalance) == (2, 3, 2.0)
    assert (facts.task, facts.size_class, facts.num_graphs) == (Task.NODE, SizeClass.SMALL, 1)


@pytest.mark.parametrize(
    ("edges", "undirected"),
    [
        (TRIANGLE, True),
        ([], True),
        ([(0, 0)], True),
        ([(0, 1)], False),
        ([(0, 1), (1, 2), (2, 0)], False),
        ([(0, 1), (0, 1), (1, 0), (1, 0)], True),
        ([(0, 1), (0, 1), (1, 0), (1, 2), (2, 1), (2, 1)], False),
    ],
)
def test_undirected_means_that_every_entry_is_stored_in_both_directions(
    make_graph: MakeGraph, edges: Any, undirected: bool
) -> None:
    assert profile(make_graph(3, edges)).undirected is undirected


def test_a_random_graph_is_undirected_only_as_a_whole(make_graph: MakeGraph) -> None:
    rng = np.random.default_rng(0)
    half = rng.integers(0, 5000, (200_000, 2))
    whole = np.concatenate([half, half[:, ::-1]])
    swapped = whole.copy()
    # Two entries exchange their targets: all degrees stay, both directions do not.
    swapped[[0, 1], 1] = swapped[[1, 0], 1]
    assert profile(make_graph(5000, rng.permutation(whole))).undirected
    assert not profile(make_graph(5000, swapped)).undirected


def test_bins_hold_every_node_and_every_edge(make_graph: MakeGraph) -> None:
    rng = np.random.default_rng(1)
    edges = np.stack([rng.integers(0, 3000, 60_000), (rng.pareto(1.0, 60_000) * 10).astype(int) % 3000], axis=1)
    degrees = profile(make_graph(3000, edges)).degrees
    counts = np.bincount(edges[:, 1], minlength=3000)
    assert sum(degrees.histogram) == 3000
    assert sum(degrees.totals) == 60_000
    assert degrees.mean == 20.0
    assert degrees.max == degrees.lows[-1] == counts.max()
    for low, high, nodes, total in zip(
        degrees.lows, (*degrees.lows[1:], degrees.max + 1), degrees.histogram, degrees.totals, strict=True
    ):
        inside = counts[(counts >= low) & (counts < high)]
        assert (len(inside), inside.sum()) == (nodes, total)


def test_self_loops_count_as_edges_but_not_in_the_density(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(3, [*TRIANGLE, (0, 0)]))
    assert (facts.num_edges, facts.self_loops, facts.density) == (7, 1, 1.0)
    assert profile(make_graph(2, [(1, 1)])).isolated == 1


def test_absent_features_are_generated(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(3, TRIANGLE, y=[0, 1, 1]))
    assert facts.features.generated
    assert (facts.features.width, facts.features.stored_bytes) == (2, 0)
    assert any("log-degree" in note for note in facts.notes)


def test_sparse_features_are_read_from_headers(make_graph: MakeGraph) -> None:
    arrays = {
        "x_data": np.ones(5, np.float16),
        "x_indices": np.zeros(5, np.int32),
        "x_indptr": np.arange(4),
        "x_shape": np.array([3, 100]),
    }
    features = profile(make_graph(3, TRIANGLE, y=[0, 1, 1], **arrays)).features
    assert (features.width, features.nonzeros, features.sparse_at_rest) == (100, 5, True)
    assert features.stored_bytes == 5 * 2 + 5 * 4 + 4 * 8
    assert features.density(3) == 5 / 300


def test_masks_count_labelled_nodes_only(make_graph: MakeGraph) -> None:
    masks = {"train_mask": [True, True, False], "val_mask": [False, False, True], "test_mask": [False] * 3}
    labels = profile(make_graph(3, TRIANGLE, y=[0, -1, 2], **masks)).labels
    assert (labels.train, labels.val, labels.test, labels.split_is_seeded) == (1, 1, 0, False)


def test_gaps_in_class_ids_are_noted_and_not_counted(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(3, TRIANGLE, y=[0, 7, 10**12]))
    assert facts.labels.num_classes == 3
    assert "class ids have gaps: 3 classes, largest id 1000000000000" in facts.notes


def test_float_labels_are_ids_with_nan_for_unlabelled(make_graph: MakeGraph) -> None:
    labels = profile(make_graph(3, TRIANGLE, y=[[0.0], [1.0], [np.nan]])).labels
    assert (labels.num_classes, labels.labelled, labels.homophily) == (2, 2, 0.0)
    with pytest.raises(UnsupportedTaskError, match="fractions"):
        profile(make_graph(3, TRIANGLE, y=[0.0, 0.5, 1.0]))


def test_unlabelled_graph(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(3, TRIANGLE, y=[-1, -1, -1]))
    assert (facts.labels.num_classes, facts.labels.labelled, facts.labels.homophily) == (0, 0, None)
    assert "no node has a label" in facts.notes


def test_several_labels_per_node(make_graph: MakeGraph) -> None:
    labels = profile(make_graph(3, TRIANGLE, y=np.eye(3, dtype=np.uint8))).labels
    assert (labels.num_classes, labels.multi_label, labels.labelled, labels.imbalance) == (3, True, 3, None)


def test_graph_sets(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(5, TRIANGLE, y=[0, 1], graph_ptr=[0, 3, 5]))
    assert (facts.task, facts.num_graphs, facts.labels.labelled) == (Task.GRAPH, 2, 2)
    assert facts.labels.homophily is None
    node_level = profile(make_graph(5, TRIANGLE, y=[0, 1, 0, 1, 0], graph_ptr=[0, 3, 5]))
    assert (node_level.task, node_level.num_graphs) == (Task.NODE, 2)


def test_types_are_counted_by_name(make_graph: MakeGraph) -> None:
    types = {"node_type": [0, 0, 1], "type_names": ["movie", "actor"], "edge_type": [0] * 5 + [2], "rel_names": ["has"]}
    facts = profile(make_graph(3, TRIANGLE, **types))
    assert facts.nodes_by_type == {"movie": 2, "actor": 1}
    assert facts.edges_by_type == {"has": 5, "edge1": 0, "edge2": 1}
    assert facts.heterogeneous


def test_no_labels_means_link_prediction(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(3, TRIANGLE))
    assert (facts.task, facts.labels.num_classes, facts.labels.labelled) == (Task.LINK, 0, None)
    assert "no labels: the task is link prediction" in facts.notes


def test_the_task_can_be_stated_where_the_labels_allow_it(make_graph: MakeGraph) -> None:
    labelled, plain = make_graph(3, TRIANGLE, y=[0, 1, 1]), make_graph(3, TRIANGLE)
    assert profile(labelled, task=Task.LINK).task is Task.LINK
    assert profile(labelled, task=Task.NODE).task is Task.NODE
    with pytest.raises(OptionError, match="task graph needs"):
        profile(labelled, task=Task.GRAPH)
    with pytest.raises(OptionError, match="task node needs labels y"):
        profile(plain, task=Task.NODE)


def test_a_fingerprint_ignores_widths_at_rest_and_follows_the_edges(make_graph: MakeGraph) -> None:
    narrow, wide, other = (make_graph(3, TRIANGLE) for _ in range(3))
    wide.arrays["edge_index"] = wide.arrays["edge_index"].astype(np.int64)  # type: ignore[attr-defined]
    other.arrays["edge_index"] = other.arrays["edge_index"][:, ::-1]  # type: ignore[attr-defined]
    prints = [profile(graph).fingerprint for graph in (narrow, wide, other)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        (34, 78, "small"),
        (2708, 5278, "small"),
        (2000, 50_000, "medium"),
        (99_999, 10, "medium"),
        (10, 100_000, "large"),
    ],
)
def test_size_classes(nodes: int, edges: int, expected: str) -> None:
    assert size_class(nodes, edges) == expected


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, planner.inspect.estimate, planner.inspect.graph, planner.inspect.machine, planner.inspect.model, planner.catalog, "
        "planner.quantities\n"
        "planner.catalog.machine('colab-t4')\n"
        "planner.inspect.estimate.from_counts(2_400_000, 61_900_000, 100, 47, directed=False)\n"
        "planner.inspect.estimate.from_dataset(planner.catalog.dataset('reddit'))\n"
        "print(sorted({'numpy', 'torch', 'psutil', 'pynvml', 'optuna', 'textual', 'rich'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"
