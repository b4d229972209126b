"""Single training steps, whole: their batches, what the ledger counts of them and what torch holds alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch_geometric.data import Data
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling, NodeSamplerInput

from techniques.architecture.appnp import Appnp
from techniques.architecture.built_in import BuiltIn
from techniques.architecture.gat import GAT
from techniques.architecture.gatv2 import GATV2
from techniques.architecture.gcn import GCN
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.ledger import StepCost, step_cost
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.network_plan import NetworkPlan
from techniques.architecture.readout import Readout
from techniques.architecture.sage import Sage
from techniques.remote.node_ids import NodeIds
from techniques.remote.rows import DenseRows, RowStore, SparseRows
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.edge_data import EdgeData
from techniques.sampling.kernels import ShadowKernel, SubgraphKernel
from techniques.sampling.link_sampler import LinkNeighborSampler
from techniques.sampling.loading import BlockMaker
from techniques.sampling.neighbor_sampler import NeighborSampler
from techniques.sampling.structure import Structure
from techniques.step_shape import LayerShape, StepShape

MAX = Sage(aggregator="max")
PROPAGATED = Appnp(propagation_steps=3)
ATTENTION = (GAT, GATV2)
LOOPED = (GCN, *ATTENTION, PROPAGATED)
NODES, EDGES = 3000, 36_000
SUBGRAPHS = ("subgraph", "weighted subgraph", "ego graphs")


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
    edge_columns: int = 0
    own_weights: bool = False
    bf16: bool = False
    checkpoint_layers: bool = False
    dense: bool = False
    learned: bool = False

    @property
    def form(self) -> str:
        """Of the adjacency."""
        return "matrix" if self.dense else "csr" if self.fused else "coo"

    def __str__(self) -> str:
        form = f"{'learned-' if self.learned else ''}{self.form}-{'sparse' if self.sparse else 'dense'}"
        order = "transform" if self.transform_first else "aggregate"
        aggregator = "-max" if self.architecture is MAX else ""
        data = f"-attributes-{self.edge_columns}" * (self.edge_columns > 0) + "-weights" * self.own_weights
        saving = f"{'-bf16' * self.bf16}{'-checkpointed' * self.checkpoint_layers}"
        return (
            f"{self.architecture.name}{aggregator}-{form}-{self.sampling}-{order}-{len(self.widths) - 1}{data}{saving}"
        )


def plan_of(case: Case) -> NetworkPlan:
    """An ego readout replaces the last width by the classes."""
    readout = (
        Readout.EGO if case.sampling == "ego graphs" else Readout.PAIRS if "pairs" in case.sampling else Readout.NODES
    )
    widths = case.widths[:-1] if readout is Readout.EGO else case.widths
    return NetworkPlan(
        widths,
        _heads(case),
        case.transform_first,
        case.sparse,
        case.dropout,
        readout,
        num_classes=case.widths[-1],
        edge_columns=case.edge_columns,
        bf16=case.bf16,
        checkpoint_layers=case.checkpoint_layers,
        embedded_nodes=NODES if case.learned else 0,
    )


def counted_of(case: Case, plan: NetworkPlan, batch: Batch, accumulates: bool = False) -> StepCost:
    layers = tuple(LayerShape.homogeneous(b.num_sources, b.num_targets, b.num_entries) for b in batch.blocks)
    shape = StepShape(layers, seeds=batch.y.size(0))
    sizes = shape_sizes(
        shape,
        plan.widths,
        case.fused,
        plan.transform_first,
        plan.heads,
        sparse_nonzeros=batch.x.values().numel() if case.sparse else None,
        dropout=plan.dropout > 0,
        readout=plan.readout,
        weighted=case.sampling == "weighted subgraph" or case.own_weights,
        edge_columns=case.edge_columns,
        bf16=case.bf16,
        dense=case.dense,
        learned_input=case.learned,
    )
    layers_costed = [(size, case.architecture.layer_cost(size)) for size in sizes]
    return step_cost(
        layers_costed,
        shape.seeds,
        plan.readout,
        plan.num_classes,
        plan.table_size,
        checkpoint_layers=case.checkpoint_layers,
        accumulates=accumulates,
    )


def _heads(case: Case) -> int:
    return 4 if case.architecture in ATTENTION else 1


def live_bytes(network: Any, batch: Batch, accumulates: bool = False) -> int:
    """Largest sum of what one step allocates and has not freed, gradients included; moments exist already, and where a step
    ``accumulates`` so do the gradients of the batch before."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=5e-4)
    network.train()

    def step() -> None:
        loss = loss_of(network.logits(batch), batch.y, batch.loss_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    before = 0
    if accumulates:
        loss_of(network.logits(batch), batch.y, batch.loss_weight).backward()  # type: ignore[no-untyped-call]
        before = sum(one.grad.nbytes for one in network.parameters())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    results: Any = profiled.profiler
    events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return before + int(np.cumsum(changes).max())


def batch_of(case: Case) -> Batch:
    rng = np.random.default_rng(0)
    half = rng.integers(0, NODES, (2, EDGES // 2)).astype(np.int32)
    edges = np.concatenate([half, half[::-1]], axis=1)
    data = EdgeData(
        np.linspace(0.5, 2.0, edges.shape[1]) if case.own_weights else None,
        rng.normal(size=(edges.shape[1], case.edge_columns)) if case.edge_columns else None,
    )
    structure = Structure.build(edges, NODES, True, case.architecture in LOOPED, data)
    structure.fused, structure.dense = case.fused, case.dense
    features = _features(rng, case)
    labels = torch.from_numpy(rng.integers(0, case.widths[-1], NODES))
    layers = len(plan_of(case).widths) - 1
    if case.sampling in SUBGRAPHS:
        return _subgraph(case, structure, features, labels, layers)
    if "pairs" in case.sampling:
        return _pairs(case, structure, features, layers)
    if case.sampling == "full":
        train = torch.arange(NODES // 2)
        return Batch(features.whole(), (structure.whole(),) * layers, labels[train], train)
    fanouts = (6, 4, 3)[:layers]
    sampler = NeighborSampler(
        structure.colptr, structure.row, None, NODES, fanouts, return_edge_id=structure.edges.given
    )
    drawn = sampler.sample_from_nodes(NodeSamplerInput(input_id=None, node=torch.arange(200)), seed=1)
    data = Data(
        edge_index=torch.stack([drawn.row, drawn.col]),
        n_id=drawn.node,
        e_id=drawn.edge,
        y=labels[drawn.node],
        num_sampled_nodes=drawn.num_sampled_nodes,
        num_sampled_edges=drawn.num_sampled_edges,
        batch_size=200,
    )
    return BlockMaker(case.fused, case.sampling == "trimmed", structure.edges).batch(data, features)


def _subgraph(case: Case, structure: Structure, features: RowStore, labels: torch.Tensor, layers: int) -> Batch:
    """Half of the nodes, every other one for training, with or without weights; or 200 ego graphs."""
    local = np.int32 if case.fused else np.int64
    if case.sampling == "ego graphs":
        kernel = ShadowKernel(structure.colptr, structure.row, NODES)
        egos = kernel.sample(np.arange(200), 2, 4, 1, with_edge=True, local_dtype=local)
        block = subgraph_block(egos, fused=case.fused, undirected=True, data=structure.edges.at(egos.edge))
        ego = torch.repeat_interleave(torch.from_numpy(np.diff(egos.node_ptr)))
        rows = torch.from_numpy(egos.root)
        return Batch(features.rows(egos.node), (block,) * layers, labels[:200], loss_rows=rows, ego=ego)
    subgraphs = SubgraphKernel(structure.colptr, structure.row, NODES)
    graph = subgraphs.induced(np.arange(0, NODES, 2), with_edge=True, local_dtype=local)
    rows = torch.arange(0, NODES // 2, 2)
    weight = degrees = times = None
    data = structure.edges.at(graph.edge)
    if case.sampling == "weighted subgraph":
        weight = np.linspace(0.5, 2.0, graph.col_source.size, dtype=np.float32)
        degrees = structure.degrees().numpy()[graph.node]
        times = torch.linspace(0.5, 2.0, rows.numel())
    block = subgraph_block(
        graph, fused=case.fused, undirected=True, dense=case.dense, weight=weight, degrees=degrees, data=data
    )
    return Batch(features.rows(graph.node), (block,) * layers, labels[rows], loss_rows=rows, loss_weight=times)


def _pairs(case: Case, structure: Structure, features: RowStore, layers: int) -> Batch:
    """150 edges and as many random pairs."""
    fanouts = (6, 4, 3)[:layers]
    sampler = LinkNeighborSampler(
        structure.colptr, structure.row, None, NODES, fanouts, return_edge_id=structure.edges.given
    )
    source, target = torch.from_numpy(np.random.default_rng(1).integers(0, NODES, (2, 150)))
    negatives = NegativeSampling("binary", amount=1)
    drawn = sampler.sample_from_edges(EdgeSamplerInput(None, source, target), negatives, seed=1)
    return BlockMaker(case.fused, trim=case.sampling == "trimmed pairs", edges=structure.edges).links(drawn, features)


def _features(rng: np.random.Generator, case: Case) -> RowStore:
    width = case.widths[0]
    dense = (rng.random((NODES, width)) < 0.05).astype(np.float32)
    if case.learned:
        return NodeIds(NODES)
    if not case.sparse:
        return DenseRows(dense)
    row, column = np.nonzero(dense)
    indptr = np.zeros(NODES + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=NODES), out=indptr[1:])
    return SparseRows(indptr, column.astype(np.int32), dense[row, column], width)
