"""PyG objects: in memory, in .pt files, from factories and from PyG's own data sets."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from techniques.errors import GraphError
from techniques.remote.source import StoredGraph, from_object, open_graph
from techniques.remote.source.validate import check_features, check_headers, check_structure

torch = pytest.importorskip("torch")
# torch_geometric still scripts a class when it is imported.
pytestmark = [pytest.mark.usefixtures("pyg"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def check(stored: StoredGraph) -> StoredGraph:
    check_headers(stored)
    check_structure(stored)
    check_features(stored)
    return stored


def same(left: StoredGraph, right: StoredGraph) -> bool:
    keys = set(left.headers) - {"meta"}
    return keys == set(right.headers) - {"meta"} and all(np.array_equal(left.read(k), right.read(k)) for k in keys)


@pytest.fixture
def data(arrays: dict[str, Any]) -> Any:
    from torch_geometric.data import Data

    tensors = {key: torch.from_numpy(array) for key, array in arrays.items() if key != "num_nodes"}
    return Data(**tensors | {"edge_index": tensors["edge_index"].long()})


@pytest.fixture
def hetero() -> Any:
    from torch_geometric.data import HeteroData

    data = HeteroData()
    data["movie"].x = torch.eye(3, 4)
    data["movie"].y = torch.tensor([0, 1, 0])
    data["movie"].train_mask = torch.tensor([True, True, False])
    data["person"].num_nodes = 2
    data["movie", "by", "person"].edge_index = torch.tensor([[0, 1, 2], [1, 0, 1]])
    data["person", "knows", "person"].edge_index = torch.tensor([[0], [1]])
    return data


def test_data(data: Any, arrays: dict[str, Any]) -> None:
    stored = check(from_object(data, "ring"))
    assert stored.headers["edge_index"].dtype == "int32"
    assert all(np.array_equal(stored.read(key), arrays[key]) for key in arrays)


def test_odd_tensors(data: Any) -> None:
    data.y = torch.tensor([[0.0], [1.0], [0.0], [1.0], [1.0], [0.0]])
    data.x = data.x.to_sparse_coo()
    data.train_mask = torch.eye(6, dtype=torch.bool)
    data.edge_weight = torch.ones(12, 1, requires_grad=True)
    stored = check(from_object(data, "ring"))
    assert stored.read("y").tolist() == [0, 1, 0, 1, 1, 0]
    assert stored.headers["edge_weight"].shape == (12,)
    assert stored.headers["train_mask"].shape == (6, 6), "as stored: a plan says which of the splits counts"
    assert stored.read("x_shape").tolist() == [6, 3]
    data.y, data.x = torch.eye(6), torch.ones(6, 2, dtype=torch.bfloat16)
    stored = check(from_object(data, "ring"))
    assert (stored.headers["y"].dtype, stored.headers["x"].dtype) == ("uint8", "float32")


def test_floats_with_gaps_are_class_ids(data: Any) -> None:
    data.y = torch.tensor([0.0, 1.0, float("nan"), 1.0, 1.0, 0.0])
    assert check(from_object(data, "ring")).read("y").tolist() == [0, 1, -1, 1, 1, 0]


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_weights_that_only_a_transposed_adjacency_holds_are_kept(data: Any) -> None:
    ends, weights = data.edge_index, torch.arange(2.0, 14.0)
    adjacency = torch.sparse_coo_tensor(ends.flip(0), weights, (6, 6)).coalesce().to_sparse_csr()
    data.edge_index, data.adj_t = None, adjacency
    stored = check(from_object(data, "ring"))
    source, target = stored.read("edge_index")
    pairs = zip(source.tolist(), target.tolist(), strict=True)
    kept = dict(zip(pairs, stored.read("edge_weight").tolist(), strict=True))
    assert kept == dict(zip(map(tuple, ends.t().tolist()), weights.tolist(), strict=True))
    data.adj_t = torch.sparse_csr_tensor(adjacency.crow_indices(), adjacency.col_indices(), torch.ones(12), (6, 6))
    assert "edge_weight" not in from_object(data, "ring").headers


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("y", ["a"] * 6, "y must hold real numbers, got <U1"),
        ("x", torch.ones(6, 2, dtype=torch.complex64), "x must hold real numbers, got complex64"),
        ("y", torch.tensor([float("inf"), 0, 1, 0, 1, 0]), "class ids"),
        ("y", torch.rand(6), "class ids"),
    ],
)
def test_wrong_values(name: str, value: Any, problem: str, data: Any) -> None:
    data[name] = value
    with pytest.raises(GraphError, match=problem):
        from_object(data, "ring")


def test_wrong_data(data: Any) -> None:
    data.y = None
    data.edge_index = torch.tensor([[0, 2**40], [1, 2]])
    with pytest.raises(GraphError, match="below 6, got 1099511627776"):
        check(from_object(data, "ring"))
    data.edge_index = torch.rand(2, 3)
    with pytest.raises(GraphError, match="integers"):
        check(from_object(data, "ring"))
    data.edge_index = None
    with pytest.raises(GraphError, match="must have edges"):
        from_object(data, "ring")


def test_several_graphs(data: Any) -> None:
    first, second = data.clone(), data.clone()
    for label, graph in enumerate((first, second)):
        del graph.train_mask
        graph.y = torch.tensor([label])
    stored = check(from_object([first, second], "set"))
    assert stored.read("graph_ptr").tolist() == [0, 6, 12]
    assert stored.read("y").tolist() == [0, 1]
    assert stored.read("edge_index").max() == 11
    with pytest.raises(GraphError, match="at least one graph"):
        from_object([], "set")
    with pytest.raises(GraphError, match="Data objects only"):
        from_object([data, 3], "set")


def test_hetero(hetero: Any) -> None:
    stored = check(from_object(hetero, "films"))
    assert stored.read("node_type").tolist() == [0, 0, 0, 1, 1]
    assert stored.read("edge_type").tolist() == [0, 0, 0, 1]
    assert stored.read("edge_index").tolist() == [[0, 1, 2, 3], [4, 3, 4, 4]]
    assert stored.read("type_names").tolist() == ["movie", "person"]
    assert stored.read("rel_names").tolist() == ["movie|by|person", "person|knows|person"]
    assert stored.read("x").tolist() == [*np.eye(3, 4).tolist(), [0] * 4, [0] * 4]
    assert stored.read("y").tolist() == [0, 1, 0, -1, -1]
    assert stored.read("train_mask").tolist() == [True, True, False, False, False]


def test_hetero_sparse(hetero: Any) -> None:
    hetero["movie"].x = torch.eye(3, 50)
    stored = check(from_object(hetero, "films"))
    assert stored.read("x_indices").tolist() == [0, 1, 2]
    assert stored.read("x_indptr").tolist() == [0, 1, 2, 3, 3, 3]


def test_hetero_ids_beyond_their_type(hetero: Any) -> None:
    hetero["movie", "by", "person"].edge_index = torch.tensor([[3], [0]])
    with pytest.raises(GraphError, match="movie ids from 0 to 2, got 3 to 3"):
        from_object(hetero, "films")


@pytest.mark.parametrize("kind", ["data", "hetero"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_file(kind: str, zipped: bool, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    graph = request.getfixturevalue(kind)
    torch.save(graph, tmp_path / "graph.pt", _use_new_zipfile_serialization=zipped)
    stored = check(open_graph(str(tmp_path / "graph.pt")))
    assert stored.name == "graph"
    assert same(stored, from_object(graph, "graph"))


def test_torch_file_with_code(payload: Any, data: Any, tmp_path: Path) -> None:
    file = tmp_path / "evil.pt"
    data.extra = payload
    for content in (payload, data, {"x": payload}):
        torch.save(content, file)
        with pytest.raises(GraphError, match="PyG data and tensors only"):
            open_graph(str(file))
    file.write_bytes(pickle.dumps(payload))
    with pytest.raises(GraphError):
        open_graph(str(file))
    assert not payload.marker.exists()


def test_damaged_torch_file(data: Any, tmp_path: Path) -> None:
    file = tmp_path / "cut.pt"
    torch.save(data, file)
    content = file.read_bytes()
    for size in (0, 3, len(content) // 3, len(content) - 50):
        file.write_bytes(content[:size])
        with pytest.raises(GraphError):
            check(open_graph(str(file)))
    torch.save(torch.ones(3), file)
    with pytest.raises(GraphError, match="got Tensor"):
        open_graph(str(file))


def test_karate_club() -> None:
    stored = check(open_graph("pyg:KarateClub"))
    assert stored.name == "KarateClub"
    assert stored.headers["edge_index"].shape == (2, 156)
    assert stored.read("train_mask").sum() == 4


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        ("pyg:KarateClb", "Did you mean pyg:KarateClub"),
        ("pyg:", "must be a class"),
        ("pyg:data", "must be a class"),
        ("pyg:KarateClub/x", "takes no subset, got x"),
        ("pyg:Planetoid", "Write pyg:Planetoid/NAME"),
        ("pyg:SuiteSparseMatrixCollection/a", "Write pyg:SuiteSparseMatrixCollection/GROUP/NAME"),
    ],
)
def test_wrong_data_sets(graph: str, problem: str) -> None:
    with pytest.raises(GraphError, match=problem):
        open_graph(graph)


@pytest.mark.parametrize(
    ("error", "problem"), [(URLError("no route"), "downloaded"), (KeyError("Coar"), "could not be")]
)
def test_failed_download(error: Exception, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch_geometric.datasets as datasets

    class Planetoid:
        def __init__(self, root: str, name: str) -> None:
            assert (root, name) == (str(tmp_path / "gnnfit" / "pyg" / "Planetoid"), "Cora")
            raise error

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(datasets, "Planetoid", Planetoid)
    with pytest.raises(GraphError, match=problem):
        open_graph("pyg:Planetoid/Cora")


MODULE = """
import torch
from torch_geometric.data import Data
from torch_geometric.datasets import KarateClub

def ring():
    ids = torch.arange(6)
    return Data(edge_index=torch.stack([ids, (ids + 1) % 6]), num_nodes=6)

def broken():
    raise ZeroDivisionError("by my own fault")

def leaving():
    raise SystemExit(3)

def number():
    return 3

constant = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_graphs.py").write_text(MODULE)
    (tmp_path / "my_typo.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "my_syntax.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    yield "my_graphs"
    sys.modules.pop("my_graphs", None)


def test_factory(module: str) -> None:
    before = list(sys.path)
    stored = check(open_graph(f"{module}:ring"))
    assert (stored.name, stored.headers["edge_index"].shape) == ("ring", (2, 6))
    assert open_graph(f"{module}:KarateClub").headers["edge_index"].shape == (2, 156)
    assert sys.path == before


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        ("my_graphs:broken", "ZeroDivisionError: by my own fault"),
        ("my_graphs:leaving", "SystemExit: 3"),
        ("my_graphs:number", "got int"),
        ("my_graphs:constant", "callable without arguments, got int"),
        ("my_graphs:rnig", "must define 'rnig'"),
        ("my_graps:ring", "no module named 'my_graps'"),
        ("my_typo:ring", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("my_syntax:ring", "SyntaxError"),
        ("__main__:ring", "child process.*module file"),
    ],
)
def test_wrong_factories(module: str, graph: str, problem: str) -> None:
    with pytest.raises(GraphError, match=problem):
        open_graph(graph)
