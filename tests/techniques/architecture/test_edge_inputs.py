"""Edge weights and attributes in the layers: PyG's numbers and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.nn import APPNP, GATConv, GATv2Conv, GCNConv
from torch_geometric.utils import remove_self_loops

from planner.pins import Pins
from planner.proposal import make_spec
from techniques.architecture.convs import GAT, GCN, set_true_degrees
from techniques.architecture.convs_gatv2 import GATv2
from techniques.architecture.propagation import Dense, PropagationNetwork
from techniques.base import Slot
from techniques.remote.source.arrays import ArrayGraph
from techniques.representation.block import Block
from techniques.sampling.edge_data import EdgeData
from techniques.sampling.structure import Structure

NODES, WIDTH, OUT, HEADS = 40, 12, 8, 4
KINDS = ["symmetric", "random", "directed", "zeros"]
every_kind = pytest.mark.parametrize("kind", KINDS)
FORMS = ["coo", "csr"]


def weighted_edges(kind: str, seed: int = 0) -> tuple[Any, Any]:
    """With parallel edges, five isolated nodes and stored self-loops; ``zeros``: half of the weights are 0."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, NODES - 5, (2, 5 * NODES))
    weight = rng.uniform(0.1, 3.0, edges.shape[1])
    if kind == "zeros":
        weight *= rng.random(weight.size) < 0.5
    if kind != "directed":
        other = rng.uniform(0.1, 3.0, weight.size) if kind == "random" else weight
        edges, weight = np.concatenate([edges, edges[::-1]], axis=1), np.concatenate([weight, other])
    loops = np.arange(6)
    edges = np.concatenate([edges, np.stack([loops, loops])], axis=1)
    return edges, np.concatenate([weight, rng.random(6)]).astype(np.float32)


def structure_of(kind: str, form: str, data: EdgeData | None = None) -> Structure:
    edges, weight = weighted_edges(kind)
    data = EdgeData(weight, symmetric=kind in ("symmetric", "zeros")) if data is None else data
    built = Structure.build(edges, NODES, kind != "directed", drop_self_loops=True, edges=data)
    built.fused = form == "csr"
    return built


def features() -> Tensor:
    torch.manual_seed(2)
    return torch.randn(NODES, WIDTH)


def assert_like_pyg(mine: Any, reference: Any, block: Block, *edges: Tensor, **data: Tensor) -> None:
    """Output, gradient of the input and of every parameter."""
    with torch.no_grad():
        for parameter in mine.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    reference.load_state_dict(mine.state_dict())
    assert [name for name, _ in mine.named_parameters()] == [name for name, _ in reference.named_parameters()]
    x, x_reference = features().requires_grad_(), features().requires_grad_()
    out, expected = mine(x, block), reference(x_reference, *edges, **data)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    slope = torch.linspace(-1, 1, expected.numel()).view_as(expected)
    (out * slope).sum().backward()
    (expected * slope).sum().backward()
    torch.testing.assert_close(x.grad, x_reference.grad, atol=1e-5, rtol=1e-5)
    wanted = dict(reference.named_parameters())
    for name, parameter in mine.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad, atol=1e-4, rtol=1e-4)


@every_kind
@pytest.mark.parametrize("form", FORMS)
def test_weighted_gcn_is_pygs(kind: str, form: str) -> None:
    edges, weight = weighted_edges(kind)
    without = remove_self_loops(torch.from_numpy(edges), torch.from_numpy(weight))
    assert_like_pyg(GCN(WIDTH, OUT), GCNConv(WIDTH, OUT), structure_of(kind, form).whole(), *without)


@every_kind
@pytest.mark.parametrize("form", FORMS)
def test_weighted_appnp_is_pygs(kind: str, form: str) -> None:
    edges, weight = weighted_edges(kind)
    without = remove_self_loops(torch.from_numpy(edges), torch.from_numpy(weight))
    made = PropagationNetwork([Dense(WIDTH, OUT)], dropout=0.0, steps=3, alpha=0.2)
    x = features().requires_grad_()
    out = made(x, (structure_of(kind, form).whole(),))
    expected = APPNP(K=3, alpha=0.2)(made.convs[0](x), *without)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    grads = [torch.autograd.grad((one * one).sum(), x)[0] for one in (out, expected)]
    torch.testing.assert_close(*grads, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("concat", [True, False])
def test_gatv2_reads_attributes_as_pygs(columns: int, concat: bool) -> None:
    edges, _ = weighted_edges("directed")
    attr = np.random.default_rng(3).normal(size=(edges.shape[1], columns)).astype(np.float32)
    mine = GATv2(WIDTH, OUT, heads=HEADS, concat=concat)
    mine.read_edges(columns)
    reference = GATv2Conv(WIDTH, OUT, heads=HEADS, concat=concat, edge_dim=columns)
    block = structure_of("directed", "coo", EdgeData(attr=attr)).whole()
    assert_like_pyg(mine, reference, block, torch.from_numpy(edges), edge_attr=torch.from_numpy(attr))


@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("concat", [True, False])
def test_gat_reads_attributes_as_pygs(columns: int, concat: bool) -> None:
    """Self-loops are stored: PyG replaces them, each by the mean of its node's attributes."""
    edges, _ = weighted_edges("directed")
    attr = np.random.default_rng(3).normal(size=(edges.shape[1], columns)).astype(np.float32)
    mine = GAT(WIDTH, OUT, heads=HEADS, concat=concat)
    mine.read_edges(columns)
    reference = GATConv(WIDTH, OUT, heads=HEADS, concat=concat, edge_dim=columns)
    block = structure_of("directed", "coo", EdgeData(attr=attr)).whole()
    assert_like_pyg(mine, reference, block, torch.from_numpy(edges), edge_attr=torch.from_numpy(attr))


def test_new_parameters_are_drawn_as_pygs() -> None:
    """Glorot's range, not what happened to be in memory."""
    mine = GAT(WIDTH, OUT, heads=HEADS, concat=True)
    mine.read_edges(7)
    bound = (6 / (7 + HEADS * OUT)) ** 0.5
    assert 0.8 * bound < mine.lin_edge.weight.abs().max() <= bound
    assert 0.5 < mine.att_edge.abs().max() / (6 / (HEADS + OUT)) ** 0.5 <= 1


@pytest.mark.parametrize("form", FORMS)
def test_chunks_of_weighted_targets_are_the_whole(form: str) -> None:
    layer, structure = GCN(WIDTH, OUT).eval(), structure_of("random", form)
    set_true_degrees(layer, structure.degrees())
    with torch.no_grad():
        whole, projected = layer(features(), structure.whole()), layer.transform(features())
        chunks = [layer.combine(projected, structure.rows(at, min(at + 7, NODES)), at) for at in range(0, NODES, 7)]
    torch.testing.assert_close(torch.cat(chunks), whole, atol=1e-5, rtol=1e-5)


# Whole jobs


def full_batch(architecture: str, form: str, facts: Any) -> Any:
    chosen = {Slot.SAMPLING: "full_batch", Slot.ARCHITECTURE: architecture, Slot.REPRESENTATION: form}
    pinned = {"hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0}
    return make_spec(facts, Pins({**chosen, Slot.HARDWARE: "cpu"}, pinned), {})


every_reader = pytest.mark.parametrize(
    ("architecture", "form"),
    [("gcn", "coo"), ("gcn", "csr"), ("appnp", "coo"), ("appnp", "csr"), ("gat", "coo"), ("gatv2", "coo")],
)


@every_reader
@pytest.mark.parametrize("undirected", [True, False])
def test_inference_is_the_full_batch(
    architecture: str, form: str, undirected: bool, tiny: Any, profiled: Any, make_job: Any, monkeypatch: Any
) -> None:
    """In chunks of a few targets."""
    stored = tiny(weights="random", edge_columns=3, undirected=undirected)
    facts = profiled(stored)
    job = make_job(facts, stored, full_batch(architecture, form, facts))
    (batch,) = job.moved_batches()
    expected = job.model.eval()(batch.x, batch.blocks)
    from techniques.architecture import network

    monkeypatch.setattr(network, "FUSED_EDGES_PER_CHUNK", 30)
    monkeypatch.setattr(network, "MESSAGE_BYTES_PER_CHUNK", 4 * 8 * 30)
    torch.testing.assert_close(job.predict(), expected, atol=1e-5, rtol=1e-5)


def losses(stored: ArrayGraph, architecture: str, form: str, profiled: Any, tmp_path: Any) -> list[float]:
    from techniques.assembly import build
    from techniques.job import Job
    from tuner.training import train_epoch

    facts = profiled(stored)
    job = build(Job(full_batch(architecture, form, facts), facts, stored, tmp_path))
    return [train_epoch(job)[0] for _ in range(3)]


@every_reader
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31))
def test_the_order_of_stored_edges_changes_nothing(
    architecture: str, form: str, seed: int, tiny: Any, profiled: Any, tmp_path: Any
) -> None:
    stored = tiny(weights="symmetric", edge_columns=2)
    order = np.random.default_rng(seed).permutation(stored.arrays["edge_index"].shape[1])
    moved = {key: stored.arrays[key][order] for key in ("edge_weight", "edge_attr")}
    moved["edge_index"] = stored.arrays["edge_index"][:, order]
    shuffled = ArrayGraph("shuffled", {**stored.arrays, **moved})
    before = losses(stored, architecture, form, profiled, tmp_path)
    assert losses(shuffled, architecture, form, profiled, tmp_path) == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("undirected", [True, False])
def test_weights_of_one_are_none(form: str, undirected: bool, tiny: Any, profiled: Any, tmp_path: Any) -> None:
    plain, ones = tiny(undirected=undirected), tiny(undirected=undirected, weights="ones")
    before = losses(plain, "gcn", form, profiled, tmp_path)
    assert losses(ones, "gcn", form, profiled, tmp_path) == pytest.approx(before, rel=1e-6)
    weighted = tiny(undirected=undirected, weights="random")
    assert losses(weighted, "gcn", form, profiled, tmp_path) != pytest.approx(before, rel=1e-5)
