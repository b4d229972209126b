"""Recipes that coarsen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from techniques import options
from techniques.base import Slot
from techniques.recipe import recipe
from tests.recipe_cases import GRAPH_SAMPLERS, SAMPLERS, SMALL, assert_same_losses, spec_of

COARSENINGS = [one.name for one in options(Slot.COARSENING) if one.name != "none"]
COARSE_GRAPHS = {
    "plain": {},
    "directed": {"undirected": False, "features": "float16"},
    "multi-label": {"labels": "multi"},
    "no features": {"features": "none"},
    "weighted": {"weights": "symmetric", "edge_columns": 3},
    "edge attributes": {"edge_columns": 1, "undirected": False},
}


@pytest.fixture
def write_positions(write_graph: Any) -> Callable[..., None]:
    """The same with ``pos``, and the training nodes that the job had before it was coarsened."""

    def write(stored: Any, job: Any) -> None:
        write_graph(stored, job)
        data = torch.load("graph.pt", weights_only=False)
        data.pos = torch.from_numpy(stored.read("pos"))
        torch.save(data, "graph.pt")

    return write


@pytest.mark.parametrize("coarsening", COARSENINGS)
@pytest.mark.parametrize("architecture", ["gcn", "sage", "gat"])
@pytest.mark.parametrize("graph", COARSE_GRAPHS)
def test_a_coarse_graph_is_the_one_of_our_job(
    graph: str, architecture: str, coarsening: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any
) -> None:
    stored = tiny(positions=True, **COARSE_GRAPHS[graph])
    facts = profiled(stored)
    spec = spec_of(facts, ("full_batch", architecture, "coo"), {"dropout": 0.0}, coarsening=coarsening)
    job = make_job(facts, stored, spec)
    write_positions(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("labels", ["mode", "mean", "soft"])
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_every_pooling_and_label(
    pooling: str, labels: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any
) -> None:
    stored = tiny(positions=True)
    facts = profiled(stored)
    settings = {"dropout": 0.0, "coarsen_pooling": pooling, "coarsen_labels": labels, "coarsen_ratio": 0.3}
    spec = spec_of(facts, ("full_batch", "gcn", "csr"), settings, coarsening="heavy_edge")
    job = make_job(facts, stored, spec)
    write_positions(stored, job)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("sampling", [one for one in SAMPLERS if one not in ("link_neighbor", "rows", *GRAPH_SAMPLERS)])
def test_every_sampler_draws_from_the_coarse_graph(
    sampling: str, tiny: Any, profiled: Any, make_job: Any, write_positions: Any, capsys: Any
) -> None:
    stored = tiny(positions=True)
    facts = profiled(stored)
    spec = spec_of(facts, (sampling, "sage", "coo"), SMALL, coarsening="graclus")
    write_positions(stored, make_job(facts, stored, spec))
    script = recipe(spec, facts)
    names: dict[str, Any] = {}
    exec(compile(script, "recipe", "exec"), names)
    assert math.isfinite(float(capsys.readouterr().out))
    assert names["data"].num_nodes < names["graph"].num_nodes == 60
    assert "evaluation on graph.val_mask" in script
