"""How well weights that were trained on a coarse graph do on the graph itself, against the share of nodes kept; and how
fast graphs are coarsened.

``python tests/benchmarks/coarsening.py DIR`` prints accuracy against ratio for real graphs in ``.npz`` files;
``--speed`` times ten million edges; ``--sizes`` shows what stays of nodes, edges and non-zeros.

Every row trains the same GCN with the same settings and seeds through the job that ``gnnfit run`` builds: test accuracy at
the best validation accuracy. ``random`` joins random nodes instead of neighbours, as many as the ratio asks for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

GRAPHS = ("cora", "coauthor_cs", "amazon_computers", "amazon_photo", "citeseer")
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
EPOCHS, PATIENCE = 90, 8


def random_clusters(graph: Any, plan: Any) -> Any:
    """As many super-nodes as planned, every node in one at random."""
    from techniques.coarsening.clusters import CoarseGraph
    from techniques.coarsening.kernels import contract

    count = graph.target(plan.ratio)
    order = np.random.default_rng(plan.seed).permutation(graph.num_nodes)
    cluster = np.empty(graph.num_nodes, np.int32)
    cluster[order] = np.arange(graph.num_nodes) % count
    return CoarseGraph(cluster, *contract(graph.colptr, graph.row, graph.weight, cluster, count))


def accuracy(folder: str, facts: Any, method: str, ratio: float, seed: int, settings: dict[str, Any]) -> float:
    """Test accuracy of one run."""
    import torch

    from planner.proposal import Pins, make_spec
    from techniques.base import Slot
    from techniques.coarsening import live
    from techniques.coarsening.clusters import coarsen
    from techniques.job import Job, build
    from techniques.remote.source.folder import FolderGraph
    from tuner.judge import judge
    from tuner.training import train_epoch

    name = {"full": "none", "random": "heavy_edge"}.get(method, method)
    slots = {Slot.COARSENING: name, Slot.ARCHITECTURE: "gcn", Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cpu"}
    form = "csr" if facts.graph.features.sparse_at_rest and facts.graph.features.density(facts.graph.num_nodes) < 0.1 else "dense"
    slots[Slot.REPRESENTATION_FEATURES] = form
    pinned = {"seed": seed, "hidden": 64, "learning_rate": 0.02} | settings
    if name != "none":
        pinned["coarsen_ratio"] = ratio
    spec = make_spec(facts, Pins(slots, pinned), {})
    live.coarsen = random_clusters if method == "random" else coarsen  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as scratch:
        job = build(Job(spec=spec, facts=facts, stored=FolderGraph(folder), scratch=Path(scratch)))
    judged, best, test, stale = judge(job), -1.0, 0.0, 0
    for epoch in range(EPOCHS):
        train_epoch(job)
        if epoch % 3 == 2:
            value = judged.scores("val")["accuracy"]
            stale += 1
            if value > best:
                best, test, stale = value, judged.scores("test")["accuracy"], 0
            if stale >= PATIENCE:
                break
    torch.manual_seed(0)
    return test
