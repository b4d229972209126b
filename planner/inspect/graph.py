"""A graph's facts, read from a stored graph; ``planner.inspect.estimate`` has them without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect import sizes
from planner.inspect.degrees import measured_degrees
from planner.inspect.edge_data import weight_facts
from planner.inspect.features import read_features
from planner.inspect.fingerprint import fingerprint
from planner.inspect.graph_sets import graph_labels, measured_set
from planner.inspect.labels import read_labels
from planner.inspect.mixing import with_mixing
from planner.inspect.sizes import size_class
from planner.inspect.structure import Structure, scan
from planner.inspect.train_nodes import train_nodes
from planner.inspect.types import learned_nodes, type_facts
from techniques.errors import OptionError
from techniques.facts import EDGE, NODE, GraphFacts, Task
from techniques.graph_figures import DegreeFacts, LabelFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]

__all__ = ["profile", "size_class"]

STRUCTURE_KEYS = ("edge_index", "edge_type", "node_type", "graph_ptr")


def profile(stored: StoredGraph, *, task: Task | None = None, source: str | None = None) -> GraphFacts:
    """Facts about a stored graph, from its headers, structure, labels and masks; feature values are not read.

    Args:
        stored: a graph that has passed the checks of its headers and structure.
        task: what to predict; by default graphs where labels are per graph, links where there are none, else nodes.
        source: the GRAPH argument, for the record; by default the path of the file or folder.

    Raises:
        OptionError: the graph lacks what the task needs; UnsupportedTaskError: the labels are not class ids.
    """
    edge_index = _integers(stored, "edge_index")
    num_nodes = int(stored.read("num_nodes").item())
    num_edges = int(edge_index.shape[1])
    structure = scan(edge_index, num_nodes)
    chosen, task_notes = _task(stored, task, num_nodes)
    features, feature_notes = read_features(stored, num_nodes, edge_index)
    types, type_notes = type_facts(stored)
    labels, label_notes = _labels(stored, edge_index, num_nodes, chosen, types)
    edge_features = _columns(stored, "edge_attr")
    return GraphFacts(
        name=stored.name,
        source=stored.path if source is None else source,
        task=chosen,
        num_nodes=num_nodes,
        num_edges=num_edges,
        undirected=structure.undirected,
        nodes_by_type=_by_type(stored, "node_type", "type_names", NODE, num_nodes),
        edges_by_type=_by_type(stored, "edge_type", "rel_names", EDGE, num_edges),
        **types,
        density=sizes.density(num_nodes, num_edges - structure.self_loops),
        isolated=structure.isolated,
        self_loops=structure.self_loops,
        degrees=_degrees(stored, edge_index, num_nodes, chosen, structure),
        features=features,
        labels=labels,
        num_graphs=_num_graphs(stored),
        graph_set=measured_set(stored, edge_index),
        structure_stored_bytes=_structure_bytes(stored),
        dataset_bytes=sizes.dataset_bytes(num_nodes, num_edges, features.width, edge_features),
        edge_features=edge_features,
        unread_edge_data=_strings(stored, "unread_edge_data"),
        position_columns=_columns(stored, "pos"),
        **weight_facts(stored, edge_index, num_nodes, structure.undirected),
        size_class=size_class(num_nodes, _edges_counted_once(num_edges, structure)),
        fingerprint=fingerprint(stored, edge_index, num_nodes),
        notes=(*task_notes, *feature_notes, *label_notes, *type_notes),
    )


def _labels(
    stored: StoredGraph, edge_index: Ints, num_nodes: int, task: Task, types: dict[str, Any]
) -> tuple[LabelFacts, list[str]]:
    if task is Task.GRAPH:
        return graph_labels(stored)
    return read_labels(stored, edge_index, num_nodes, task, learned_nodes(stored, types))


def _degrees(stored: StoredGraph, edge_index: Ints, num_nodes: int, task: Task, structure: Structure) -> DegreeFacts:
    train = train_nodes(stored, num_nodes)[0] if task is Task.NODE else None
    degrees = structure.in_degrees
    return with_mixing(measured_degrees(degrees), edge_index, degrees, structure.undirected, train)


def _integers(stored: StoredGraph, key: str) -> Ints:
    array: Any = stored.read(key)
    integers: Ints = array
    return integers


def _task(stored: StoredGraph, wanted: Task | None, num_nodes: int) -> tuple[Task, list[str]]:
    """The task that the labels allow: per graph, per node, or none at all.

    Raises:
        OptionError: the wanted task needs other labels.
    """
    labels = stored.headers.get("y")
    if labels is None:
        natural, notes = Task.LINK, ["no labels: the task is link prediction"]
    elif "graph_ptr" in stored.headers and labels.shape[0] == _num_graphs(stored) != num_nodes:
        natural, notes = Task.GRAPH, []
    else:
        natural, notes = Task.NODE, []
    if wanted in (None, natural):
        return natural, notes
    if wanted is Task.LINK:
        return Task.LINK, []
    needs = "labels y and graph_ptr, a label per graph" if wanted is Task.GRAPH else "labels y, one per node"
    raise OptionError(
        f"task {wanted} needs {needs}, got a graph for task {natural}", f"Leave --task out, or use --task {natural}"
    )


def _by_type(stored: StoredGraph, key: str, names_key: str, only: str, count: int) -> dict[str, int]:
    """Nodes or edges by type name; types without a name are called by their number."""
    import numpy as np

    if key not in stored.headers:
        return {only: count}
    types = _integers(stored, key)
    names = [*_strings(stored, names_key)]
    counts = np.bincount(types, minlength=len(names)).tolist()
    names += [f"{only}{number}" for number in range(len(names), len(counts))]
    return dict(zip(names, counts, strict=True))


def _strings(stored: StoredGraph, key: str) -> tuple[str, ...]:
    return tuple(str(one) for one in stored.read(key)) if key in stored.headers else ()


def _num_graphs(stored: StoredGraph) -> int:
    pointer = stored.headers.get("graph_ptr")
    return 1 if pointer is None else pointer.shape[0] - 1


def _columns(stored: StoredGraph, key: str) -> int:
    """Width of ``edge_attr`` (``edge_weight`` is a weight, not a feature) or ``pos``; 0 where there is none."""
    header = stored.headers.get(key)
    if header is None:
        return 0
    return header.shape[1] if len(header.shape) > 1 else 1


def _structure_bytes(stored: StoredGraph) -> int:
    return sum(stored.headers[key].num_bytes for key in STRUCTURE_KEYS if key in stored.headers)


def _edges_counted_once(num_edges: int, structure: Structure) -> int:
    """Edges as people count them: an undirected one once, and a self-loop, stored once already, too."""
    return (num_edges + structure.self_loops) // 2 if structure.undirected else num_edges
