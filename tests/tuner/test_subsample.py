"""Parts of graphs: seeded, cut rightly, and of the whole's character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techniques.remote.source import open_graph
from tuner.subsample import character, compared, distances, subsample


def _dense(stored: Any) -> Any:
    if "x" in stored.headers:
        return np.asarray(stored.read("x"))
    data, columns, pointer, shape = (np.asarray(stored.read(f"x_{k}")) for k in ("data", "indices", "indptr", "shape"))
    x = np.zeros(tuple(shape), dtype=np.float32)
    for row in range(shape[0]):
        part = slice(pointer[row], pointer[row + 1])
        x[row, columns[part]] = data[part]
    return x


def _pairs(stored: Any) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in np.asarray(stored.read("edge_index")).T]


@pytest.mark.parametrize("features", ["dense", "float16", "sparse"])
def test_nodes_keep_their_values_and_their_edges(tiny: Any, tmp_path: Path, features: str) -> None:
    """Every node's label is its id, so that the part says which nodes it holds."""
    whole = tiny(features=features)
    nodes = 60
    masks = {f"{name}_mask": np.arange(nodes) % 3 == index for index, name in enumerate(("train", "val", "test"))}
    whole.arrays.update(masks, y=np.arange(nodes))
    part = subsample(whole, 0.4, tmp_path / "part")
    ids = np.asarray(part.read("y"))
    assert ids.size == int(np.asarray(part.read("num_nodes"))) == 24
    assert len(set(ids.tolist())) == ids.size
    for key, mask in masks.items():
        assert np.array_equal(np.asarray(part.read(key)), mask[ids])
    assert np.array_equal(_dense(part), _dense(whole)[ids])
    inside = set(ids.tolist())
    expected = sorted((a, b) for a, b in _pairs(whole) if a in inside and b in inside)
    assert sorted((int(ids[a]), int(ids[b])) for a, b in _pairs(part)) == expected


def test_edges_keep_their_data(tiny: Any, tmp_path: Path) -> None:
    """Every node's label is its id, and every edge's data its two ends."""
    whole = tiny()
    edges = whole.arrays["edge_index"]
    whole.arrays.update(y=np.arange(60), edge_weight=edges[0] + 100.0 * edges[1], edge_attr=edges.T.astype(np.float32))
    part = subsample(whole, 0.4, tmp_path / "part")
    source, target = np.asarray(part.read("y"))[np.asarray(part.read("edge_index"))]
    assert np.array_equal(np.asarray(part.read("edge_weight")), source + 100.0 * target)
    assert np.array_equal(np.asarray(part.read("edge_attr")), np.stack([source, target], axis=1))


def test_multi_label_rows_are_cut(tiny: Any, tmp_path: Path) -> None:
    whole = tiny(labels="multi")
    whole.arrays["pos"] = np.arange(60)
    part = subsample(whole, 0.5, tmp_path / "part")
    ids = np.asarray(part.read("pos"))
    assert np.array_equal(np.asarray(part.read("y")), np.asarray(whole.read("y"))[ids])


def test_the_same_seed_draws_the_same_part_and_another_seed_another(tiny: Any, tmp_path: Path) -> None:
    whole = tiny()
    drawn = []
    for index, seed in enumerate((1, 1, 2)):
        drawn.append(_dense(subsample(whole, 0.3, tmp_path / str(index), seed=seed)))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_a_part_that_is_there_is_used(tiny: Any, tmp_path: Path) -> None:
    first = subsample(tiny(), 0.3, tmp_path / "part")
    again = subsample(tiny(seed=5), 0.9, tmp_path / "part")
    assert np.array_equal(_dense(first), _dense(again))


@pytest.mark.parametrize(
    "name, share", [("cora", 0.3), ("amazon_photo", 0.15), ("amazon_computers", 0.2), ("coauthor_cs", 0.1)]
)
def test_a_part_of_a_real_graph_keeps_its_character(real_graph: Any, tmp_path: Path, name: str, share: float) -> None:
    whole = open_graph(str(real_graph(name)))
    part = subsample(whole, share, tmp_path / "part")
    before, after = character(whole), character(part)
    assert after["num_nodes"] == int(share * before["num_nodes"])
    assert 0.5 * before["mean_degree"] < after["mean_degree"] < 1.7 * before["mean_degree"]
    assert abs(after["homophily"] - before["homophily"]) < 0.1
    assert abs(after["majority_share"] - before["majority_share"]) < 0.1
    for key in ("train_mask", "val_mask"):
        if key in whole.headers:
            assert np.asarray(part.read(key)).any(), f"{key} picks nobody: nothing could be learned or compared"


@pytest.mark.parametrize("name", ["cora", "amazon_computers", "coauthor_cs"])
def test_degrees_and_classes_of_a_third_of_a_real_graph_are_close(real_graph: Any, tmp_path: Path, name: str) -> None:
    whole = open_graph(str(real_graph(name)))
    part = subsample(whole, 1 / 3, tmp_path / "part")
    apart = distances(whole, part)
    assert apart["degree_distance"] < 0.12
    assert apart["class_distance"] < 0.1
    told = compared(whole, part)
    assert {"whole_mean_degree", "part_mean_degree", "part_homophily", "part_degree_distance"} <= set(told)


def test_distances_of_known_graphs(tiny: Any) -> None:
    """A graph is no distance from itself; a ring and a ring of twice the degrees are as far apart as can be."""
    whole = tiny()
    assert set(distances(whole, whole).values()) == {0.0}
    ring, double = tiny(), tiny()
    nodes = np.arange(60)
    ring.arrays["edge_index"] = np.stack([nodes, np.roll(nodes, 1)])
    double.arrays["edge_index"] = np.concatenate([ring.arrays["edge_index"], ring.arrays["edge_index"][::-1]], axis=1)
    ring.arrays["y"], double.arrays["y"] = nodes % 2, np.zeros(60, dtype=np.int64)
    assert distances(ring, double) == {"degree_distance": 1.0, "class_distance": 0.5}


def test_class_ids_may_be_any(tiny: Any) -> None:
    """Ids are compared as they are: a class that only one of two graphs has is not taken for another."""
    whole, part = tiny(), tiny()
    whole.arrays["y"] = np.where(np.arange(60) < 45, 7_000_000_003, 5)
    part.arrays["y"] = np.where(np.arange(60) < 30, 7_000_000_003, 6)
    assert character(whole)["majority_share"] == 0.75
    assert distances(whole, part)["class_distance"] == 0.5
