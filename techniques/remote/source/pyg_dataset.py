"""The ``pyg:NAME[/SUBSET]`` form: a data set class of ``torch_geometric.datasets``."""

from __future__ import annotations

import inspect
import os
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from techniques.errors import GraphError
from techniques.remote.source.arrays import ArrayGraph


def open_dataset(graph: str) -> ArrayGraph:
    """Open a PyG data set, which PyG downloads to the cache folder where it is not there yet.

    Args:
        graph: such as ``pyg:KarateClub`` or ``pyg:Planetoid/Cora``.

    Raises:
        GraphError: unknown name or subset, or the download failed.
    """
    from techniques.remote.source.pyg_object import convert

    name, _, subset = graph.removeprefix("pyg:").partition("/")
    kind = _dataset_class(name)
    arguments = _arguments(kind, name, subset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = kind(**arguments)
    except Exception as error:
        raise _failure(graph, error) from error
    return convert(dataset, subset or name)


def dataset_arguments(graph: str) -> tuple[str, dict[str, str]]:
    """The class that ``pyg:NAME[/SUBSET]`` names, and what it is called with.

    Raises:
        GraphError: unknown name or subset.
    """
    name, _, subset = graph.removeprefix("pyg:").partition("/")
    return name, _arguments(_dataset_class(name), name, subset)


def cache_folder(name: str) -> Path:
    """Where a PyG data set is kept: ``$XDG_CACHE_HOME/gnnfit/pyg/NAME``, else below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gnnfit" / "pyg" / name


def _dataset_class(name: str) -> Any:
    import torch_geometric.datasets as datasets

    names = list(datasets.__all__)
    kind = getattr(datasets, name, None) if name in names else None
    if kind is not None:
        return kind
    folded = {known.lower(): known for known in names}
    close = [folded[key] for key in get_close_matches(name.lower(), folded, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(f'pyg:{known}' for known in close)}" if close else "See torch_geometric.datasets"
    raise GraphError(f"pyg:NAME must be a class of torch_geometric.datasets, got {name!r}", hint)


def _arguments(kind: Any, name: str, subset: str) -> dict[str, str]:
    parameters = {key: value for key, value in inspect.signature(kind.__init__).parameters.items() if key != "self"}
    arguments = {"root": str(cache_folder(name))} if "root" in parameters else {}
    required = [
        key
        for key, value in parameters.items()
        if key != "root" and value.default is value.empty and value.kind is value.POSITIONAL_OR_KEYWORD
    ]
    slots = required or [key for key in ("name", "subset", "category") if key in parameters]
    given = subset.split("/") if subset else []
    if not len(required) <= len(given) <= len(slots):
        form = "/".join([f"pyg:{name}", *(key.upper() for key in slots)])
        raise GraphError(f"{name} takes {' and '.join(slots) or 'no subset'}, got {subset or 'none'}", f"Write {form}")
    return arguments | dict(zip(slots, given, strict=False))


def _failure(graph: str, error: Exception) -> GraphError:
    words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if isinstance(error, OSError):  # urllib's and the sockets' errors are OSErrors
        return GraphError(
            f"{graph} must be downloaded before its first use, got {words}",
            f"Connect to the network, or copy the data set to {cache_folder('')}",
        )
    return GraphError(f"{graph} could not be opened, got {words}", "Check the subset's name in PyG's documentation")
