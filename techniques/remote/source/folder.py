"""The folder form: one memory-mapped ``.npy`` file per array; and spilling any graph to such a folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, absent
from techniques.remote.source.npy_header import damaged, read_header
from techniques.remote.source.npz import NpzGraph
from techniques.remote.source.stored import ArrayHeader, StoredGraph

MANIFEST = "meta.json"
CHUNK_BYTES = 16 << 20
HEADER_ROOM = 4096

Progress = Callable[[int, int], None]
"""Told the bytes written and the bytes in all."""


class FolderGraph:
    """A graph in a folder of ``.npy`` files, with an optional ``meta.json``.

    Raises:
        GraphError: no ``edge_index.npy``, a damaged file, or a file that the manifest lists is not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._check_manifest()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        file = self.folder / MANIFEST
        if not file.exists():
            return {}
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise GraphError(
                f"{file} must be readable JSON, got {error}", "Correct or delete it: it is optional"
            ) from error
        if not isinstance(manifest, dict):
            raise GraphError(f"{file} must hold a JSON object, got {type(manifest).__name__}", "Correct or delete it")
        return manifest

    @property
    def name(self) -> str:
        name = self.manifest.get("name")
        return name if isinstance(name, str) and name else self.folder.resolve().name

    @property
    def path(self) -> str:
        return str(self.folder)

    @cached_property
    def headers(self) -> dict[str, ArrayHeader]:
        files = sorted(file for file in self.folder.glob("*.npy") if file.stem.isidentifier())
        if not any(file.stem == "edge_index" for file in files):
            found = ", ".join(file.name for file in files) or "no .npy files"
            raise GraphError(
                f"A graph folder must hold edge_index.npy or edges.csv, got {found} in {self.folder}",
                "Save the edges as edge_index.npy with shape [2, E], or name another folder",
            )
        return {file.stem: _file_header(file) for file in files}

    def read(self, key: str) -> Array:
        """Map one array; the pages are read-only and belong to the file."""
        if key not in self.headers:
            raise absent(self.path, key, self.headers)
        # An empty array has no bytes to map.
        mode: Any = "r" if self.headers[key].num_bytes else None
        file = self.folder / f"{key}.npy"
        try:
            array: Array = np.load(file, mmap_mode=mode, allow_pickle=False)
        except Exception as error:  # a file changed since its header was read makes numpy raise nearly anything
            raise damaged(str(file), error) from error
        return array

    def _check_manifest(self) -> None:
        listed = self.manifest.get("arrays")
        missing = sorted(set(listed) - set(self.headers)) if isinstance(listed, dict) else []
        if missing:
            raise GraphError(
                f"{self.folder} must hold every array that {MANIFEST} lists, got no {missing[0]}.npy",
                "Spill or copy the folder again",
            )
        self.headers  # noqa: B018 - refuse a damaged folder when it is opened


def _file_header(file: Path) -> ArrayHeader:
    try:
        with file.open("rb") as stream:
            header, expected = read_header(stream, str(file))
        actual = file.stat().st_size
    except OSError as error:
        raise damaged(str(file), error) from error
    if actual < expected:
        raise damaged(str(file), ValueError(f"shape {header.shape} needs {expected} bytes, {actual} are there"))
    return header


def spill(stored: StoredGraph, folder: str | Path, progress: Progress | None = None) -> FolderGraph:
    """Write a graph to a folder of ``.npy`` files, in pieces, all or nothing.

    Args:
        stored: any graph; an ``.npz`` is unpacked member by member without holding one in memory.
        folder: must not exist, or be empty.
        progress: called with (bytes written, bytes in all) after each piece.

    Raises:
        GraphError: the folder is taken, the disk is too small, or an array is damaged.
    """
    target = Path(folder)
    headers = stored.headers
    total = sum(header.num_bytes for header in headers.values())
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _check_target(target, total + HEADER_ROOM * (len(headers) + 1))
        partial.mkdir()
        _write_all(stored, partial, lambda done: progress(done, total) if progress else None)
        partial.rename(target)
    except OSError as error:
        raise GraphError(
            f"The graph could not be written to {target} ({error.strerror or error})",
            "Name a folder on a disk that is writable and has room",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return FolderGraph(target)


def _check_target(target: Path, needed: int) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise GraphError(f"The folder to write must be new or empty, got {target}", "Name another folder or empty it")
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise GraphError(
            f"Writing the graph to {target} needs {needed} bytes of disk, got {free} free",
            "Free some space or name a folder on another disk",
        )


def _write_all(stored: StoredGraph, folder: Path, tell: Callable[[int], None]) -> None:
    done = 0
    for key in stored.headers:
        with (folder / f"{key}.npy").open("wb") as out:
            for written in _pieces(stored, key, out):
                done += written
                tell(done)
    arrays = {key: {"shape": header.shape, "dtype": header.dtype} for key, header in stored.headers.items()}
    # Last, so that a folder with a manifest is a whole folder.
    (folder / MANIFEST).write_text(json.dumps({"name": stored.name, "arrays": arrays}, indent=1), encoding="utf-8")


def _pieces(stored: StoredGraph, key: str, out: IO[bytes]) -> Iterator[int]:
    """Copy one array, yielding the bytes written by each step."""
    if isinstance(stored, NpzGraph):
        with stored.stream(key) as member:
            while piece := member.read(CHUNK_BYTES):
                yield out.write(piece)
        return
    array = stored.read(key)
    npy.write_array_header_2_0(
        out, {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    )
    flat_rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, CHUNK_BYTES // max(1, flat_rows[:1].nbytes)) if len(flat_rows) else 1
    for low in range(0, len(flat_rows), step):
        yield out.write(np.ascontiguousarray(flat_rows[low : low + step]).tobytes())
