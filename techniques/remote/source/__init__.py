"""Graph sources: each GRAPH form read into one :class:`StoredGraph` of named arrays.

Importing this package loads neither numpy nor torch: a form's module is imported when a graph of that form is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from techniques.errors import GraphError
from techniques.remote.source.stored import ArrayHeader, StoredGraph

__all__ = ["FORMS", "ArrayHeader", "Form", "StoredGraph", "from_object", "open_graph"]


class Form(NamedTuple):
    """One way to name a graph."""

    words: str
    matches: Callable[[str], bool]
    open: Callable[[str], StoredGraph]


def open_graph(graph: str) -> StoredGraph:
    """Open a graph by its GRAPH argument, reading no more than it must.

    Args:
        graph: an ``.npz`` file, a folder of ``.npy`` files, a ``.pt`` file, ``edges.csv``, ``pyg:NAME[/SUBSET]`` or
            ``module:factory``.

    Raises:
        GraphError: the form is unknown, or the graph is missing or damaged.
    """
    for form in FORMS:
        if form.matches(graph):
            return form.open(graph)
    accepted = "; ".join(form.words for form in FORMS)
    raise GraphError(f"GRAPH names no existing folder and has no known form, got {graph!r}", f"Give one of: {accepted}")


def from_object(obj: object, name: str) -> StoredGraph:
    """Take a PyG ``Data``, ``HeteroData`` or ``Dataset`` that is already in memory.

    Raises:
        GraphError: ``obj`` is something else, or holds no usable graph.
    """
    from techniques.remote.source.pyg_object import convert

    return convert(obj, name)


def _refuse_like(graph: str) -> StoredGraph:
    raise GraphError(
        f"A generated graph has to be resolved through the catalog before it is opened, got {graph!r}",
        "Pass like:NAME[@SCALE] to plan, measure or tune instead of opening it as a source",
    )


def _open_pyg(graph: str) -> StoredGraph:
    from techniques.remote.source.pyg_dataset import open_dataset

    return open_dataset(graph)


def _open_csv(graph: str) -> StoredGraph:
    from techniques.remote.source.csv_files import read_csv

    return read_csv(_existing(graph))


def _open_folder(graph: str) -> StoredGraph:
    if (Path(graph).expanduser() / "edges.csv").is_file():
        return _open_csv(str(Path(graph).expanduser() / "edges.csv"))
    from techniques.remote.source.folder import FolderGraph

    return FolderGraph(_existing(graph))


def _open_npz(graph: str) -> StoredGraph:
    from techniques.remote.source.npz import NpzGraph

    return NpzGraph(_existing(graph))


def _open_torch(graph: str) -> StoredGraph:
    from techniques.remote.source.torch_file import read_torch_file

    return read_torch_file(_existing(graph))


def _open_factory(graph: str) -> StoredGraph:
    from techniques.remote.source.factory import open_factory

    return open_factory(graph)


def _is_folder(graph: str) -> bool:
    try:
        return bool(graph.strip()) and Path(graph).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # too long a name, an unknown ~user, a null byte
        return False


def _ends_with(*suffixes: str) -> Callable[[str], bool]:
    return lambda graph: graph.lower().endswith(suffixes)


def _starts_with(prefix: str) -> Callable[[str], bool]:
    return lambda graph: graph.startswith(prefix)


def _is_factory(graph: str) -> bool:
    return re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", graph) is not None


FORMS: tuple[Form, ...] = (
    Form("like:NAME[@SCALE], a generated graph", _starts_with("like:"), _refuse_like),
    Form("pyg:NAME[/SUBSET], a PyG data set class", _starts_with("pyg:"), _open_pyg),
    Form("a folder of .npy files or with edges.csv", _is_folder, _open_folder),
    Form("an .npz file", _ends_with(".npz"), _open_npz),
    Form("a .pt file with PyG Data or HeteroData", _ends_with(".pt", ".pth"), _open_torch),
    Form("an edge list edges.csv, with nodes.csv beside it", _ends_with(".csv"), _open_csv),
    Form("module:factory, returning Data, HeteroData or a Dataset", _is_factory, _open_factory),
)
"""In order of trial: prefixes first, so that no file can shadow them."""


def _existing(graph: str) -> Path:
    try:
        path = Path(graph).expanduser()
        if path.exists():
            return path
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, RuntimeError, ValueError) as error:
        raise GraphError(f"The graph must be a readable path, got {graph!r} ({error})", "Check the path") from error
    close = get_close_matches(path.name, siblings, n=1)
    hint = f"Did you mean {path.with_name(close[0])}" if close else "Check the path, relative to the current folder"
    raise GraphError(f"The graph file must exist, got {graph!r}", hint)
