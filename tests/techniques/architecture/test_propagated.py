"""SGC and SIGN: PyG's propagation in any chunks, rows alone in training, the same for every way to batch them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import SGConv
from torch_geometric.transforms import SIGN as PygSign

from planner.proposal import check
from techniques.architecture import network as network_module
from techniques.architecture import precomputed
from techniques.architecture.propagated import PropagatedRows, propagate
from techniques.architecture.sgc import SGC
from techniques.architecture.sign import SIGN
from techniques.assembly import forecast
from techniques.forecast import Phase, Place
from techniques.remote.rows import DenseRows
from techniques.sampling.edge_data import EdgeData
from techniques.sampling.structure import Structure
from tuner.training import train_epoch

KINDS: dict[str, dict[str, Any]] = {
    "undirected": {},
    "directed": {"undirected": False},
    "weighted": {"undirected": False, "weights": "random"},
}


@pytest.fixture(params=["whole", "chunks"])
def chunks(request: Any, monkeypatch: Any) -> None:
    """All at once, or a few columns and a few targets at a time."""
    if request.param == "chunks":
        monkeypatch.setattr(network_module, "FUSED_EDGES_PER_CHUNK", 20)
        monkeypatch.setattr(precomputed, "COLUMN_BYTES", 5 * 60 * 4)


def propagated(stored: Any, steps: int, adds_loops: bool, keeps_all: bool) -> torch.Tensor:
    weight = stored.read("edge_weight") if "edge_weight" in stored.headers else None
    structure = Structure.build(stored.read("edge_index"), 60, False, adds_loops, EdgeData(weight))
    structure.fused = True
    features = DenseRows(np.array(stored.read("x")))
    return propagate(features, structure, steps, adds_loops, keeps_all).whole()


def tensors(stored: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    weight = torch.from_numpy(stored.read("edge_weight")) if "edge_weight" in stored.headers else None
    return torch.from_numpy(stored.read("x")), torch.from_numpy(stored.read("edge_index")).long(), weight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 3])
def test_sgc_is_pygs(kind: str, steps: int, chunks: None, tiny: Any) -> None:
    stored = tiny(self_loops=False, **KINDS[kind])
    x, edge_index, weight = tensors(stored)
    reference = SGConv(24, 24, K=steps, bias=False)
    with torch.no_grad():
        reference.lin.weight.copy_(torch.eye(24))
        expected = reference(x, edge_index, weight)
    torch.testing.assert_close(propagated(stored, steps, True, False), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("kind", KINDS)
def test_sign_is_pygs(kind: str, chunks: None, tiny: Any) -> None:
    """Stored self-loops count as neighbours here."""
    stored = tiny(**KINDS[kind])
    x, edge_index, weight = tensors(stored)
    data = PygSign(3)(Data(x=x.clone(), edge_index=edge_index, edge_weight=weight))
    expected = torch.cat([data.x, data.x1, data.x2, data.x3], dim=1)
    torch.testing.assert_close(propagated(stored, 3, False, True), expected, atol=1e-5, rtol=1e-5)


def test_rows_are_hops_side_by_side() -> None:
    hops = torch.arange(12.0).view(6, 2), -torch.arange(6.0).view(6, 1)
    rows = PropagatedRows(hops)
    assert rows.num_features == 3
    chosen = np.array([4, 1, 4])
    assert torch.equal(rows.rows(chosen), torch.cat(hops, dim=1)[chosen])
    assert torch.equal(rows.whole(), torch.cat(hops, dim=1))


@pytest.mark.parametrize("architecture", ["sgc", "sign"])
def test_evaluation_in_chunks_is_the_network_on_all_rows(
    architecture: str, tiny: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(precomputed, "FEWEST_ROWS", 7)
    monkeypatch.setattr(precomputed, "CHUNK_BYTES", 1)
    stored = tiny()
    facts = profiled(stored)
    job = make_job(facts, stored, spec_for(facts, {"architecture": architecture, "sampling": "full_batch"}, layers=2))
    train_epoch(job)
    job.model.eval()
    with torch.no_grad():
        expected = job.model(job.features.whole(), (None, None))
    torch.testing.assert_close(job.predict(), expected, atol=1e-5, rtol=1e-5)
    some = torch.tensor([3, 59, 3])
    torch.testing.assert_close(job.predict(some), expected[some], atol=1e-5, rtol=1e-5)


def test_a_step_holds_no_edges(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    chosen = {"architecture": "sign", "sampling": "rows"}
    job = make_job(facts, stored, spec_for(facts, chosen, batch_size=8, prefetch=0))
    batches = list(job.moved_batches())
    assert sum(batch.y.numel() for batch in batches) == facts.graph.num_train
    assert all(block.num_edges == 0 for batch in batches for block in batch.blocks)
    assert all(batch.x.shape == (batch.y.numel(), 4 * 24) for batch in batches)


# Reasons


@pytest.mark.parametrize(
    ("chosen", "fact"),
    [
        ({"sampling": "neighbor"}, "sampling"),
        ({"sampling": "full_batch", "representation": "coo"}, "representation"),
        ({"sampling": "full_batch", "representation.features": "csr"}, "features"),
        ({"sampling": "full_batch", "remote.features": "memmap"}, "features"),
    ],
)
@pytest.mark.parametrize("one", [SGC, SIGN], ids=["sgc", "sign"])
def test_what_training_on_rows_rules_out(
    one: Any, chosen: dict[str, str], fact: str, make_facts: Any, spec_for: Any
) -> None:
    facts = make_facts()
    spec = spec_for(facts, {"architecture": one.name, "representation": "csr", **chosen})
    refused = one.check(facts, spec)
    assert not refused.usable and refused.reasons[0].fact == fact


def test_links_are_refused_with_the_reason(make_facts: Any, spec_for: Any) -> None:
    from planner.inspect.estimate import for_links, from_counts

    for graph, usable in ((from_counts(5000, 50_000, 32, 3, directed=False), True), (None, False)):
        graph = graph or for_links(from_counts(5000, 50_000, 32, directed=False))
        facts = make_facts(graph)
        verdict = check(facts, spec_for(facts, {"architecture": "sgc", "sampling": "rows"}, batch_size=512))
        assert verdict.usable is usable
        assert usable or verdict.reasons[0].fact == "task"


def test_rows_need_more_rows_than_a_batch(make_facts: Any, spec_for: Any) -> None:
    chosen = {"architecture": "sgc", "sampling": "rows"}
    for nodes, usable in ((400, False), (40_000, True)):
        facts = make_facts((nodes, 5 * nodes, 16, 3))
        verdict = check(facts, spec_for(facts, chosen))
        assert verdict.usable is usable
        assert usable or verdict.reasons[0].fact == "batch_size"


def test_rows_serve_no_architecture_that_needs_neighbours(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    refused = check(facts, spec_for(facts, {"architecture": "sage", "sampling": "rows"}))
    assert not refused.usable and refused.reasons[0].fact == "architecture"


# Forecasts


def test_edges_cost_preparation_and_no_step(make_facts: Any, spec_for: Any) -> None:
    chosen = {"architecture": "sgc", "sampling": "rows"}
    found = []
    for degree in (5, 50):
        facts = make_facts((50_000, 50_000 * degree, 64, 5))
        found.append(forecast(spec_for(facts, chosen), facts))
    few, many = found
    assert many.phases[Phase.PREPARE].seconds.expected > 2 * few.phases[Phase.PREPARE].seconds.expected
    assert many.epoch_seconds == few.epoch_seconds
    assert many.flops_per_epoch == few.flops_per_epoch


def test_sign_holds_a_copy_for_every_step(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts((100_000, 500_000, 64, 5))
    held = []
    for steps in (1, 3):
        spec = spec_for(facts, {"architecture": "sign", "sampling": "rows"}, propagation_steps=steps)
        held.append(forecast(spec, facts).held[Place.HOST, "propagated features"].expected)
    assert held[1] - held[0] == pytest.approx(2 * 4 * 100_000 * 64, rel=0.01)


def test_training_starts_on_a_heap_that_was_given_back(
    tiny: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    """On tolokers the products' own memory was 8 of 14 MB while SGC trained."""
    from techniques.architecture import propagated as module

    called: list[str] = []
    monkeypatch.setattr(module, "propagate", lambda *given: called.append("products") or propagate(*given))
    monkeypatch.setattr("techniques.hardware.heap.give_back_freed", lambda: called.append("given back"))
    facts = profiled(tiny())
    make_job(facts, tiny(), spec_for(facts, {"architecture": "sgc", "sampling": "full_batch", "representation": "csr"}))
    assert called == ["products", "given back"]
