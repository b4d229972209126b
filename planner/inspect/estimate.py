"""A graph's facts without the graph: from typed counts or from the catalog. Imports neither numpy nor torch."""

from __future__ import annotations

import math
from dataclasses import replace

from planner.catalog.datasets import DatasetEntry
from planner.inspect import sizes
from planner.inspect.degrees import TYPICAL_SIGMA, estimated_degrees
from planner.inspect.features import generated_features
from planner.inspect.graph_sets import ASSUMED_VARIATION, GRAPH_SHARES, assumed_set, refuse_graph_counts
from planner.inspect.labels import SEEDED_SHARES, seeded_counts
from techniques.errors import OptionError
from techniques.facts import EDGE, FLOAT_BYTES, INDEX_BYTES, NODE, GraphFacts, Origin, Task
from techniques.graph_figures import FeatureFacts, GraphSetFacts, LabelFacts
from techniques.remote.link_counts import HIDDEN_NOTE, link_counts

ASSUMED_CLASSES = 2
MAX_SCALE = 1e6


def from_counts(
    nodes: int,
    edges: int,
    features: int = 0,
    classes: int = 0,
    *,
    directed: bool,
    name: str = "counts",
    dataset_bytes: int | None = None,
    edge_features: int = 0,
    edge_weighted: bool = False,
    train_share: float | None = None,
    num_graphs: int | None = None,
    num_targets: int = 0,
) -> GraphFacts:
    """Facts from counts that the user typed.

    Args:
        edges: undirected pairs, each stored twice, unless ``directed``.
        features, classes: width of the node features and how many classes; 0 where there are none, or unknown.
        edge_weighted: every edge has a weight, alike in both directions of an undirected edge.
        dataset_bytes: size of structure and features in memory, where the user knows better than the formula.
        train_share: share of nodes to train on, above 0 to 1; 60 % by default.
        num_graphs: how many graphs all these nodes and edges belong to, for a graph-level task.
        num_targets: columns of a regression's targets, in place of classes.

    Raises:
        OptionError: ``train_share`` is not a share, or a count is below 0.
    """
    for counted, count, least in (
        ("nodes", nodes, 1),
        ("edges", edges, 0),
        ("features", features, 0),
        ("classes", classes, 0),
    ):
        if count < least:
            raise OptionError(f"{counted} must be {least} or more, got {count}", "Count them")
    if num_graphs is not None:
        refuse_graph_counts(num_graphs, nodes)
    entries = edges if directed else 2 * edges
    entry = DatasetEntry(
        name=name,
        title=name,
        num_nodes=nodes,
        num_edges=entries,
        source="counts as typed",
        undirected=not directed,
        features=features,
        classes=classes,
        split=_split(train_share, SEEDED_SHARES if num_graphs is None else GRAPH_SHARES),
        num_graphs=num_graphs or 1,
        task=Task.GRAPH if num_graphs else Task.NODE,
        split_is_known=train_share is not None,
        degree_sigma=TYPICAL_SIGMA,
        edge_features=edge_features,
        notes=_typed_notes(nodes, edges, entries, dataset_bytes),
    )
    return _stated(_facts(entry, Origin.TYPED), edge_weighted, num_targets, dataset_bytes)


def _stated(facts: GraphFacts, edge_weighted: bool, num_targets: int, dataset_bytes: int | None) -> GraphFacts:
    """The same with what no entry of a catalog says."""
    known: dict[str, object] = {}
    if num_targets:
        known["labels"] = facts.labels.model_copy(update={"num_classes": 0, "num_targets": num_targets})
    if edge_weighted:
        known |= {"edge_weighted": True, "edge_weight_symmetric": facts.undirected}
    if dataset_bytes is not None:
        known["dataset_bytes"] = dataset_bytes
    return facts.model_copy(update=known) if known else facts


def from_dataset(entry: DatasetEntry, scale: float = 1.0) -> GraphFacts:
    """Facts about a catalog data set, or about one ``scale`` times its size.

    Raises:
        OptionError: the scale is not a positive number, or leaves less than one node.
    """
    if not 0 < scale <= MAX_SCALE or round(entry.num_nodes * scale) < 1:
        raise OptionError(
            f"scale must be above 0, at most {MAX_SCALE:,.0f} and leave at least one node, got {scale:g}",
            f"Write it like like:{entry.name}@0.1",
        )
    scaled = replace(
        entry,
        name=entry.name if scale == 1 else f"{entry.name}@{scale:g}",
        num_nodes=round(entry.num_nodes * scale),
        num_edges=round(entry.num_edges * scale),
        num_graphs=max(1, round(entry.num_graphs * scale)),
        notes=(f"estimated from the catalog: {entry.source}", *entry.notes),
    )
    facts = _facts(scaled, Origin.ESTIMATED)
    return facts.model_copy(update={"labels": facts.labels.model_copy(update=_known_homophily(entry))})


def _split(train_share: float | None, default: tuple[float, float, float]) -> tuple[float, float, float]:
    """What is not for training is halved between validation and test."""
    if train_share is None:
        return default
    if not 0 < train_share <= 1:
        raise OptionError(f"train share must be above 0 and at most 1, got {train_share:g}", "Write it like 0.6")
    rest = (1 - train_share) / 2
    return train_share, rest, rest


def _facts(entry: DatasetEntry, origin: Origin) -> GraphFacts:
    nodes, entries = entry.num_nodes, entry.num_edges
    features, feature_notes = _features(entry)
    task = Task(entry.task)
    labels, label_notes = _labels(entry)
    return GraphFacts(
        name=entry.name,
        origin=origin,
        task=task,
        num_nodes=nodes,
        num_edges=entries,
        undirected=entry.undirected,
        nodes_by_type={NODE: nodes},
        edges_by_type={EDGE: entries},
        density=sizes.density(nodes, entries),
        degrees=estimated_degrees(nodes, entries, entry.degree_sigma),
        features=features,
        labels=labels,
        num_graphs=entry.num_graphs,
        graph_set=_graph_set(entry) if entry.num_graphs > 1 or task is Task.GRAPH else None,
        structure_stored_bytes=2 * INDEX_BYTES * entries,
        dataset_bytes=sizes.dataset_bytes(nodes, entries, features.width, entry.edge_features),
        edge_features=entry.edge_features,
        size_class=sizes.size_class(nodes, entries // 2 if entry.undirected else entries),
        notes=(*entry.notes, *feature_notes, *label_notes, _degree_note(entry)),
    )


def _graph_set(entry: DatasetEntry) -> GraphSetFacts:
    variation = ASSUMED_VARIATION if entry.size_variation is None else entry.size_variation
    return assumed_set(entry.num_graphs, entry.num_nodes, entry.num_edges, variation)


def _features(entry: DatasetEntry) -> tuple[FeatureFacts, list[str]]:
    nodes, width = entry.num_nodes, entry.features
    if not width:
        return generated_features(nodes)
    facts = FeatureFacts(
        width=width,
        dtype="float32",
        nonzeros=math.ceil(entry.feature_density * nodes * width),
        stored_bytes=FLOAT_BYTES * nodes * width,
    )
    return facts, []


def _labels(entry: DatasetEntry) -> tuple[LabelFacts, list[str]]:
    """Assumed labels: all nodes (or graphs) labelled, split by the entry's shares; for links a split of the edges."""
    if entry.task == Task.LINK:
        train, val, test = link_counts(entry.num_edges, entry.undirected, self_loops=0)
        return LabelFacts(num_classes=0, train=train, val=val, test=test, split_is_seeded=True), [HIDDEN_NOTE]
    items = entry.num_graphs if entry.task == Task.GRAPH else entry.num_nodes
    train, val, test = seeded_counts(items, entry.split)
    facts = LabelFacts(
        num_classes=0 if entry.targets else entry.classes or ASSUMED_CLASSES,
        num_targets=entry.targets,
        multi_label=entry.multi_label,
        labelled=items,
        train=max(train, 1),
        val=val,
        test=test,
        split_is_seeded=not entry.split_is_known,
    )
    notes = [] if entry.classes or entry.targets else [f"number of classes not known: {ASSUMED_CLASSES} assumed"]
    if not entry.split_is_known:
        notes.append(f"split not known: {'80/10/10' if entry.task == Task.GRAPH else '60/20/20'} assumed")
    if entry.task == Task.GRAPH and entry.size_variation is None:
        notes.append(f"sizes of graphs not known: deviation of {ASSUMED_VARIATION:.0%} of the mean assumed")
    return facts, notes


def for_links(graph: GraphFacts) -> GraphFacts:
    """The same graph with its edges to predict instead of its labels."""
    if graph.task is Task.LINK:
        return graph
    train, val, test = link_counts(graph.num_edges, graph.undirected, graph.self_loops or 0)
    labels = LabelFacts(num_classes=0, train=train, val=val, test=test, split_is_seeded=True)
    return graph.model_copy(update={"task": Task.LINK, "labels": labels, "notes": (*graph.notes, HIDDEN_NOTE)})


def _known_homophily(entry: DatasetEntry) -> dict[str, float]:
    applies = entry.task == Task.NODE and not entry.multi_label
    return {"homophily": entry.homophily} if applies else {}


def _typed_notes(nodes: int, edges: int, entries: int, stated_bytes: int | None) -> tuple[str, ...]:
    notes = []
    if entries != edges:
        notes.append(f"{edges:,} undirected edges are stored as {entries:,} directed entries")
    if entries > nodes * (nodes - 1):
        notes.append("more edges than pairs of nodes: parallel edges or self-loops assumed")
    if stated_bytes is not None:
        notes.append(f"data set size as stated: {stated_bytes:,} bytes; forecasts count nodes, edges and features")
    return tuple(notes)


def _degree_note(entry: DatasetEntry) -> str:
    return f"degrees estimated as log-normal, sigma {entry.degree_sigma:g}"
