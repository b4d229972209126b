"""The .npz form and spilling it to a folder."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from techniques.errors import GraphError
from techniques.remote.source import StoredGraph, open_graph
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import FolderGraph, spill
from techniques.remote.source.npz import NpzGraph
from techniques.remote.source.validate import check_features, check_headers, check_structure


def same(left: StoredGraph, right: StoredGraph) -> bool:
    return left.headers == right.headers and all(np.array_equal(left.read(k), right.read(k)) for k in left.headers)


def whole(file: Path) -> None:
    stored = open_graph(str(file))
    check_headers(stored)
    check_structure(stored)
    check_features(stored)
    for key in stored.headers:
        stored.read(key)


def test_headers_and_arrays(saved: Callable[..., Path], arrays: dict[str, Any]) -> None:
    stored = open_graph(str(saved(**arrays)))
    assert (stored.name, stored.headers["x"].shape, stored.headers["x"].dtype) == ("ring", (6, 3), "float32")
    assert same(stored, ArrayGraph("ring", arrays))
    with pytest.raises(GraphError, match="must hold 'z'"):
        stored.read("z")


def test_spill_and_back(saved: Callable[..., Path], arrays: dict[str, Any], tmp_path: Path) -> None:
    extra = {"meta": np.array('{"name": "ring"}'), "none": np.empty((0, 3)), "columns": np.asfortranarray(arrays["x"])}
    stored = open_graph(str(saved(**arrays, **extra)))
    told: list[tuple[int, int]] = []
    spilled = spill(stored, tmp_path / "deep" / "folder", lambda done, total: told.append((done, total)))
    assert same(stored, spilled)
    assert same(spilled, open_graph(str(tmp_path / "deep" / "folder")))
    assert isinstance(spilled.read("x"), np.memmap)
    assert not spilled.read("x").flags.writeable
    assert told[-1][0] >= told[-1][1]
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["folder"]
    assert spilled.name == "ring"


def test_spill_from_memory_in_pieces(arrays: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("techniques.remote.source.folder.CHUNK_BYTES", 16)
    assert same(ArrayGraph("ring", arrays), spill(ArrayGraph("ring", arrays), tmp_path / "out"))


def test_spill_refuses_a_taken_folder(arrays: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(GraphError, match="new or empty"):
        spill(ArrayGraph("ring", arrays), tmp_path)
    assert (tmp_path / "mine.txt").exists()


def test_spill_states_the_disk_it_needs(
    arrays: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 5})()
    monkeypatch.setattr("techniques.remote.source.folder.shutil.disk_usage", lambda _: usage)
    with pytest.raises(GraphError, match=r"needs \d+ bytes of disk, got 5 free"):
        spill(ArrayGraph("ring", arrays), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_failed_spill_leaves_nothing(saved: Callable[..., Path], arrays: dict[str, Any], tmp_path: Path) -> None:
    stored = NpzGraph(saved(**arrays))
    content = bytearray(stored.file.read_bytes())
    with zipfile.ZipFile(stored.file) as archive:
        info = archive.getinfo("x.npy")
    content[info.header_offset + 60 : info.header_offset + 90] = bytes(30)
    stored.file.write_bytes(content)
    with pytest.raises(GraphError):
        spill(stored, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["ring.npz"]


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"not a zip at all" * 50])
def test_no_zip(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(GraphError, match="readable NumPy data"):
        open_graph(str(tmp_path / "bad.npz"))


def test_zip_without_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(GraphError, match="must hold arrays"):
        open_graph(str(tmp_path / "bad.npz"))


def test_object_array_is_never_unpickled(saved: Callable[..., Path], arrays: dict[str, Any], payload: Any) -> None:
    file = saved(**arrays, extra=np.array([payload], dtype=object))
    with pytest.raises(GraphError, match="dtype object"):
        whole(file)
    file.write_bytes(pickle.dumps(payload))
    with pytest.raises(GraphError):
        whole(file)
    assert not payload.marker.exists()


@pytest.mark.parametrize("shape", ["(10, 3)", "(-6, -3)", "(99999999999, 3)", "(6, 3", "[6]", "(1.5,)"])
def test_header_that_lies(shape: str, saved: Callable[..., Path], arrays: dict[str, Any]) -> None:
    file = saved(**arrays)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(
            "pos.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(72)
        )
    with pytest.raises(GraphError, match="pos must be readable"):
        open_graph(str(file))


def test_array_larger_than_memory(
    saved: Callable[..., Path], arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = open_graph(str(saved(**arrays)))
    monkeypatch.setattr("techniques.remote.source.npz._physical_memory", lambda: 10)
    with pytest.raises(GraphError, match="10 bytes of memory, got 72"):
        stored.read("x")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), noise=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8))
def test_damage_only_raises_graph_errors(
    saved: Callable[..., Path], arrays: dict[str, Any], cut: float, noise: list[tuple[float, int]]
) -> None:
    file = saved(**arrays)
    content = bytearray(file.read_bytes())
    for place, value in noise:
        content[int(place * (len(content) - 1))] = value
    file.write_bytes(content[: int(cut * len(content))] if cut < 0.5 else content)
    try:
        whole(file)
    except GraphError as error:
        assert error.remedy


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_random_bytes_raise_graph_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "noise.npz").write_bytes(content)
    with pytest.raises(GraphError):
        whole(tmp_path / "noise.npz")
    (tmp_path / "edge_index.npy").write_bytes(content)
    with pytest.raises(GraphError):
        FolderGraph(tmp_path)


def test_folder_without_edges(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"edge_index\.npy or edges\.csv, got no \.npy files"):
        open_graph(str(tmp_path))
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(GraphError, match=r"got x\.npy"):
        open_graph(str(tmp_path))


def test_folder_needs_no_manifest(arrays: dict[str, Any], tmp_path: Path) -> None:
    for key, array in arrays.items():
        np.save(tmp_path / f"{key}.npy", array)
    stored = open_graph(str(tmp_path))
    assert stored.name == tmp_path.name
    check_headers(stored)


def test_folder_with_object_array(arrays: dict[str, Any], payload: Any, tmp_path: Path) -> None:
    spill(ArrayGraph("ring", arrays), tmp_path / "out")
    np.save(tmp_path / "out" / "extra.npy", np.array([payload], dtype=object), allow_pickle=True)
    with pytest.raises(GraphError, match="dtype object"):
        open_graph(str(tmp_path / "out"))
    assert not payload.marker.exists()


def test_folder_that_is_incomplete(arrays: dict[str, Any], tmp_path: Path) -> None:
    spill(ArrayGraph("ring", arrays), tmp_path / "out")
    (tmp_path / "out" / "y.npy").unlink()
    with pytest.raises(GraphError, match=r"got no y\.npy"):
        open_graph(str(tmp_path / "out"))
    content = (tmp_path / "out" / "x.npy").read_bytes()
    (tmp_path / "out" / "x.npy").write_bytes(content[:-4])
    (tmp_path / "out" / "meta.json").unlink()
    with pytest.raises(GraphError, match="are there"):
        open_graph(str(tmp_path / "out"))


@pytest.mark.parametrize("manifest", ["", "[", "[]", json.dumps([1]), "\ud800".encode("utf-16", "surrogatepass").hex()])
def test_folder_with_a_bad_manifest(manifest: str, arrays: dict[str, Any], tmp_path: Path) -> None:
    spill(ArrayGraph("ring", arrays), tmp_path / "out")
    (tmp_path / "out" / "meta.json").write_text(manifest)
    with pytest.raises(GraphError, match=r"meta\.json must"):
        open_graph(str(tmp_path / "out"))
