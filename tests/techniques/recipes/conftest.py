"""Where scripts run: their graph, their draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from tests.recipe_cases import GRAPH_SAMPLERS


@pytest.fixture
def write_graph(tmp_path: Path, monkeypatch: Any) -> Callable[..., None]:
    """``write_graph(stored, job)``: the same arrays as ``graph.pt`` where scripts run."""
    monkeypatch.chdir(tmp_path)

    def write(stored: Any, job: Any) -> None:
        data = Data(edge_index=torch.from_numpy(stored.read("edge_index")).long())
        data.num_nodes = int(stored.read("num_nodes"))
        if "x" in stored.headers:
            data.x = torch.from_numpy(stored.read("x"))
        elif "x_data" in stored.headers:
            parts = [torch.from_numpy(np.array(stored.read(f"x_{part}"))) for part in ("indptr", "indices", "data")]
            data.x = torch.sparse_csr_tensor(
                parts[0], parts[1].long(), parts[2], size=tuple(stored.read("x_shape")), check_invariants=False
            ).to_dense()
        for key in ("edge_weight", "edge_attr"):
            kept = slice(None) if job.links is None else job.links.message_mask
            data[key] = torch.from_numpy(stored.read(key)[kept]) if key in stored.headers else None
        if job.links is None:
            data.y = job.labels if job.labels.dim() == 1 else job.labels.to(torch.uint8)
            data.train_mask = job.masks["train"]
            if job.graph_ptr is not None:
                data.ptr = torch.from_numpy(job.graph_ptr)
                data.y = job.labels if job.targets is None else job.targets.restored(job.labels)
                data.y = data.y.to(torch.uint8) if job.facts.graph.labels.multi_label else data.y
        else:
            data.edge_index = torch.from_numpy(job.links.message_edges).long()
            data.train_edge_index = torch.from_numpy(job.links.train).long()
        torch.save(data, "graph.pt")

    return write


@pytest.fixture
def fixed_draws(monkeypatch: Any) -> None:
    """The job and the script draw the same subgraphs (GraphSAINT) and the same negatives."""
    from techniques.sampling import link_sampler
    from techniques.sampling.graph_saint import SaintBatches
    from techniques.sampling.loader import graph_saint as loader

    def subsets() -> Iterator[Any]:
        rng = np.random.default_rng(0)
        while True:
            yield rng.choice(60, 35, replace=False)

    ours, theirs = subsets(), subsets()
    monkeypatch.setattr(SaintBatches, "choose", lambda *_: next(ours))
    for name in ("saint_nodes", "saint_edges", "saint_walks"):
        # The loader's first call compiles; its seed is 0.
        monkeypatch.setattr(loader, name, lambda *given: next(theirs) if given[-1] else np.arange(3))
    negatives = link_sampler._negatives
    monkeypatch.setattr(link_sampler, "_negatives", lambda *given: negatives(*given[:-1], 0))


@pytest.fixture
def tiny(tiny: Any, tiny_set: Any, request: Any) -> Callable[..., Any]:
    """Sets of graphs for the samplers that need them."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    chosen = parameters.get("sampling") or parameters.get("chosen", ("",))[0]

    def build(**arrays: Any) -> Any:
        if chosen not in GRAPH_SAMPLERS:
            return tiny(**arrays)
        labels = "multi" if arrays.get("labels") == "multi" else "classes"
        features = arrays.get("features", "dense")
        weights = arrays.get("weights", "none") != "none"
        columns = arrays.get("edge_columns", 0)
        undirected = arrays.get("undirected", True)
        return tiny_set(labels=labels, features=features, weights=weights, edge_columns=columns, undirected=undirected)

    return build


@pytest.fixture
def written_job(make_job: Any, write_graph: Callable[..., None]) -> Callable[..., Any]:
    """``written_job(facts, stored, spec)``: our job, with its graph where scripts run."""

    def build(facts: Any, stored: Any, spec: Any) -> Any:
        job = make_job(facts, stored, spec)
        write_graph(stored, job)
        return job

    return build
