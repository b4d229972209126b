"""The ledger of graph-level steps against the live bytes of real ones: pooling, perceptron and normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch_geometric.nn import BatchNorm, GINConv

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.forward import with_norm
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.ledger import StepCost, step_cost
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.readout import Readout
from techniques.architecture.sage import SAGE, Sage
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.kernels import GraphSetKernel
from techniques.sampling.structure import Structure
from techniques.step_shape import LayerShape, StepShape
from tests.covering import covering

ALL: tuple[BuiltIn, ...] = (GCN, SAGE, Sage("max"), GIN, GAT, GATV2)
GRAPHS, SIZE, WIDTH, CLASSES = 100, 40, 24, 3
TOLERANCE = 0.06
"""As in ``test_ledger``: small tensors are left out of the ledger."""
NARROW_TOLERANCE = 0.08
"""Casts between bfloat16 and float32 around normalisation overlap by parts of a tensor."""
SAVINGS = ({}, {"bf16": True}, {"checkpoint_layers": True}, {"bf16": True, "checkpoint_layers": True})


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def cases() -> list[Any]:
    found = []
    for architecture, fused, norm, saving in product(ALL, (False, True), (False, True), SAVINGS):
        if architecture in (GAT, GATV2, Sage("max")) and fused:
            continue
        largest = architecture == Sage("max")  # of rows, not of their products
        for first in (True,) if architecture in (GCN, GAT, GATV2) else (False,) if largest else (False, True):
            name = (
                f"{architecture.name}{'-max' * largest}-{'csr' if fused else 'coo'}{'-norm' * norm}{'-first' * first}"
            )
            found.append(pytest.param(architecture, fused, norm, first, saving, id="-".join([name, *saving])))
    return found


COVERED = covering(
    product(cases(), (0.0, 0.5)),
    lambda one: one[0].values[:4],
    lambda one: (str(one[0].values[0]), one[0].values[2], str(one[0].values[4])),
    lambda one: (one[0].values[:2], one[1]),
    lambda one: (one[0].values[2], str(one[0].values[4]), one[1]),
)


@pytest.mark.parametrize(
    ("architecture", "fused", "norm", "first", "saving", "dropout"),
    [pytest.param(*one.values, dropout, id=f"{one.id}-{dropout}") for one, dropout in COVERED],
)
def test_the_ledger_counts_the_live_bytes_of_a_step(
    architecture: BuiltIn, fused: bool, norm: bool, first: bool, saving: dict[str, Any], dropout: float
) -> None:
    torch.manual_seed(0)
    plan = plan_for(architecture, first, norm=norm, dropout=dropout, **saving)
    batch = make_batch(fused, architecture in (GCN, GAT, GATV2), len(plan.widths) - 1)
    expected = counted(architecture, plan, batch, fused)
    measured = live_bytes(architecture.build_network(plan), batch)
    tolerance = NARROW_TOLERANCE if plan.bf16 else TOLERANCE
    assert max(expected.activation_bytes, expected.updating_bytes) == pytest.approx(measured, rel=tolerance)


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_every_pooling_is_counted(pool: str) -> None:
    plan = replace(plan_for(GIN, False, norm=True), pool=pool)
    batch = make_batch(True, False, len(plan.widths) - 1)
    measured = live_bytes(GIN.build_network(plan), batch)
    expected = counted(GIN, plan, batch, True)
    assert max(expected.activation_bytes, expected.updating_bytes) == pytest.approx(measured, rel=TOLERANCE)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("architecture", [GCN, SAGE, Sage("max"), GIN, GAT, GATV2], ids=str)
def test_parameters_are_those_of_the_live_network(architecture: BuiltIn, norm: bool) -> None:
    plan = plan_for(architecture, False, norm=norm)
    batch = make_batch(False, False, len(plan.widths) - 1)
    network = architecture.build_network(plan)
    assert counted(architecture, plan, batch, False).parameters == sum(one.numel() for one in network.parameters())


@pytest.mark.parametrize("bf16", [False, True])
def test_checkpointing_counts_a_batch_once_in_the_running_statistics(bf16: bool) -> None:
    """Also inside GIN's perceptrons, which are computed twice; and every statistic moves."""
    batch, states = make_batch(True, False, 3), []
    for checkpoint in (False, True):
        torch.manual_seed(0)
        network: Any = GIN.build_network(
            plan_for(GIN, False, norm=True, dropout=0.0, bf16=bf16, checkpoint_layers=checkpoint)
        )
        before = statistics_of(network)
        network.train()
        loss_of(network.logits(batch), batch.y).backward()  # type: ignore[no-untyped-call]
        states.append(statistics_of(network))
        assert all(not torch.equal(before[name], states[-1][name]) for name in before)
    plain, saving = states
    assert len(plain) == 2 * 2 * 3, "mean and variance, inside and behind each of three layers"
    for name in plain:
        assert torch.equal(plain[name], saving[name]), name


def test_a_normalised_gin_is_that_of_pyg() -> None:
    """The trained state loads into PyG's layer, and both say the same with running statistics."""
    network: Any = GIN.build_network(plan_for(GIN, True, norm=True, dropout=0.0))
    batch = make_batch(False, False, 3)
    network.train()
    network.logits(batch)
    conv, norm = network.convs[0], BatchNorm(48, allow_single_element=True)
    theirs = GINConv(nn.Sequential(nn.Linear(WIDTH, 48), norm, nn.ReLU(), nn.Linear(48, 48)))
    theirs.load_state_dict(conv.state_dict())
    block = batch.blocks[0]
    for mine, other in ((conv.eval(), theirs.eval()), (conv.train(), theirs.train())):
        torch.testing.assert_close(mine(batch.x, block), other(batch.x, block.edge_index), rtol=1e-4, atol=1e-5)


def statistics_of(network: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in network.state_dict().items() if "running" in name}


def plan_for(architecture: BuiltIn, first: bool, **values: Any) -> NetworkPlan:
    given: dict[str, Any] = {"dropout": 0.5, "pool": "sum", **values}
    heads = 4 if architecture in (GAT, GATV2) else 1
    return NetworkPlan((WIDTH, 48, 48, 48), heads, first, False, readout=Readout.GRAPHS, num_classes=CLASSES, **given)


def counted(architecture: BuiltIn, plan: NetworkPlan, batch: Batch, fused: bool) -> StepCost:
    layers = tuple(LayerShape.homogeneous(one.num_sources, one.num_targets, one.num_edges) for one in batch.blocks)
    sizes = shape_sizes(
        StepShape(layers, seeds=batch.y.size(0)),
        plan.widths,
        fused,
        plan.transform_first,
        plan.heads,
        dropout=plan.dropout > 0,
        readout=plan.readout,
        bf16=plan.bf16,
    )
    costed = [(size, with_norm(plan, size, architecture.layer_cost(size))) for size in sizes]
    return step_cost(costed, batch.y.size(0), plan.readout, plan.num_classes, checkpoint_layers=plan.checkpoint_layers)


def make_batch(fused: bool, loopless: bool, layers: int) -> Batch:
    rng = np.random.default_rng(0)
    first = SIZE * np.repeat(np.arange(GRAPHS), 6 * SIZE)
    half = rng.integers(0, SIZE, (2, first.size)) + first
    edges = np.concatenate([half, half[::-1]], axis=1).astype(np.int32)
    structure = Structure.build(edges, GRAPHS * SIZE, True, loopless)
    pointer = np.arange(0, GRAPHS * SIZE + 1, SIZE)
    kernel = GraphSetKernel(structure.colptr, structure.row, pointer)
    gathered = kernel.gather(np.arange(GRAPHS), local_dtype=np.int32 if fused else np.int64)
    block = subgraph_block(gathered, fused=fused, undirected=True)
    x = torch.from_numpy(rng.random((GRAPHS * SIZE, WIDTH)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, CLASSES, GRAPHS))
    return Batch(x, (block,) * layers, y, graph_ptr=torch.from_numpy(gathered.graph_ptr))


def live_bytes(network: Any, batch: Batch) -> int:
    """Largest sum of what one step allocates and has not freed, gradients included; moments exist already."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    network.train()

    def step() -> None:
        loss_of(network.logits(batch), batch.y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    results: Any = profiled.profiler
    events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum(changes).max())
