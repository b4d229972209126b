"""The edge-list form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from techniques.errors import GraphError
from techniques.remote.source import StoredGraph, open_graph
from techniques.remote.source.validate import check_features, check_headers, check_structure


def opened(folder: Path, edges: str, nodes: str | None = None) -> StoredGraph:
    (folder / "edges.csv").write_text(edges)
    if nodes is not None:
        (folder / "nodes.csv").write_text(nodes)
    return open_graph(str(folder / "edges.csv"))


def test_edges_alone(tmp_path: Path) -> None:
    stored = opened(tmp_path, "\ufeffSource,Target\r\n0,1\r\n\r\n1,2\r\n")
    assert stored.name == tmp_path.name
    assert stored.read("edge_index").tolist() == [[0, 1], [1, 2]]
    assert stored.read("num_nodes") == 3
    check_headers(stored)
    assert open_graph(str(tmp_path)).headers == stored.headers


def test_edges_and_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("techniques.remote.source.csv_files.CHUNK_ROWS", 2)
    nodes = "id,size,label,split,age\n2,2.5,1.0,val,3\n0,0.5,0,train,1\n1,1.5,,,2\n3,3.5,1,Test,4\n"
    stored = opened(tmp_path, "source,target,weight\n0,1,0.5\n1,2,1e3\n3,3,2\n2,0,1\n0,3,1\n", nodes)
    for check in (check_headers, check_structure, check_features):
        check(stored)
    assert stored.read("edge_index").tolist() == [[0, 1, 3, 2, 0], [1, 2, 3, 0, 3]]
    assert stored.read("edge_weight").tolist() == [0.5, 1000.0, 2.0, 1.0, 1.0]
    assert stored.read("x").tolist() == [[0.5, 1], [1.5, 2], [2.5, 3], [3.5, 4]]
    assert stored.read("y").tolist() == [0, -1, 1, 1]
    assert [np.flatnonzero(stored.read(f"{key}_mask")).tolist() for key in ("train", "val", "test")] == [[0], [2], [3]]


@pytest.mark.parametrize(
    ("edges", "nodes", "problem"),
    [
        ("", None, "header line source,target"),
        ("0,1\n1,2\n", None, "header line source,target"),
        ("source,target,colour\n0,1,2\n", None, "got 'colour'"),
        ("source,target\n0,1\n1,a\n", None, "line 3: target must be a whole number, got 'a'"),
        ("source,target\n0,1\n\n1,1.5\n", None, "line 4: target must be a whole number, got '1.5'"),
        ("source,target\n0,1\n1\n", None, "line 3 must have 2 values, got 1"),
        ("source,target,weight\n0,1,x\n", None, "line 2: weight must be a number"),
        ("source,target\n0,1\n\n-1,0\n", None, "line 4: ids must be from 0 to 1, got -1,0"),
        ("source,target\n0,99999999999999999999\n", None, "CSV file of numbers"),
        ("source,target\n0,1000000\n", None, "number its nodes 0 to N - 1"),
        ("source,target\n0,1\n1,5\n", "id\n0\n1\n2\n", "line 3: ids must be from 0 to 2, got 1,5"),
        ("source,target\n0,1\n", "id\n0\n5\n", "every id from 0 to 1 once"),
        ("source,target\n0,1\n", "id,a\n", "at least one node"),
        ("source,target\n0,1\n", "name\na\n", "header line id"),
        ("source,target\n0,1\n", "id,a,a\n0,1,1\n", "distinct names"),
        ("source,target\n0,1\n", "id,a\n0,1\n1,blue\n", "line 3: a must be a number, got 'blue'"),
        ("source,target\n0,1\n", "id,label\n0,cat\n1,dog\n", "label must be a whole number or empty, got 'cat'"),
        ("source,target\n0,1\n", "id,label\n0,1\n1,1.5\n", "got '1.5'"),
        ("source,target\n0,1\n", "id,label\n0,1\n1,inf\n", "got 'inf'"),
        ("source,target\n0,1\n", "id,split\n0,train\n1,holdout\n", "got 'holdout'"),
    ],
)
def test_wrong_files(tmp_path: Path, edges: str, nodes: str | None, problem: str) -> None:
    with pytest.raises(GraphError, match=problem):
        opened(tmp_path, edges, nodes)


def test_no_edges(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="at least"):
        check_headers(opened(tmp_path, "source,target\n"))


def test_binary_file(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_bytes(b"source,target\n\xff\xfe\x00,1\n")
    with pytest.raises(GraphError):
        open_graph(str(tmp_path / "edges.csv"))
