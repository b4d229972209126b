"""The same run on a graph that has grown: until when it fits, and what fits after that."""

from __future__ import annotations

from planner.api import make_plan
from planner.costing import cost, fits
from planner.pins import Pins
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Range
from techniques.graph_figures import DegreeFacts, LabelFacts
from techniques.job import JobSpec
from techniques.record import Record

FACTORS = (2.0, 5.0, 10.0, 100.0)


class Grown(Record):
    """A size to come: what the run of today needs then, and what the plan would be."""

    factor: float
    host_bytes: Range
    device_bytes: Range
    epoch_seconds: Range
    fits: bool
    best: str | None
    """The plan's best at that size; ``None`` where nothing fits."""
    changes: str | None = None
    """What would have to change where nothing fits."""


def growth(facts: Facts, spec: JobSpec, pins: Pins) -> tuple[Grown, ...]:
    """Every factor, smallest first."""
    found = []
    for factor in FACTORS:
        later = facts.model_copy(update={"graph": grown(facts.graph, factor)})
        figures, plan = cost(later, spec), make_plan(later, Pins())
        found.append(
            Grown(
                factor=factor,
                host_bytes=figures.baseline_host_bytes + figures.peak_host_bytes,
                device_bytes=figures.peak_device_bytes,
                epoch_seconds=figures.epoch_seconds,
                fits=fits(later, figures),
                best=plan.best.name if plan.best else None,
                changes=plan.nearest.change if plan.nearest else None,
            )
        )
    return tuple(found)


def grown(graph: GraphFacts, factor: float) -> GraphFacts:
    """So many times the nodes and edges, with the same degrees, features and classes."""
    nodes, edges = round(graph.num_nodes * factor), round(graph.num_edges * factor)
    features = graph.features
    stored = {"nonzeros": round(features.nonzeros * factor), "stored_bytes": round(features.stored_bytes * factor)}
    return graph.model_copy(
        update={
            "num_nodes": nodes,
            "num_edges": edges,
            "num_graphs": max(1, round(graph.num_graphs * factor)) if graph.num_graphs > 1 else 1,
            "nodes_by_type": {name: round(count * factor) for name, count in graph.nodes_by_type.items()},
            "edges_by_type": {name: round(count * factor) for name, count in graph.edges_by_type.items()},
            "density": graph.density / factor,
            "degrees": _more(graph.degrees, factor),
            "features": features.model_copy(update=stored),
            "labels": _labels(graph.labels, factor),
            "structure_stored_bytes": round(graph.structure_stored_bytes * factor),
            "dataset_bytes": round(graph.dataset_bytes * factor),
        }
    )


def _more(degrees: DegreeFacts, factor: float) -> DegreeFacts:
    """As many times the nodes of every degree."""
    scaled: dict[str, object] = {
        name: tuple(round(count * factor) for count in getattr(degrees, name)) for name in ("histogram", "totals")
    }
    for name in ("block_nodes", "block_train"):
        counts = getattr(degrees, name)
        scaled[name] = None if counts is None else tuple(round(count * factor) for count in counts)
    if degrees.block_edges is not None:
        scaled["block_edges"] = tuple(tuple(round(count * factor) for count in row) for row in degrees.block_edges)
    return degrees.model_copy(update=scaled)


def _labels(labels: LabelFacts, factor: float) -> LabelFacts:
    names = ("labelled", "train", "val", "test")
    counts = {name: getattr(labels, name) for name in names}
    return labels.model_copy(
        update={name: round(count * factor) for name, count in counts.items() if count is not None}
    )
