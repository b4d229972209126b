"""The ``.npz`` form: a zip of ``.npy`` members, opened without decompressing them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO

from numpy.lib import format as npy

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, absent
from techniques.remote.source.npy_header import damaged, read_header
from techniques.remote.source.stored import ArrayHeader

DEFLATE_LIMIT = 1100
"""Deflate cannot shrink data by more than about 1,032 to 1: a member that claims more is forged."""


class NpzGraph:
    """A graph in an ``.npz`` file. Arrays whose names are no identifiers are not part of the format and left out.

    Raises:
        GraphError: the file is no zip, is cut short, or holds something other than plain arrays.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self.headers  # noqa: B018 - a damaged file is refused when it is opened, not when it is first used

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def path(self) -> str:
        return str(self.file)

    @cached_property
    def headers(self) -> dict[str, ArrayHeader]:
        try:
            with zipfile.ZipFile(self.file) as archive:
                found = {info.filename[:-4]: self._header(archive, info) for info in _members(archive)}
        except GraphError:
            raise
        except Exception as error:  # damaged archives make zipfile and zlib raise nearly anything
            raise damaged(self.path, error) from error
        if not found:
            raise GraphError(
                f"{self.path} must hold arrays, got none", "Write it with numpy.savez(file, edge_index=...)"
            )
        return found

    def read(self, key: str) -> Array:
        """Decompress one array into memory."""
        self._check_memory(key)
        with self.stream(key) as member:
            array: Array = npy.read_array(member, allow_pickle=False)
        return array

    @contextmanager
    def stream(self, key: str) -> Iterator[IO[bytes]]:
        """Open one array as the bytes of a ``.npy`` file, decompressed piece by piece.

        Raises:
            GraphError: no such array, or what is read from it is damaged.
        """
        if key not in self.headers:
            raise absent(self.path, key, self.headers)
        try:
            with zipfile.ZipFile(self.file) as archive, archive.open(f"{key}.npy") as member:
                yield member
        except GraphError:
            raise
        except Exception as error:  # as above; OSError of the reader's own disk is told apart by the caller
            raise damaged(f"{self.path}:{key}", error) from error

    def _header(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ArrayHeader:
        label = f"{self.path}:{info.filename[:-4]}"
        with archive.open(info) as member:
            header, expected = read_header(member, label)
        if expected != info.file_size:
            raise damaged(label, ValueError(f"shape {header.shape} needs {expected} bytes, {info.file_size} are there"))
        if info.compress_type == zipfile.ZIP_DEFLATED and expected > DEFLATE_LIMIT * info.compress_size:
            raise damaged(label, ValueError(f"{info.compress_size} bytes cannot unpack to {expected}"))
        return header

    def _check_memory(self, key: str) -> None:
        needed = self.headers[key].num_bytes if key in self.headers else 0
        memory = _physical_memory()
        if memory is not None and needed > memory:
            raise GraphError(
                f"{self.path}:{key} must fit this machine's {memory} bytes of memory, got {needed} bytes",
                "Unpack it to a folder of .npy files, which is memory-mapped",
            )


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [info for info in archive.infolist() if info.filename.endswith(".npy") and info.filename[:-4].isidentifier()]


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None
