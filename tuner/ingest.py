"""GRAPH to a folder of ``.npy`` files: what every measurement reads, whatever form the graph came in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from planner.inspect.opened import checked, open_any
from techniques.errors import GraphError
from techniques.remote.source.folder import FolderGraph, spill

PYG = "pyg:"
TORCH_SUFFIXES = (".pt", ".pth")
FAILED = 2


def ingest(graph: Any, folder: Path) -> FolderGraph:
    """Make ``folder`` hold the graph, checked; a folder of ``.npy`` files is used where it is.

    Forms that need torch or run the user's code are read in a child process. A PyG object that is already in memory
    is written from here: ``tune(data)`` spills it to ``RUN/graph``.

    Raises:
        GraphError: the graph is missing, damaged or makes no sense.
    """
    if folder.is_dir():
        return FolderGraph(folder)
    if isinstance(graph, str) and needs_child(graph):
        _ingest_in_child(graph, folder)
        return FolderGraph(folder)
    return _ingest_here(graph, folder)


def _ingest_here(graph: Any, folder: Path) -> FolderGraph:
    stored = open_any(graph)
    checked(stored, check_values=True)
    if isinstance(stored, FolderGraph):
        return stored
    folder.parent.mkdir(parents=True, exist_ok=True)
    return spill(stored, folder)


def refuse_bad_graph(graph: Any) -> None:
    """Look at everything before a run folder is made; forms that are read in a child are looked at there.

    Raises:
        GraphError: as ``ingest``.
    """
    if isinstance(graph, str) and (needs_child(graph) or graph.startswith("like:")):
        return
    checked(open_any(graph), check_values=True)


def needs_child(graph: str) -> bool:
    is_factory = ":" in graph and not graph.startswith("like:") and not Path(graph).exists()
    return graph.startswith(PYG) or graph.lower().endswith(TORCH_SUFFIXES) or is_factory


def _ingest_in_child(graph: str, folder: Path) -> None:
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(
        [sys.executable, "-m", "tuner.ingest", graph, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith("refused\t")]
    if done.returncode == FAILED and lines:
        _, problem, remedy = lines[-1].split("\t", 2)
        raise GraphError(problem, remedy)
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    raise GraphError(f"{graph} could not be read in a child process ({last})", "Run gnnfit plan on it to see more")


def main() -> int:
    """Entry point of the child: ``python -m tuner.ingest GRAPH FOLDER``."""
    from tuner.server import die_with_parent

    die_with_parent()
    try:
        _ingest_here(sys.argv[1], Path(sys.argv[2]))
    except GraphError as error:
        print("refused", error.problem, error.remedy, sep="\t")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
