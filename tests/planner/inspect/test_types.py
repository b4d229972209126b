"""Facts by node and edge type, from every form that can hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.inspect.graph import profile
from planner.inspect.opened import checked
from techniques.errors import GraphError
from techniques.remote.hetero_types import edge_types, edges_by_type, node_types
from techniques.remote.read_hetero import read_hetero
from techniques.remote.source import from_object, open_graph
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import spill


def test_a_hetero_data_object(films: Any) -> None:
    facts = profile(from_object(films(), "films"))
    assert [(one.name, one.num_nodes, one.columns, one.feature_bytes) for one in facts.node_types] == [
        ("movie", 40, 24, 3840),
        ("person", 30, 5, 600),
        ("tag", 12, 0, 0),
    ]
    assert [(one.name, one.num_edges, one.reverse) for one in facts.edge_types] == [
        ("movie|by|person", 90, None),
        ("movie|has|tag", 70, None),
        ("person|likes|movie", 60, None),
        ("person|knows|person", 80, 3),
    ]
    by = facts.edge_types[0]
    edges = films()["movie", "by", "person"].edge_index.numpy()
    assert by.degrees.max == np.bincount(edges[1]).max() and sum(by.degrees.histogram) == 30
    assert by.out_degrees.max == np.bincount(edges[0]).max() and sum(by.out_degrees.histogram) == 40
    assert facts.target_type == "movie" and facts.labels.num_classes == 3


def test_every_form_says_the_same(films: Any, tmp_path: Any, monkeypatch: Any) -> None:
    import torch

    data = films()
    expected = profile(from_object(data, "films"))
    torch.save(data, tmp_path / "films.pt")
    stored = from_object(data, "films")
    spill(stored, tmp_path / "folder")
    np.savez(tmp_path / "films.npz", **stored.arrays)
    (tmp_path / "makes_films.py").write_text(
        f"import torch\ndef make():\n    return torch.load({str(tmp_path / 'films.pt')!r}, weights_only=False)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("films.pt", "folder", "films.npz", "makes_films:make"):
        graph = name if ":" in name else str(tmp_path / name)
        opened = open_graph(graph)
        checked(opened, check_values=True)
        facts = profile(opened)
        assert (facts.node_types, facts.edge_types, facts.target_type) == (
            expected.node_types,
            expected.edge_types,
            expected.target_type,
        ), name
        back = read_hetero(graph, "movie")
        assert [list(key) for key in back.edge_types] == [list(key) for key in data.edge_types]
        for key in data.edge_types:
            assert torch.equal(back[key].edge_index, data[key].edge_index)
        assert torch.equal(back["person"].x, data["person"].x) and "x" not in back["tag"]


def test_a_stored_reverse_is_found(films: Any) -> None:
    from torch_geometric.transforms import ToUndirected

    facts = profile(from_object(ToUndirected(merge=False)(films()), "films"))
    names = [one.relation for one in facts.edge_types]
    for one in facts.edge_types:
        assert one.reverse is not None, one.name
        other = names[one.reverse]
        assert other in (one.relation, f"rev_{one.relation}", one.relation.removeprefix("rev_"))


def mixed() -> ArrayGraph:
    """Node types side by side in no order, a relation between two pairs of types, one without edges."""
    arrays = {
        "num_nodes": np.array(6),
        "node_type": np.array([1, 0, 1, 0, 0, 1], dtype=np.int8),
        "edge_index": np.array([[0, 1, 2, 3, 5], [1, 0, 3, 4, 2]], dtype=np.int32),
        "edge_type": np.array([0, 0, 0, 1, 0], dtype=np.int8),
        "type_names": np.array(["a", "b"]),
        "rel_names": np.array(["near", "a|next|a", "b|far|a"]),
        "x": np.array([[1.0], [0.0], [2.0], [0.0], [0.0], [3.0]], dtype=np.float32),
        "y": np.array([-1, 0, -1, 1, 0, -1]),
    }
    return ArrayGraph("mixed", arrays)


def test_types_in_no_order_and_relations_between_several_pairs() -> None:
    stored = mixed()
    nodes = node_types(stored)
    types = edge_types(stored, nodes)
    assert [(one.source, one.name, one.target, one.num_edges) for one in types] == [
        (0, "near", 1, 1),
        (1, "near", 0, 2),
        (1, "near", 1, 1),
        (0, "next", 0, 1),
        (1, "far", 0, 0),
    ]
    edges = [one.tolist() for one in edges_by_type(stored, nodes, types)]
    assert edges == [[[0], [0]], [[0, 1], [0, 1]], [[2], [1]], [[1], [2]], [[], []]]
    facts = profile(stored)
    assert [one.columns for one in facts.node_types] == [0, 1], "a type whose rows are all zero has no features"
    assert facts.target_type == "a"


def test_one_type_of_each_is_no_heterogeneous_graph(tiny: Any) -> None:
    facts = profile(tiny())
    assert facts.node_types == () and facts.edge_types == () and facts.target_type is None


def test_an_edge_type_whose_node_type_is_missing(films: Any) -> None:
    import torch

    data = films()
    data["movie", "in", "cinema"].edge_index = torch.zeros((2, 1), dtype=torch.int64)
    with pytest.raises(GraphError, match=r"movie\|in\|cinema must join node types") as caught:
        from_object(data, "films")
    assert "cinema" in caught.value.remedy


def test_an_unknown_target_names_the_types(films: Any, tmp_path: Any) -> None:
    np.savez(tmp_path / "films.npz", **from_object(films(), "films").arrays)
    with pytest.raises(GraphError, match="must be a node type") as caught:
        read_hetero(str(tmp_path / "films.npz"), "studio")
    assert "movie, person, tag" in caught.value.remedy
