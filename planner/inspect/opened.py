"""A GRAPH argument or an object in memory: opened, checked, profiled, and ready to draw batches from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from techniques.errors import GraphError, OptionError
from techniques.facts import GraphFacts, Task
from techniques.step_shape import Draw

if TYPE_CHECKING:
    from techniques.remote.source.stored import StoredGraph
    from techniques.sampling.drawn import DrawnGraph

LIKE = "like:"
MAX_GENERATED_EDGES = 60_000_000
"""Above this a generated graph would take minutes and gigabytes to plan for: its counts are used instead."""


VALUES = ("x", "x_data", "edge_weight", "edge_attr")
MOST_READ_BYTES = 16 * 2**20
"""Values up to which a plan looks at each: a few hundredths of a second."""


def open_and_profile(graph: Any, task: Task | None, check_values: bool) -> tuple[GraphFacts, Draw | None]:
    """Facts about a graph, and a way to draw batches of it.

    Raises:
        GraphError: the graph is missing, damaged or makes no sense.
    """
    if isinstance(graph, str) and graph.startswith(LIKE):
        entry, scale = parse_like(graph)
        if entry.num_edges * scale > MAX_GENERATED_EDGES:
            from planner.inspect.estimate import from_dataset

            return from_dataset(entry, scale), None
    stored = open_any(graph)
    check_values = check_values or _values_are_few(stored)
    checked(stored, check_values)
    facts = profiled(stored, task, graph if isinstance(graph, str) else None, check_values)
    return facts, drawer(stored, facts)


def _values_are_few(stored: StoredGraph) -> bool:
    """Whether features and edge data are so small that looking at every value delays no answer."""
    return sum(stored.headers[key].num_bytes for key in VALUES if key in stored.headers) <= MOST_READ_BYTES


def profiled(stored: StoredGraph, task: Task | None, source: str | None, check_values: bool) -> GraphFacts:
    """Facts about an opened graph that has been checked."""
    from planner.inspect.features import UNREAD
    from planner.inspect.graph import profile

    facts = profile(stored, task=task, source=source)
    if not check_values:
        return facts
    from techniques.remote.half_rows import features_fit_half

    looked = {"values_checked": True, "fits_half": features_fit_half(stored)}
    notes = tuple(note for note in facts.notes if note != UNREAD)
    return facts.model_copy(update={"features": facts.features.model_copy(update=looked), "notes": notes})


def checked(stored: StoredGraph, check_values: bool) -> None:
    """Look for damage: headers and structure always, feature values on request.

    Raises:
        GraphError: with the rule, the value and a remedy.
    """
    from techniques.remote.source.validate import check_features, check_headers, check_structure

    check_headers(stored)
    check_structure(stored)
    if check_values:
        check_features(stored)


def open_any(graph: Any) -> StoredGraph:
    """Open any GRAPH form, ``like:`` included, or wrap an object that is in memory."""
    from techniques.remote.source import from_object, open_graph

    if not isinstance(graph, (str, os.PathLike)):
        return from_object(graph, type(graph).__name__)
    text = os.fspath(graph)
    return open_like(text) if text.startswith(LIKE) else open_graph(text)


def open_like(text: str) -> StoredGraph:
    """A generated graph, from the cache if it has been made before.

    Raises:
        GraphError: unknown data set, bad scale, or too large to generate.
    """
    from techniques.remote.source.folder import FolderGraph, spill
    from techniques.remote.source.generated import GENERATOR_VERSION, generate

    entry, scale = parse_like(text)
    if entry.num_edges * scale > MAX_GENERATED_EDGES:
        limit = MAX_GENERATED_EDGES / entry.num_edges
        raise GraphError(
            f"a generated graph may have {MAX_GENERATED_EDGES:,} stored edges, {text} has {int(entry.num_edges * scale):,}",
            f"Use a scale up to {limit:.2g}, such as {LIKE}{entry.name}@{limit / 2:.1g}",
        )
    folder = cache_folder() / "like" / f"{entry.name}@{scale:g}-v{GENERATOR_VERSION}"
    if not folder.is_dir():
        import sys

        print(f"generating {text} once into {folder}", file=sys.stderr)
        spill(generate(entry.statistics(), scale), folder)
    return FolderGraph(folder)


def parse_like(text: str) -> tuple[Any, float]:
    """``like:NAME[@SCALE]`` as a catalog entry and a scale above 0 and up to 1."""
    from planner.catalog import dataset

    name, at, scale_text = text.removeprefix(LIKE).partition("@")
    try:
        scale = float(scale_text) if at else 1.0
    except ValueError:
        scale = 0.0
    if not 0.0 < scale <= 1.0:
        raise OptionError(
            f"the scale of {text} must be above 0 and at most 1, got {scale_text!r}", f"Write {LIKE}{name}@0.02"
        )
    return dataset(name), scale


def cache_folder() -> Path:
    """Where generated and downloaded graphs are kept: ``$XDG_CACHE_HOME/gnnfit``, else ``~/.cache/gnnfit``."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "gnnfit"


def drawer(stored: StoredGraph, facts: GraphFacts) -> Draw:
    """Draws batches of the graph itself; sorts its edges once, and remembers what it drew."""
    from planner.inspect.drawer import Drawer

    return Drawer(stored, facts, lambda: _drawn_graph(stored, facts))


def _drawn_graph(stored: StoredGraph, facts: GraphFacts) -> DrawnGraph:
    import numpy as np

    from planner.inspect.train_nodes import trained_nodes
    from planner.inspect.types import typed_drawer
    from techniques.sampling.drawn import DrawnGraph
    from techniques.sampling.kernels import build_csc

    edge_index: Any = stored.read("edge_index")
    if facts.task is Task.LINK:
        # What is hidden for validation and test is not there to be sampled.
        keep = np.random.default_rng(0).random(edge_index.shape[1]) < facts.message_share
        edge_index = np.ascontiguousarray(edge_index[:, keep])
    colptr, row, _ = build_csc(edge_index, facts.num_nodes)
    train, classes = trained_nodes(stored, facts)
    return DrawnGraph(colptr, row, train, classes, typed_drawer(stored, facts, train, classes))
