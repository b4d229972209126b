"""The ``module:factory`` form: the user's own function that returns a graph."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from techniques.errors import GraphError
from techniques.remote.source.arrays import ArrayGraph


def open_factory(graph: str) -> ArrayGraph:
    """Import ``module`` (the current folder comes first), call ``factory()`` and take what it returns.

    Raises:
        GraphError: the module or name is not there, the user's code raised, or it returned no PyG graph.
    """
    from techniques.remote.source.pyg_object import convert

    module_name, _, attribute = graph.partition(":")
    _check_main(graph, module_name)
    with _current_folder_on_path():
        factory = _import(graph, module_name, attribute)
        # Converted here: a Dataset may import or raise again when its graphs are fetched.
        return convert(_call(graph, factory), attribute.rpartition(".")[2])


def _check_main(graph: str, module_name: str) -> None:
    if module_name in ("__main__", "__mp_main__"):
        raise GraphError(
            f"A trial runs in a child process, which cannot import from __main__ or a notebook, got {graph!r}",
            "Put the factory in a module file and name that module, or pass the Data object itself",
        )


def _import(graph: str, module_name: str, attribute: str) -> Any:
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _user_error(graph, "could not be imported", error) from error
        raise GraphError(
            f"The module of {graph!r} must be importable, got no module named {error.name!r}",
            f"Run from the folder that holds it (now {Path.cwd()}), or install it",
        ) from error
    except (Exception, SystemExit) as error:
        raise _user_error(graph, "could not be imported", error) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise GraphError(f"{module_name} must define {attribute!r}, got no such name", "Check its spelling")
        found = getattr(found, part)
    return found


def _call(graph: str, factory: Any) -> Any:
    if not callable(factory):
        raise GraphError(
            f"{graph} must be callable without arguments, got {type(factory).__name__}",
            "Name a function that returns Data, HeteroData or a Dataset",
        )
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise _user_error(graph, "failed", error) from error


def _user_error(graph: str, what: str, error: BaseException) -> GraphError:
    words = " ".join(str(error).split())[:300] or "no message"
    return GraphError(f"{graph} {what}, got {type(error).__name__}: {words}", "Call it in Python alone and correct it")


@contextmanager
def _current_folder_on_path() -> Iterator[None]:
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
