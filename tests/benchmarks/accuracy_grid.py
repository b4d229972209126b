"""The stated grid of ``accuracy.py``: which candidates are measured on which graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.inspect.opened import LIKE, open_any, open_like
from techniques.base import SettingValue, Slot
from techniques.facts import GraphFacts, Task
from techniques.remote.source.folder import FolderGraph, spill

LIKE_GRAPHS = (
    "ogbn-products@0.02", "ogbn-products@0.2", "reddit2@0.1", "ogbn-arxiv@1", "flickr@1", "yelp@0.2",
)  # fmt: skip
SMALL_EDGES, LARGE_EDGES = 150_000, 1_000_000
"""Stored edges: below the first a graph is small, from the second on it is large."""
EVERY = {"small": (9, (0,)), "medium": (6, (0,)), "large": (4, (0, 2))}
"""Of so many successive combinations these are measured; where to begin moves on from graph to graph."""
WIDE_EVERY = {"small": 4, "medium": 1, "large": 1}
"""The same of wide ones."""
WIDTHS = {"small": (256, 64, 128), "medium": (512, 256, 1024), "large": (256, 128, 512)}
DEPTHS = (2, 3, 2, 3, 3, 2, 4)
BATCH_SIZES = (1024, 2048, 4096, 512)
FANOUTS = {2: ((10, 10), (25, 10), (5, 5)), 3: ((15, 10, 5), (10, 5, 5), (10, 10, 10)), 4: ((10, 5, 5, 5),)}
MOST_BYTES = 1.5e9
"""Widths are halved until messages and rows of a step take no more by a rough count."""
FLOATS_PER_EDGE = {"gcn": 2, "sage": 1, "sage max": 2, "gin": 1, "gat": 6, "gatv2": 12, "appnp": 2}
FLOATS_PER_NODE = 12
MOST_EGO_NODES = 50_000
"""ShaDow is judged on an ego graph per node: on larger graphs that takes minutes."""

MOST_CUT_EDGES = 10_000_000
"""METIS takes minutes for more."""

COMBINATIONS: tuple[tuple[str, str, str], ...] = (
    ("full_batch", "gcn", "coo"),
    ("neighbor", "sage", "csr"),
    ("full_batch", "sage", "csr"),
    ("cluster", "gat", "coo"),
    ("neighbor", "gat", "coo"),
    ("full_batch", "gat", "coo"),
    ("graph_saint", "gcn", "coo"),
    ("neighbor", "gin", "csr"),
    ("full_batch", "gin", "csr"),
    ("random_node", "sage", "csr"),
    ("neighbor", "gcn", "csr"),
    ("full_batch", "gcn", "csr"),
    ("cluster", "gcn", "csr"),
    ("neighbor", "sage", "coo"),
    ("full_batch", "gatv2", "coo"),
    ("shadow_k_hop", "sage", "csr"),
    ("link_neighbor", "sage", "csr"),
    ("full_batch", "sage", "coo"),
    ("random_node", "gat", "coo"),
    ("neighbor", "gcn", "coo"),
    ("full_batch", "appnp", "csr"),
    ("graph_saint", "gin", "csr"),
    ("neighbor", "sage max", "coo"),
    ("full_batch", "gin", "coo"),
    ("cluster", "sage", "coo"),
    ("link_neighbor", "gcn", "coo"),
    ("full_batch", "sage max", "coo"),
    ("shadow_k_hop", "gin", "coo"),
    ("random_node", "gcn", "coo"),
)
"""Sampler, architecture, representation."""

WIDE: tuple[tuple[str, str, str], ...] = (
    ("full_batch", "gcn", "coo"),
    ("full_batch", "sage", "csr"),
    ("full_batch", "gin", "coo"),
    ("full_batch", "gat", "coo"),
    ("full_batch", "gcn", "csr"),
    ("full_batch", "sage", "coo"),
    ("full_batch", "gin", "csr"),
    ("full_batch", "gatv2", "coo"),
    ("full_batch", "appnp", "csr"),
    ("neighbor", "gat", "coo"),
    ("cluster", "gatv2", "coo"),
    ("random_node", "gin", "coo"),
    ("graph_saint", "gcn", "coo"),
    ("neighbor", "sage", "coo"),
)
"""These are measured once more, as wide as ``WIDE_BYTES`` allow: at least half of all rows are to peak above 500 MB."""
WIDEST, WIDE_BYTES, LEAST_WIDE_BYTES = 2048, 2.0e9, 0.9e9
"""By the rough count of the whole graph; a graph that falls short of the last even at the widest has no such candidate."""
WIDEST_SAMPLED, SAMPLED_BYTES = 1024, 6.0e9
SAMPLED: dict[str, dict[str, SettingValue]] = {
    "neighbor": {"batch_size": 8192, "fanouts": (25, 10)},
    "graph_saint": {"batch_size": 4096},
    "random_node": {"num_parts": 2},
    "cluster": {},
}
"""Wide candidates in batches have two layers: a step takes a part of what the whole graph would."""


@dataclass(frozen=True)
class Choice:
    """One candidate of the grid; features take the form that the planner prefers."""

    task: Task
    options: dict[Slot, str]
    settings: dict[str, SettingValue]


def size_kind(graph: GraphFacts) -> str:
    """small, medium or large."""
    if graph.num_edges >= LARGE_EDGES:
        return "large"
    return "small" if graph.num_edges < SMALL_EDGES else "medium"


def grid(graph: GraphFacts, turn: int) -> Iterator[Choice]:
    """The candidates of the graph in position ``turn``: combinations, widths, depths, batch sizes and fanouts take turns.

    A graph without labels has those of link prediction only.
    """
    kind = size_kind(graph)
    period, kept = EVERY[kind]
    links = graph.task is Task.LINK
    for index, (sampler, architecture, representation) in enumerate(COMBINATIONS):
        chosen = sampler == "link_neighbor" if links else (index + turn) % period in kept
        if chosen and not _takes_minutes(graph, sampler):
            yield _choice(graph, kind, turn + index, sampler, architecture, representation)
    if not links:
        yield from _wide(graph, kind, turn)


def _wide(graph: GraphFacts, kind: str, turn: int) -> Iterator[Choice]:
    """Candidates whose tensors dwarf what does not grow with them."""
    for place, (sampler, architecture, representation) in enumerate(WIDE, start=turn):
        choice = _choice(graph, kind, place, sampler, architecture, representation)
        floats = FLOATS_PER_EDGE[architecture] * (representation == "coo")
        sampled = sampler in SAMPLED
        widest, most = (WIDEST_SAMPLED, SAMPLED_BYTES) if sampled else (WIDEST, WIDE_BYTES)
        width = _width(graph, widest, floats, most)
        enough = _rough_bytes(graph, width, floats) >= LEAST_WIDE_BYTES and width != choice.settings["hidden"]
        if enough and place % WIDE_EVERY[kind] == 0 and not _takes_minutes(graph, sampler):
            own = SAMPLED.get(sampler, {}) | {"layers": 2 if sampled else 2 + place % 2, "hidden": width}
            yield Choice(choice.task, choice.options, choice.settings | own)


def _takes_minutes(graph: GraphFacts, sampler: str) -> bool:
    if sampler == "shadow_k_hop":
        return graph.num_nodes > MOST_EGO_NODES
    return sampler == "cluster" and graph.num_edges > MOST_CUT_EDGES


def _choice(graph: GraphFacts, kind: str, turn: int, sampler: str, architecture: str, representation: str) -> Choice:
    layers = DEPTHS[turn % len(DEPTHS)]
    settings: dict[str, SettingValue] = {"layers": layers}
    if sampler in ("neighbor", "link_neighbor"):
        fanouts = FANOUTS[layers]
        settings["fanouts"] = fanouts[turn // 2 % len(fanouts)]
    if sampler in ("neighbor", "link_neighbor", "graph_saint"):
        settings["batch_size"] = BATCH_SIZES[turn // 3 % len(BATCH_SIZES)]
    if sampler == "shadow_k_hop":
        settings |= {"batch_size": 512, "depth": 2, "num_neighbors": 10}
    if architecture == "sage max":
        settings["aggregator"] = "max"
    every_message = representation == "coo" and sampler != "link_neighbor"
    widths = WIDTHS[kind]
    settings["hidden"] = _width(graph, widths[turn % len(widths)], FLOATS_PER_EDGE[architecture] * every_message)
    return Choice(
        Task.LINK if sampler == "link_neighbor" else Task.NODE,
        {
            Slot.SAMPLING: sampler,
            Slot.ARCHITECTURE: architecture.split()[0],
            Slot.REPRESENTATION: representation,
            Slot.HARDWARE: "cpu",
        },
        settings,
    )


def _width(graph: GraphFacts, width: int, floats_per_edge: int, most_bytes: float = MOST_BYTES) -> int:
    while width > 16 and _rough_bytes(graph, width, floats_per_edge) > most_bytes:
        width //= 2
    return width


def _rough_bytes(graph: GraphFacts, width: int, floats_per_edge: int) -> float:
    return 4 * width * (floats_per_edge * graph.num_edges + FLOATS_PER_NODE * graph.num_nodes)


def graphs(folders: list[Path], like: list[str]) -> Iterator[tuple[str, Callable[[Path], FolderGraph]]]:
    """Names, and how to get a folder of arrays, of every ``.npz`` in ``folders`` and of generated graphs."""
    for file in sorted(file for folder in folders for file in folder.glob("*.npz")):
        yield file.stem, lambda target, file=file: spill(open_any(str(file)), target)  # type: ignore[misc]
    for name in like:
        yield LIKE + name, lambda target, name=name: open_like(LIKE + name)  # type: ignore[misc]
