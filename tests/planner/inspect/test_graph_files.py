"""Profiles of real graphs against the table that comes with them; skipped where the files are absent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from planner.inspect.graph import profile
from techniques.facts import GraphFacts, SizeClass, Task
from techniques.remote.source import open_graph

FOLDER = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the real graphs are not on this machine")


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    name: str
    nodes: int
    edges: int
    symmetric: bool
    width: int
    classes: int
    labelled: int | None
    imbalance: float | None
    majority: float | None
    homophily: float | None
    max_degree: int
    isolated: int
    has_split: bool


ROWS = (
    Row("cora", 2708, 10556, True, 1433, 7, 2708, 4.5, 0.302, 0.81, 168, 0, True),
    Row("citeseer", 3327, 9104, True, 3703, 6, 3312, 2.8, 0.212, 0.738, 99, 48, True),
    Row("actor", 7600, 53318, True, 932, 5, 7600, 2.3, 0.259, 0.217, 1303, 0, True),
    Row("amazon_photo", 7650, 238162, True, 745, 8, 7650, 5.9, 0.254, 0.827, 1434, 115, False),
    Row("minesweeper", 10000, 78804, True, 7, 2, 10000, 4.0, 0.8, 0.683, 8, 0, True),
    Row("tolokers", 11758, 1038000, True, 10, 2, 11758, 3.6, 0.782, 0.595, 2138, 0, True),
    Row("amazon_computers", 13752, 491722, True, 767, 10, 13752, 17.7, 0.375, 0.777, 2992, 281, False),
    Row("coauthor_cs", 18333, 163788, True, 6805, 15, 18333, 35.1, 0.226, 0.808, 136, 0, False),
    Row("karate", 34, 156, True, 2, 4, 34, 2.4, 0.353, 0.731, 17, 0, False),
    Row("polblogs", 1490, 19025, False, 2, 2, 1490, 1.0, 0.509, 0.912, 337, 266, False),
    Row("wiki_vote", 7115, 103689, False, 2, 0, None, None, None, None, 457, 0, False),
    Row("blogcatalog_multilabel", 10312, 667966, True, 2, 39, 10312, None, None, None, 3992, 0, False),
    Row("pygod_reddit", 10984, 168016, True, 64, 2, 10984, 29.0, 0.967, 0.95, 2556, 0, False),
    Row("osm_monaco", 4770, 10352, True, 20, 6, 4770, 46.0, 0.357, 0.906, 5, 0, False),
    Row("osm_porto_alegre", 41056, 99048, True, 20, 8, 41056, 1886.8, 0.276, 0.802, 7, 0, False),
    Row("road_ny", 264346, 730100, True, 10, 10, 264346, 1.1, 0.106, 0.446, 8, 0, False),
    Row("tu_mutag", 3371, 7442, True, 7, 2, 188, 2.0, 0.665, None, 4, 0, False),
    Row("tu_proteins", 43471, 162088, True, 3, 2, 1113, 1.5, 0.596, None, 25, 5, False),
    Row("tu_nci1", 122747, 265506, True, 37, 2, 4110, 1.0, 0.5, None, 4, 428, False),
    Row("imdb_hetero", 11616, 17106, False, 7255, 3, 4278, 1.4, 0.37, None, 52, 0, False),
)


def read(name: str) -> GraphFacts:
    return profile(open_graph(str(FOLDER / f"{name}.npz")))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_profile_agrees_with_the_table(row: Row) -> None:
    facts = read(row.name)
    labels = facts.labels
    assert (facts.num_nodes, facts.num_edges, facts.undirected) == (row.nodes, row.edges, row.symmetric)
    assert (facts.features.width, labels.num_classes, labels.labelled) == (row.width, row.classes, row.labelled)
    assert (facts.degrees.max, facts.isolated) == (row.max_degree, row.isolated)
    assert sum(facts.degrees.histogram) == row.nodes
    assert sum(facts.degrees.totals) == row.edges
    assert labels.split_is_seeded is not row.has_split
    for value, expected, digit in (
        (labels.imbalance, row.imbalance, 0.05),
        (labels.majority_share, row.majority, 5e-4),
        (labels.homophily, row.homophily, 5e-4),
    ):
        assert value == (None if expected is None else pytest.approx(expected, abs=digit * 1.02))


def test_public_split_of_cora() -> None:
    labels = read("cora").labels
    assert (labels.train, labels.val, labels.test) == (140, 500, 1000)


def test_self_loops_of_pygod_reddit() -> None:
    assert read("pygod_reddit").self_loops == 10984


def test_tasks_and_types() -> None:
    assert read("wiki_vote").task is Task.LINK
    proteins = read("tu_proteins")
    assert (proteins.task, proteins.num_graphs) == (Task.GRAPH, 1113)
    movies = read("imdb_hetero")
    assert movies.nodes_by_type == {"movie": 4278, "director": 2081, "actor": 5257}
    assert sum(movies.edges_by_type.values()) == 17106
    assert movies.heterogeneous


def test_size_classes_of_real_graphs() -> None:
    assert read("cora").size_class is SizeClass.SMALL
    assert read("osm_porto_alegre").size_class is SizeClass.MEDIUM
    assert read("road_ny").size_class is SizeClass.LARGE


def test_density_of_coauthor_features_comes_from_the_header() -> None:
    facts = read("coauthor_cs")
    assert facts.features.sparse_at_rest
    assert facts.features.density(facts.num_nodes) == pytest.approx(0.00875, abs=5e-6)
    assert facts.dataset_bytes == 16 * 163788 + 4 * 18333 * 6805


def test_npz_and_folder_have_one_fingerprint(tmp_path: Path) -> None:
    with np.load(FOLDER / "cora.npz", allow_pickle=False) as arrays:
        for key in arrays.files:
            np.save(tmp_path / f"{key}.npy", arrays[key])
    folder = profile(open_graph(str(tmp_path)))
    assert folder.fingerprint == read("cora").fingerprint
    assert folder.fingerprint != read("citeseer").fingerprint
