"""Every bad graph is one line, the right exit code, nothing written and no code run."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.payload import Payload
from tuner.cli import main


@pytest.fixture
def bad(communities: Any, tmp_path: Path, monkeypatch: Any) -> Callable[[str], str]:
    """``bad(kind)``: the path of a graph that is wrong in this way."""
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "code-was-run"

    def make(kind: str) -> str:
        return str(tmp_path / _bad_graph(kind, communities(), tmp_path, marker))

    return make


def _bad_graph(kind: str, arrays: dict[str, Any], folder: Path, marker: Path) -> str:
    if kind == "missing":
        return "absent.npz"
    if kind in ("empty.npz", "empty.pt", "empty.csv"):
        (folder / kind).write_bytes(b"")
        return kind
    if kind == "truncated":
        np.savez(folder / "whole.npz", **arrays)
        whole = (folder / "whole.npz").read_bytes()
        (folder / "whole.npz").unlink()
        (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
        return "cut.npz"
    if kind in ("pickle.pt", "pickle.npz", "pickle.npy"):
        (folder / kind).write_bytes(pickle.dumps(Payload(marker)))
        return kind if kind != "pickle.npy" else "."
    if kind == "pickle in npz":
        np.savez(folder / "graph.npz", **arrays)
        with zipfile.ZipFile(folder / "graph.npz", "a") as archive:
            archive.writestr("evil.npy", pickle.dumps(Payload(marker)))
        return "graph.npz"
    if kind == "object array":
        arrays["x"] = np.array([Payload(marker)] * len(arrays["y"]), dtype=object)
    elif kind in ("empty folder", "wrong folder"):
        (folder / "data").mkdir()
        if kind == "wrong folder":
            np.save(folder / "data" / "features.npy", np.ones((3, 2)))
        return "data"
    else:
        _spoil(kind, arrays)
    np.savez(folder / "graph.npz", **arrays)
    return "graph.npz"


def _spoil(kind: str, arrays: dict[str, Any]) -> None:
    edges = arrays["edge_index"]
    if kind == "id out of range":
        edges[0, 3] = 90
    elif kind == "negative id":
        edges[1, 2] = -1
    elif kind == "float ids":
        arrays["edge_index"] = edges.astype(np.float64)
    elif kind == "three rows":
        arrays["edge_index"] = np.concatenate([edges, edges[:1]])
    elif kind == "labels too short":
        arrays["y"] = arrays["y"][:-1]
    elif kind == "features too long":
        arrays["x"] = np.concatenate([arrays["x"], arrays["x"][:1]])
    elif kind == "mask too short":
        arrays["train_mask"] = arrays["train_mask"][:-1]
    elif kind == "zero nodes":
        arrays |= {key: value[:0] for key, value in arrays.items() if key not in ("num_nodes", "edge_index")}
        arrays |= {"num_nodes": np.array(0), "edge_index": edges[:, :0]}
    elif kind == "zero edges":
        arrays["edge_index"] = edges[:, :0]
    elif kind == "one class":
        arrays["y"] = np.zeros_like(arrays["y"])
    elif kind == "no training nodes":
        arrays["train_mask"] = np.zeros_like(arrays["train_mask"])
    elif kind == "nan":
        arrays["x"][17, 3] = np.nan
    else:
        raise AssertionError(kind)


BAD_GRAPHS = [
    *("missing", "empty.npz", "empty.csv", "truncated", "pickle.npz", "pickle.npy", "pickle in npz", "object array"),
    *("id out of range", "negative id", "float ids", "three rows", "labels too short", "features too long"),
    *("mask too short", "zero nodes", "zero edges", "one class", "no training nodes", "empty folder", "wrong folder"),
]


@pytest.mark.parametrize("kind", BAD_GRAPHS)
def test_a_bad_graph_is_refused_by_every_command(kind: str, bad: Any, refused: Any) -> None:
    graph = bad(kind)
    said = [
        refused("plan", graph, "--out", "plan.json"),
        refused("plan", graph, "--check", "--json"),
        refused("measure", graph),
        refused("tune", graph, "--out", "run"),
        refused("tune", graph, "--json"),
        refused("run", graph, "--out", "run"),
    ]
    assert len(set(said)) == 1, "the same graph is refused in the same words"


@pytest.mark.parametrize("kind", ["pickle.pt", "empty.pt"])
def test_a_bad_torch_file_is_refused_and_not_executed(kind: str, bad: Any, refused: Any) -> None:
    graph = bad(kind)
    refused("plan", graph)
    if kind == "pickle.pt":  # read in a child of its own
        refused("tune", graph, "--out", "run")


def test_features_that_are_not_numbers_are_refused_when_looked_at(
    bad: Any, refused: Any, capsys: Any, monkeypatch: Any
) -> None:
    graph = bad("nan")
    assert "row 17" in refused("plan", graph), "few values are always looked at"
    monkeypatch.setattr("planner.inspect.opened.MOST_READ_BYTES", 0)
    assert main(["plan", graph, "--json"]) == 0, "many are not"
    assert json.loads(capsys.readouterr().out)["facts"]["graph"]["features"]["values_checked"] is False
    for command in (("plan", graph, "--check"), ("measure", graph), ("tune", graph, "--out", "run"), ("run", graph)):
        assert "row 17" in refused(*command)
