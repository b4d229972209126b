"""Recipes: the losses of a pasted script are those of the job that we build."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from techniques.recipe import recipe
from techniques.recipe_parts import ROW_SAMPLERS
from tests.covering import covering
from tests.recipe_cases import (
    ARCHITECTURES,
    COMBINATIONS,
    EXACT,
    GRAPH_SAMPLERS,
    NEVER,
    NO_READOUT,
    PRECOMPUTED,
    SAMPLERS,
    assert_same_losses,
    facts_for,
    loaded,
    spec_of,
)

GRAPHS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "directed": ({"undirected": False, "features": "float16"}, {"trim": False}),
    "multi-label": ({"labels": "multi"}, {"trim": False}),
    "no features": ({"features": "none"}, {}),
    "sparse features": ({"features": "sparse"}, {}),
    "weighted": ({"weights": "symmetric", "edge_columns": 3}, {}),
    "weighted directed": ({"weights": "random", "undirected": False}, {"trim": False}),
    "edge attributes": ({"edge_columns": 1, "undirected": False}, {"trim": False}),
    "unit rows": ({}, {"unit_rows": True}),
}
ON_GRAPHS = covering(
    product(GRAPHS, COMBINATIONS),
    lambda case: case[1],
    lambda case: (case[0], case[1][0]),
    lambda case: (case[0], case[1][1:]),
)
"""Every combination on some graph; on every graph every sampler, and every layer over every adjacency."""


LEARNED = covering(
    [one for one in COMBINATIONS if one[1] not in PRECOMPUTED and one[0] not in GRAPH_SAMPLERS],
    lambda case: case[0],
    lambda case: case[1:],
)


@pytest.mark.parametrize(("graph", "chosen"), ON_GRAPHS, ids=str)
def test_the_losses_are_those_of_our_job(
    graph: str,
    chosen: tuple[str, str, str],
    tiny: Any,
    profiled: Any,
    written_job: Any,
    fixed_draws: None,
) -> None:
    arrays, settings = GRAPHS[graph]
    stored = tiny(**arrays)
    facts = facts_for(chosen[0], stored, profiled)
    sparse = graph == "sparse features" and chosen[1] not in PRECOMPUTED  # whose propagated features are dense
    slots = {"representation_features": "csr"} if sparse else {}
    spec = spec_of(facts, chosen, {**EXACT[chosen[0]], **settings, "dropout": 0.0}, **slots)
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "link_neighbor", "shadow_k_hop"])
@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if one != "custom"])
def test_any_depth(
    architecture: str,
    sampling: str,
    layers: int,
    tiny: Any,
    profiled: Any,
    written_job: Any,
    fixed_draws: None,
) -> None:
    if (sampling, architecture) in NEVER[1]:
        pytest.skip("never go together")
    stored = tiny(undirected=False)
    facts = facts_for(sampling, stored, profiled)
    settings = {**EXACT[sampling], "layers": layers, "fanouts": (-1,) * layers, "dropout": 0.0, "depth": layers}
    spec = spec_of(facts, (sampling, architecture, "csr" if architecture in PRECOMPUTED else "coo"), settings)
    assert spec.settings["layers"] == layers
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


RENUMBERED = covering(
    product(GRAPHS, [one for one in ARCHITECTURES if one not in (*PRECOMPUTED, "custom")], ("rcm", "community")),
    lambda case: case[0],
    lambda case: case[1:],
    lambda case: (case[0], case[2]),
)


@pytest.mark.parametrize(("graph", "architecture", "order"), RENUMBERED)
def test_renumbered_nodes(
    graph: str, architecture: str, order: str, tiny: Any, profiled: Any, written_job: Any
) -> None:
    arrays, _ = GRAPHS[graph]
    stored = tiny(**arrays)
    facts = profiled(stored)
    slots = {"representation_features": "csr"} if graph == "sparse features" else {}
    representation = "coo" if architecture in ("gat", "gatv2") else "csr"
    settings = {"layers": 2, "dropout": 0.0, "node_order": order}
    spec = spec_of(facts, ("full_batch", architecture, representation), settings, **slots)
    job = written_job(facts, stored, spec)
    data = torch.load("graph.pt", weights_only=False)
    for name in ("y", "train_mask"):  # the script starts from the graph as it is stored
        data[name] = job.as_given(data[name])
    torch.save(data, "graph.pt")
    assert_same_losses(job, spec)
    pasted = loaded(recipe(spec, facts))
    assert torch.equal(pasted.order, torch.from_numpy(job.node_order))


@pytest.mark.parametrize("coverage", [0, 20])
@pytest.mark.parametrize("sampler", ["node", "edge", "random_walk"])
def test_every_kind_of_graphsaint(
    sampler: str, coverage: int, tiny: Any, profiled: Any, written_job: Any, fixed_draws: None
) -> None:
    stored = tiny()
    facts = profiled(stored)
    settings = {"saint_sampler": sampler, "batch_size": 20, "sample_coverage": coverage, "dropout": 0.0}
    spec = spec_of(facts, ("graph_saint", "sage", "coo"), settings)
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name != "rows"])
def test_graphsage_with_max(sampling: str, tiny: Any, profiled: Any, written_job: Any, fixed_draws: None) -> None:
    stored = tiny(undirected=False)
    facts = facts_for(sampling, stored, profiled)
    spec = spec_of(facts, (sampling, "sage", "coo"), {**EXACT[sampling], "aggregator": "max", "dropout": 0.0})
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("features", ["dense", "float16"])
@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name not in ROW_SAMPLERS])
def test_mapped_features(
    sampling: str,
    features: str,
    tiny: Any,
    profiled: Any,
    written_job: Any,
    fixed_draws: None,
) -> None:
    stored = tiny(features=features)
    facts = facts_for(sampling, stored, profiled)
    settings = {**EXACT[sampling], "dropout": 0.0}
    spec = spec_of(facts, (sampling, "sage", "csr"), settings, remote_features="memmap")
    job = written_job(facts, stored, spec)
    np.save("x.npy", stored.read("x"))
    assert_same_losses(job, spec)


@pytest.mark.parametrize("chosen", LEARNED, ids="-".join)
def test_learned_rows(
    chosen: tuple[str, str, str], tiny: Any, profiled: Any, written_job: Any, fixed_draws: None
) -> None:
    stored = tiny(features="none")
    facts = facts_for(chosen[0], stored, profiled)
    settings = {**EXACT[chosen[0]], "dropout": 0.0, "embedding_width": 6}
    spec = spec_of(facts, chosen, settings, representation_features="embedding")
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


@pytest.mark.parametrize("sampling", [name for name in SAMPLERS if name not in ("full_batch", "rows")])
def test_features_as_float16(sampling: str, tiny: Any, profiled: Any, written_job: Any, fixed_draws: None) -> None:
    stored = tiny()
    facts = facts_for(sampling, stored, profiled)
    spec = spec_of(
        facts, (sampling, "sage", "csr"), {**EXACT[sampling], "dropout": 0.0}, representation_features="half"
    )
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)


GRAPH_LEVEL = {
    "classes": ({}, {"pool": "max"}),
    "no norm": ({"features": "none"}, {"pool": "mean", "norm": "none"}),
    "regression": ({"labels": "targets"}, {}),
    "one target": ({"labels": "target", "undirected": False}, {"norm": "none"}),
    "multi-label": ({"labels": "multi"}, {}),
    "max of neighbours": ({}, {"aggregator": "max"}),
}


@pytest.mark.parametrize("sampler", ["full_batch", *GRAPH_SAMPLERS])
@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if one not in NO_READOUT])
@pytest.mark.parametrize("kind", GRAPH_LEVEL)
def test_sets_of_graphs(
    kind: str, architecture: str, sampler: str, tiny_set: Any, profiled: Any, written_job: Any
) -> None:
    arrays, settings = GRAPH_LEVEL[kind]
    stored = tiny_set(**arrays)
    facts = profiled(stored)
    settings = {**EXACT[sampler], "dropout": 0.0, **settings}
    spec = spec_of(facts, (sampler, architecture, "coo"), settings)
    job = written_job(facts, stored, spec)
    assert_same_losses(job, spec)
