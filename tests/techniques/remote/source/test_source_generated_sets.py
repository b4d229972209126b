"""Generated sets of graphs have the statistics of the catalog, and labels that can be learned from either structure or features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.catalog import dataset
from techniques.errors import GraphError
from techniques.remote.graphs import is_graph_level, targets_are_real
from techniques.remote.source.generated import generate
from techniques.remote.source.validate import check_features, check_headers, check_structure

SETS = (("mutag", 1.0), ("proteins", 0.3), ("nci1", 0.2), ("zinc", 0.005), ("peptides-func", 0.02), ("collab", 0.01))


def made(name: str, scale: float, seed: int = 0) -> dict[str, Any]:
    stored = generate(dataset(name).statistics(), scale, seed)
    for check in (check_headers, check_structure, check_features):
        check(stored)
    assert is_graph_level(stored)
    return {key: np.asarray(stored.read(key)) for key in stored.headers}


@pytest.mark.parametrize(("name", "scale"), SETS)
def test_counts_sizes_and_labels_are_those_of_the_catalog(name: str, scale: float) -> None:
    entry, arrays = dataset(name), made(name, scale)
    sizes, source = np.diff(arrays["graph_ptr"]), arrays["edge_index"][0]
    assert len(sizes) == round(entry.num_graphs * scale)
    assert sizes.sum() == arrays["num_nodes"] == round(entry.num_nodes * scale)
    assert len(source) == pytest.approx(entry.num_edges * scale, rel=0.01)
    assert sizes.std() / sizes.mean() == pytest.approx(entry.size_variation or 0.5, rel=0.35)
    labels = arrays["y"]
    assert len(labels) == len(sizes)
    assert targets_are_real(labels) == bool(entry.targets)
    if not entry.targets:
        assert (labels.shape[1] if entry.multi_label else len(np.unique(labels))) == entry.classes


@pytest.mark.parametrize(("name", "scale"), SETS)
def test_edges_lie_within_graphs_once_in_both_directions_and_reach_every_node(name: str, scale: float) -> None:
    arrays = made(name, scale)
    nodes, (source, target) = int(arrays["num_nodes"]), arrays["edge_index"].astype(np.int64)
    graph = np.searchsorted(arrays["graph_ptr"], arrays["edge_index"], side="right")
    assert (graph[0] == graph[1]).all()
    assert (source != target).all()
    keys = source * nodes + target
    assert (np.diff(keys) > 0).all(), "sorted, without repeats"
    assert np.array_equal(np.sort(target * nodes + source), keys)
    assert len(np.unique(source)) == nodes, "no node is alone"


def test_the_label_shows_in_structure_and_in_features() -> None:
    arrays = made("proteins", 1.0)
    sizes, label = np.diff(arrays["graph_ptr"]), arrays["y"]
    edges = np.diff(np.searchsorted(arrays["edge_index"][0], arrays["graph_ptr"]))
    extra = (edges / 2 - (sizes - 1)) / sizes
    assert extra[label == 1].mean() > 1.2 * extra[label == 0].mean()
    means = np.add.reduceat(arrays["x"], arrays["graph_ptr"][:-1]) / sizes[:, None]
    large = sizes >= 20
    apart = means[large & (label == 1)].mean(0) - means[large & (label == 0)].mean(0)
    assert np.abs(apart).max() > 0.5 * means[large].std(0).max()


def test_one_seed_gives_one_set_and_others_differ() -> None:
    first, again, other = (made("mutag", 1.0, seed)["edge_index"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_fewer_than_two_graphs_are_refused() -> None:
    with pytest.raises(GraphError, match="two graphs"):
        made("mutag", 0.005)


def test_labels_per_node_stay_one_graph() -> None:
    assert dataset("ppi").statistics().num_graphs == 1
