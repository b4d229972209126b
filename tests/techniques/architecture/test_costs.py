"""The ledger against the live bytes of real training steps, as torch's allocator reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from torch_geometric.data import Data
from torch_geometric.sampler import NodeSamplerInput

from techniques.architecture.built_in import BuiltIn, NetworkPlan
from techniques.architecture.costs import StepCost, shape_sizes, step_cost
from techniques.architecture.gat import GAT
from techniques.architecture.gcn import GCN
from techniques.architecture.gin import GIN
from techniques.architecture.network import Batch
from techniques.architecture.sage import SAGE
from techniques.forecast import LayerShape, StepShape
from techniques.remote.rows import DenseRows, RowStore, SparseRows
from techniques.sampling.loading import BlockMaker
from techniques.sampling.neighbor_sampler import NeighborSampler
from techniques.sampling.structure import Structure

NODES, EDGES = 3000, 36_000
TOLERANCE = 0.06
"""Small tensors (parameters, degrees, pointers) are left out of the ledger; the steps here are small."""
SAMPLINGS = ("full", "whole blocks", "trimmed")


@dataclass(frozen=True)
class Case:
    """One training step."""

    architecture: BuiltIn
    fused: bool
    sampling: str
    sparse: bool
    transform_first: bool
    widths: tuple[int, ...] = (64, 48, 48, 6)
    dropout: float = 0.5

    def __str__(self) -> str:
        form = f"{'csr' if self.fused else 'coo'}-{'sparse' if self.sparse else 'dense'}"
        order = "transform" if self.transform_first else "aggregate"
        return f"{self.architecture.name}-{form}-{self.sampling}-{order}-{len(self.widths) - 1}"


def _cases() -> list[Case]:
    found = []
    for architecture in (GCN, SAGE, GIN, GAT):
        for fused in (False, True) if architecture is not GAT else (False,):
            for sampling in SAMPLINGS:
                for sparse in (False, True):
                    only_first = sparse or architecture in (GCN, GAT)
                    for transform_first in (True,) if only_first else (False, True):
                        found.append(Case(architecture, fused, sampling, sparse, transform_first))
    found += [Case(one, False, "full", False, True, widths=(16, 96, 40)) for one in (GCN, GAT, SAGE, GIN)]
    found += [Case(one, True, "full", False, True, widths=(96, 96, 40), dropout=0.0) for one in (GCN, SAGE, GIN)]
    return found


@pytest.mark.parametrize("case", _cases(), ids=str)
def test_the_ledger_counts_the_live_bytes_of_a_step(case: Case) -> None:
    torch.manual_seed(0)
    plan = NetworkPlan(case.widths, _heads(case), case.transform_first, case.sparse, case.dropout)
    batch = _batch(case)
    counted = _counted(case, plan, batch)
    measured = _live_bytes(case.architecture.build_network(plan), batch)
    assert counted.activation_bytes + 4 * counted.parameters == pytest.approx(measured, rel=TOLERANCE)


def _counted(case: Case, plan: NetworkPlan, batch: Batch) -> StepCost:
    layers = tuple(LayerShape.homogeneous(b.num_sources, b.num_targets, b.num_edges) for b in batch.blocks)
    shape = StepShape(layers, seeds=batch.y.size(0))
    sizes = shape_sizes(
        shape,
        plan.widths,
        case.fused,
        plan.transform_first,
        plan.heads,
        sparse_nonzeros=batch.x.values().numel() if case.sparse else None,
        dropout=plan.dropout > 0,
    )
    return step_cost([(size, case.architecture.layer_cost(size)) for size in sizes], shape.seeds)


def _heads(case: Case) -> int:
    return 4 if case.architecture is GAT else 1


def _live_bytes(network: Any, batch: Batch) -> int:
    """Largest sum of what one step allocates and has not freed, gradients included; moments exist already."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=5e-4)
    network.train()

    def step() -> None:
        out = network(batch.x, batch.blocks)
        if batch.loss_rows is not None:
            out = out[batch.loss_rows]
        F.cross_entropy(out, batch.y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    results: Any = profiled.profiler
    events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum(changes).max())


def _batch(case: Case) -> Batch:
    rng = np.random.default_rng(0)
    half = rng.integers(0, NODES, (2, EDGES // 2)).astype(np.int32)
    edges = np.concatenate([half, half[::-1]], axis=1)
    structure = Structure.build(edges, NODES, True, case.architecture in (GCN, GAT))
    structure.fused = case.fused
    features = _features(rng, case)
    labels = torch.from_numpy(rng.integers(0, case.widths[-1], NODES))
    layers = len(case.widths) - 1
    if case.sampling == "full":
        train = torch.arange(NODES // 2)
        return Batch(features.whole(), (structure.whole(),) * layers, labels[train], train)
    fanouts = (6, 4, 3)[:layers]
    sampler = NeighborSampler(structure.colptr, structure.row, None, NODES, fanouts, return_edge_id=False)
    drawn = sampler.sample_from_nodes(NodeSamplerInput(input_id=None, node=torch.arange(200)), seed=1)
    data = Data(
        edge_index=torch.stack([drawn.row, drawn.col]),
        n_id=drawn.node,
        y=labels[drawn.node],
        num_sampled_nodes=drawn.num_sampled_nodes,
        num_sampled_edges=drawn.num_sampled_edges,
        batch_size=200,
    )
    return BlockMaker(case.fused, trim=case.sampling == "trimmed").batch(data, features)


def _features(rng: np.random.Generator, case: Case) -> RowStore:
    width = case.widths[0]
    dense = (rng.random((NODES, width)) < 0.05).astype(np.float32)
    if not case.sparse:
        return DenseRows(dense)
    row, column = np.nonzero(dense)
    indptr = np.zeros(NODES + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=NODES), out=indptr[1:])
    return SparseRows(indptr, column.astype(np.int32), dense[row, column], width)
