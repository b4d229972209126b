"""Facts about a set of graphs: sizes of its graphs, their labels or targets, and the split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from planner.inspect.labels import single_label
from planner.inspect.split import LABEL, UNVALIDATED, masked_split, stored_split
from planner.inspect.structure import CHUNK, chunks
from techniques.errors import OptionError
from techniques.graph_figures import GraphSetFacts, LabelFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]

ASSUMED_VARIATION = 0.5
"""Deviation over mean of the nodes of a graph where only counts are known: 0.26 on MUTAG, 0.45 on NCI1, 1.17 on PROTEINS."""
GRAPH_SHARES = (0.8, 0.1, 0.1)
MANY_VALUES = 20
"""Whole targets of more values than this are more likely quantities than classes."""


def measured_set(stored: StoredGraph, edge_index: Ints) -> GraphSetFacts | None:
    """Sizes of the graphs of ``graph_ptr``; ``None`` where there is no such array."""
    import numpy as np

    if "graph_ptr" not in stored.headers:
        return None
    pointer: Any = np.asarray(stored.read("graph_ptr")).astype(np.int64)
    nodes, edges = np.diff(pointer), np.zeros(pointer.size - 1, np.int64)
    for part in chunks(edge_index.shape[1], CHUNK):
        graph = np.searchsorted(pointer, edge_index[1, part], side="right") - 1
        edges += np.bincount(graph, minlength=edges.size)
    node_lows, node_counts = _histogram(nodes)
    edge_lows, edge_counts = _histogram(edges)
    spread = float(nodes.std() * edges.std())
    correlation = float(((nodes - nodes.mean()) * (edges - edges.mean())).mean()) / spread if spread else 1.0
    return GraphSetFacts(
        nodes_mean=float(nodes.mean()),
        nodes_deviation=float(nodes.std()),
        nodes_max=int(nodes.max()),
        node_lows=node_lows,
        node_counts=node_counts,
        edges_mean=float(edges.mean()),
        edges_deviation=float(edges.std()),
        edges_max=int(edges.max()),
        edge_lows=edge_lows,
        edge_counts=edge_counts,
        correlation=min(max(correlation, -1.0), 1.0),
    )


def _histogram(counts: Ints) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Powers of two: lows 0, 1, 2, 4, ... and how many counts lie from one to the next."""
    import numpy as np

    place = np.where(counts > 0, np.floor(np.log2(np.maximum(counts, 1))).astype(np.int64) + 1, 0)
    found = np.bincount(place)
    lows = tuple(0 if index == 0 else 1 << (index - 1) for index in range(found.size))
    return lows, tuple(found.tolist())


def assumed_set(num_graphs: int, num_nodes: int, num_edges: int, variation: float = ASSUMED_VARIATION) -> GraphSetFacts:
    """Sizes of graphs of which only totals are known, and the ``variation``, the deviation over mean of their nodes."""
    nodes, edges = num_nodes / num_graphs, num_edges / num_graphs
    alone = num_graphs == 1
    variation = 0.0 if alone else variation
    # The largest of G log-normal sizes lies about sqrt(2 ln G) deviations of their logarithm above the median.
    sigma = math.sqrt(math.log(1 + variation**2))
    most = math.exp(sigma * math.sqrt(2 * math.log(max(num_graphs, 1))))
    return GraphSetFacts(
        nodes_mean=nodes,
        nodes_deviation=variation * nodes,
        nodes_max=min(math.ceil(nodes * most), num_nodes),
        node_lows=(0,),
        node_counts=(num_graphs,),
        edges_mean=edges,
        edges_deviation=variation * edges,
        edges_max=min(math.ceil(edges * most), num_edges),
        edge_lows=(0,),
        edge_counts=(num_graphs,),
        assumed=True,
    )


def graph_labels(stored: StoredGraph) -> tuple[LabelFacts, list[str]]:
    """Classes, label columns or regression targets of graphs, and the split that training will use.

    Raises:
        OptionError: masks that pick nodes, not graphs.
    """
    import numpy as np

    from techniques.remote.graphs import known_graphs, refuse_node_masks, seeded_split, targets_are_real

    refuse_node_masks(stored)
    labels: Any = np.asarray(stored.read("y"))
    known = known_graphs(labels)
    classes: Ints | None = None
    if targets_are_real(labels):
        facts, notes = LabelFacts(num_classes=0, num_targets=_columns(labels), labelled=int(known.sum())), []
        notes.append("targets are fractions: a regression, trained on standardised targets")
    elif labels.ndim == 2 and labels.shape[1] > 1:
        facts = LabelFacts(num_classes=labels.shape[1], multi_label=True, labelled=len(labels))
        notes = ["several labels per graph: imbalance and majority share do not apply"]
    else:
        classes = np.where(known, labels.reshape(-1), -1).astype(np.int64)
        facts, notes = single_label(classes)
        if facts.num_classes > MANY_VALUES and labels.dtype.kind == "f":
            notes.append(f"y holds {facts.num_classes} whole values: taken as classes; a regression needs fractions")
    if "train_mask" in stored.headers:
        split, split_notes = stored_split(stored, known, classes)
        return facts.model_copy(update=split), notes + split_notes
    split, split_notes = masked_split(seeded_split(labels), known, classes, LABEL)
    how = "" if facts.num_targets or facts.multi_label else ", stratified"
    seeded = f"no split stored: a seeded{how} 80/10/10 split of the graphs"
    if known.any() and not split["val"]:
        split_notes = [f"{UNVALIDATED}: fewer than three graphs have a label; {LABEL}"]
    return facts.model_copy(update=split | {"split_is_seeded": True}), [*notes, seeded, *split_notes]


def _columns(labels: Any) -> int:
    return 1 if labels.ndim == 1 else int(labels.shape[1])


def refuse_graph_counts(graphs: int, nodes: int) -> None:
    """Refuse counts that are no set of graphs.

    Raises:
        OptionError: no graph, or more graphs than nodes.
    """
    if graphs < 1 or graphs > nodes:
        raise OptionError(
            f"--graphs must be from 1 to the number of nodes ({nodes:,}), got {graphs:,}",
            "Give --nodes and --edges of all graphs together",
        )
