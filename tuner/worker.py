"""The child: build the job that was forecast, train it, report what happened over a socket as JSON lines."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from techniques.architecture.hetero.typed import is_typed
from techniques.assembly import build
from techniques.base import Part
from techniques.facts import Facts, Task
from techniques.forecast import Phase
from techniques.graph_figures import DegreeFacts
from techniques.job import Job
from tuner.failure import remedy_of, state_of
from tuner.limits import limit_memory
from tuner.records import Measurement, WorkRequest
from tuner.reporter import Reporter

STAGE_PHASES = (Phase.LOAD, Phase.PREPARE, Phase.PREPARE, Phase.PREPARE, Phase.PREPARE, Phase.PREPARE, Phase.PREPARE)
WARM_UP_NODES = 200
WARM_UP_GRAPHS = 20


def work(message: dict[str, Any], channel: socket.socket) -> None:
    """Serve one request; an exception becomes a measurement that says so."""
    request = WorkRequest.model_validate(message)
    reporter = Reporter(channel)
    try:
        measured = _measure(request, reporter)
    except Exception as error:
        import traceback

        traceback.print_exc()
        state, reason = state_of(error)
        measured = Measurement(state=state, reason=reason, remedy=remedy_of(error))
    reporter.send("result", measurement=measured.model_dump(mode="json"))


def _measure(request: WorkRequest, reporter: Reporter) -> Measurement:
    from techniques.hardware.heap import give_back_freed
    from techniques.remote.source.folder import FolderGraph
    from tuner.training import train

    warm_up(request)
    give_back_freed()  # a graph smaller than the one that warmed up would train in what that has left
    reporter.settle()
    limit_memory(request.limits.host_bytes)  # once more, by what the machine has left now
    stored = FolderGraph(request.graph)
    job = Job(spec=request.spec, facts=request.facts, stored=stored, scratch=Path(request.folder))
    reporter.enter(Phase.LOAD)
    if request.check_values:
        from techniques.remote.source.validate import check_features

        check_features(stored)

    def announce(part: Part) -> None:
        reporter.enter(STAGE_PHASES[part.stage])
        give_back_freed()  # no part is built on top of what the one before has freed

    return train(build(job, announce), request, reporter)


def warm_up(request: WorkRequest) -> None:
    """One step of the same kind on a 200-node graph, so that lazy initialisation is not charged to the candidate."""
    import tempfile

    import numpy as np
    import torch

    from techniques.remote.source.arrays import ArrayGraph
    from tuner.training import train_epoch

    if is_typed(request.spec):
        from tuner.hetero_warm_up import warm_up_types

        warm_up_types(request)
        return
    rng = np.random.default_rng(0)
    width = min(request.facts.graph.features.width, 64)
    arrays = {
        "num_nodes": np.array(WARM_UP_NODES),
        "edge_index": rng.integers(0, WARM_UP_NODES, (2, 5 * WARM_UP_NODES)).astype(np.int32),
        "x": (rng.random((WARM_UP_NODES, width)) < 0.1).astype(np.float32),
        "y": rng.integers(0, max(request.facts.graph.labels.num_classes, 2), WARM_UP_NODES),
    }
    if request.facts.graph.labels.multi_label:
        arrays["y"] = rng.integers(0, 2, (WARM_UP_NODES, request.facts.graph.labels.num_classes)).astype(np.uint8)
    if request.facts.task is Task.GRAPH:
        arrays |= _warm_up_set(request.facts, rng)
    entries, graph = arrays["edge_index"].shape[1], request.facts.graph
    if graph.position_columns:
        arrays["pos"] = rng.random((WARM_UP_NODES, graph.position_columns))
    if graph.edge_weighted:
        arrays["edge_weight"] = np.ones(entries, dtype=np.float32)
    if graph.edge_features:
        arrays["edge_attr"] = np.ones((entries, graph.edge_features), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            spec=request.spec,
            facts=small_facts(request.facts, width),
            stored=ArrayGraph("warm-up", arrays),
            scratch=Path(folder),
        )
        job = build(job)
        train_epoch(job)
        job.need("predict")()
    torch.manual_seed(request.spec.training.seed)


def _warm_up_set(facts: Facts, rng: Any) -> dict[str, Any]:
    """The same nodes as twenty graphs of ten nodes each."""
    import numpy as np

    size, count, labels = WARM_UP_NODES // WARM_UP_GRAPHS, WARM_UP_GRAPHS, facts.graph.labels
    first = size * np.repeat(np.arange(count), 5 * size)
    found: dict[str, Any] = {
        "edge_index": (rng.integers(0, size, (2, first.size)) + first).astype(np.int32),
        "graph_ptr": np.arange(0, WARM_UP_NODES + 1, size),
        "y": np.arange(count) % max(labels.num_classes, 2),
    }
    if labels.num_targets:
        found["y"] = rng.normal(size=(count, labels.num_targets))
    elif labels.multi_label:
        found["y"] = rng.integers(0, 2, (count, labels.num_classes)).astype(np.uint8)
    return found


def small_facts(facts: Facts, width: int) -> Facts:
    """The same facts about a graph of the warm-up's size."""
    degrees = DegreeFacts(mean=5.0, max=20, lows=(5,), histogram=(WARM_UP_NODES,), totals=(5 * WARM_UP_NODES,))
    graph = facts.graph.model_copy(
        update={
            "num_nodes": WARM_UP_NODES,
            "num_edges": 5 * WARM_UP_NODES,
            "undirected": False,
            "degrees": degrees,
            "features": facts.graph.features.model_copy(
                update={"width": width, "generated": False, "sparse_at_rest": False, "nonzeros": WARM_UP_NODES}
            ),
        }
    )
    if facts.task is Task.GRAPH:
        size = WARM_UP_NODES // WARM_UP_GRAPHS
        sizes = {"nodes_mean": size, "nodes_deviation": 0.0, "edges_mean": 5 * size, "edges_deviation": 0.0}
        assert graph.graph_set is not None
        split = graph.labels.model_copy(update={"train": 16, "val": 2, "test": 2})
        update = {"num_graphs": WARM_UP_GRAPHS, "graph_set": graph.graph_set.model_copy(update=sizes), "labels": split}
        graph = graph.model_copy(update=update)
    goal = facts.goal.model_copy(update={"hierarchy": None})
    return facts.model_copy(update={"graph": graph, "goal": goal})
