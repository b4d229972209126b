"""Typed batches: forecast sizes against drawn ones, bytes against arrays, structure against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.inspect.opened import drawer
from techniques.architecture.hetero.relation import relations
from techniques.architecture.hetero.typed import TYPED
from techniques.assembly import forecast
from techniques.forecast import Phase, Place
from techniques.remote.hetero_types import edge_types, edges_by_type, node_types
from techniques.remote.source import from_object
from techniques.sampling.hetero_structure import HeteroStructure

SETTINGS: dict[str, Any] = {"hidden": 16, "threads": 1, "prefetch": 0, "batch_size": 200, "fanouts": (5, 4)}


def tensor_bytes(parts: list[Any]) -> int:
    """Bytes of distinct storages."""
    return sum({part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in parts}.values())


@pytest.mark.parametrize("representation", ["coo", "csr"])
@pytest.mark.parametrize("sampling", ["neighbor", "full_batch"])
@pytest.mark.parametrize("sparse", [False, True])
def test_batches_weigh_what_is_forecast(
    sparse: bool, sampling: str, representation: str, films: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    stored = from_object(films(scale=60, sparse=sparse), "films")
    facts = profiled(stored)
    slots = {"architecture": "rgcn", "sampling": sampling, "representation": representation}
    slots["representation.features"] = "csr" if sparse else "dense"
    settings = SETTINGS if sampling == "neighbor" else {"hidden": 16, "threads": 1}
    spec = spec_for(facts, slots, **settings)
    job = make_job(facts, stored, spec)
    found = forecast(spec, facts, drawer(stored, facts.graph))
    batch = next(iter(job.batches()))
    parts = [] if sampling == "full_batch" else [x for x in batch.x.values() if not x.is_sparse_csr]
    if sampling == "neighbor":
        for x in batch.x.values():
            parts += [x.crow_indices(), x.col_indices(), x.values()] if x.is_sparse_csr else []
    shared = set()
    if sampling == "full_batch":
        shared = {job.structure.row[place].ctypes.data for place in range(len(job.structure.row))}
    for layer in batch.blocks:
        for block in layer.blocks.values():
            tensors = (
                [block.edge_index] if block.edge_index is not None else [one for one in block.csr if one is not None]
            )
            parts += [one for one in tensors if one.numel() and one.data_ptr() not in shared]
    held = found.held.get((Place.HOST, "batches" if sampling == "neighbor" else "batch"))
    assert held is not None
    labels = 8 * batch.y.size(0) * (2 if sampling == "full_batch" else 1)
    assert held.expected == pytest.approx(tensor_bytes(parts) + labels, rel=0.1)


def test_sizes_from_degrees_are_near_those_of_drawn_batches(films: Any, profiled: Any, spec_for: Any) -> None:
    stored = from_object(films(scale=200), "films")
    facts = profiled(stored)
    for trim in (True, False):
        spec = spec_for(facts, {"architecture": "rgcn", "sampling": "neighbor"}, **{**SETTINGS, "trim": trim})
        drawn, counted = forecast(spec, facts, drawer(stored, facts.graph)), forecast(spec, facts)
        assert drawn.shape is not None and counted.shape is not None
        for one, other in zip(drawn.shape.layers, counted.shape.layers, strict=True):
            assert other.num_edges == pytest.approx(one.num_edges, rel=0.3)
            assert other.num_sources == pytest.approx(one.num_sources, rel=0.3)


@pytest.mark.parametrize("architecture", TYPED)
def test_flops_of_an_epoch_are_those_forecast(
    architecture: str, films: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    from tuner.metrics import epoch_shapes, flops
    from tuner.training import train_epoch

    stored = from_object(films(scale=100), "films")
    facts = profiled(stored)
    for sampling in ("full_batch", "neighbor"):
        settings = SETTINGS if sampling == "neighbor" else {"hidden": 16, "threads": 1}
        spec = spec_for(
            facts, {"architecture": architecture, "sampling": sampling, "representation": "coo"}, **settings
        )
        job = make_job(facts, stored, spec)
        shapes = epoch_shapes(job)
        train_epoch(job, shapes=shapes)
        found = forecast(spec, facts, drawer(stored, facts.graph))
        assert found.gemm_flops_per_epoch.expected == pytest.approx(flops(job, shapes).gemm, rel=0.03)


def test_the_structure_holds_every_edge_both_ways(films: Any, profiled: Any) -> None:
    stored = from_object(films(), "films")
    facts = profiled(stored)
    nodes = node_types(stored)
    types = edge_types(stored, nodes)
    found = relations(facts.graph, True)
    lists = edges_by_type(stored, nodes, types)
    kept = [one.copy() for one in lists]
    structure = HeteroStructure.build(nodes.counts, found, lists)
    assert structure.num_edges == sum(one.num_edges for one in found)
    for place, one in enumerate(found):
        pairs = kept[one.stored][::-1] if one.turned else kept[one.stored]
        targets = np.repeat(np.arange(nodes.counts[one.target]), np.diff(structure.colptr[place]))
        held = sorted(zip(structure.row[place].tolist(), targets.tolist(), strict=True))
        assert held == sorted(zip(*pairs.tolist(), strict=True))
    for kind in range(3):
        degrees = sum(
            np.bincount((kept[one.stored][0] if one.turned else kept[one.stored][1]), minlength=nodes.counts[kind])
            for one in found
            if one.target == kind
        )
        assert structure.degrees(kind).tolist() == degrees.tolist()
    places = [place for place, one in enumerate(found) if one.target == 0]
    ends = [0]
    while ends[-1] < nodes.counts[0]:
        ends.append(structure.chunk_end(places, ends[-1], nodes.counts[0], 25))
        edges = sum(int(structure.colptr[place][ends[-1]] - structure.colptr[place][ends[-2]]) for place in places)
        assert edges <= 25 or ends[-1] == ends[-2] + 1


def test_evaluation_holds_no_more_than_is_forecast(films: Any, profiled: Any, spec_for: Any) -> None:
    """Evaluation grows with nodes, not with edges: chunks are bounded."""
    facts = profiled(from_object(films(scale=50), "films"))
    spec = spec_for(facts, {"architecture": "hetero_sage", "sampling": "neighbor", "representation": "coo"}, **SETTINGS)
    types = tuple(one.model_copy(update={"num_edges": 100_000 * one.num_edges}) for one in facts.graph.edge_types)
    grown = facts.model_copy(update={"graph": facts.graph.model_copy(update={"edge_types": types})})
    structure = sum(12.0 * one.num_edges for one in relations(grown.graph, True))
    peak = forecast(spec, grown).phases[Phase.EVALUATE].host_peak_bytes.expected
    assert peak < 1.5 * structure + 1e9
