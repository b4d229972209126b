"""One step of a typed network on a small graph with the same types, so that lazy initialisation is not charged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from techniques.assembly import build
from techniques.facts import Facts
from techniques.job import Job

if TYPE_CHECKING:
    from tuner.records import WorkRequest

NODES_PER_TYPE = 100
EDGES_PER_TYPE = 400
WIDTH = 64


def warm_up_types(request: WorkRequest) -> None:
    """Build, train and evaluate the request's spec on 100 nodes of every type."""
    from planner.inspect.types import type_facts
    from techniques.remote.source.arrays import ArrayGraph
    from tuner.training import train_epoch

    stored = ArrayGraph("warm-up", _arrays(request.facts))
    graph = request.facts.graph.model_copy(
        update={"num_nodes": int(stored.arrays["num_nodes"]), **type_facts(stored)[0]}
    )
    facts = request.facts.model_copy(update={"graph": graph})
    with tempfile.TemporaryDirectory() as folder:
        job = build(Job(spec=request.spec, facts=facts, stored=stored, scratch=Path(folder)))
        train_epoch(job)
        job.need("predict")()
    torch.manual_seed(request.spec.training.seed)


def _arrays(facts: Facts) -> dict[str, Any]:
    """As many types as the graph has; whoever has features there has some here."""
    graph, rng = facts.graph, np.random.default_rng(0)
    types = graph.node_types
    place = {one.name: index for index, one in enumerate(types)}
    nodes = NODES_PER_TYPE * len(types)
    edges = [
        rng.integers(0, NODES_PER_TYPE, (2, EDGES_PER_TYPE))
        + NODES_PER_TYPE * np.array([[place[one.source]], [place[one.target]]])
        for one in graph.edge_types
    ]
    columns = np.array([min(one.columns, WIDTH) for one in types])
    kind = np.repeat(np.arange(len(types), dtype=np.int16), NODES_PER_TYPE)
    x = (rng.random((nodes, max(int(columns.max()), 1))) < 0.05).astype(np.float32)
    x *= np.arange(x.shape[1]) < columns[kind][:, None]
    target = place[graph.target_type or types[0].name]
    classes = max(graph.labels.num_classes, 2)
    y = np.where(kind == target, np.arange(nodes) % classes, -1)
    if graph.labels.multi_label:
        y = ((np.arange(nodes)[:, None] % classes == np.arange(classes)) & (kind == target)[:, None]).astype(np.uint8)
    return _rows(x, graph.features.sparse_at_rest) | {
        "num_nodes": np.array(nodes),
        "edge_index": np.concatenate(edges, axis=1).astype(np.int32),
        "node_type": kind,
        "edge_type": np.repeat(np.arange(len(edges), dtype=np.int16), EDGES_PER_TYPE),
        "type_names": np.array([one.name for one in types]),
        "rel_names": np.array([one.name for one in graph.edge_types]),
        "type_columns": columns,
        "y": y,
    }


def _rows(x: Any, sparse: bool) -> dict[str, Any]:
    """Features stored as the graph's own are, so that the same kernels are compiled."""
    if not sparse:
        return {"x": x}
    node, column = np.nonzero(x)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=len(x)))])
    parts = {"x_data": x[node, column], "x_indices": column.astype(np.int32), "x_indptr": pointer.astype(np.int64)}
    return {**parts, "x_shape": np.array(x.shape)}
