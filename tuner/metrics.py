"""FLOPs of the steps that were really run."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from techniques.architecture.hetero.typed import is_typed
from techniques.base import Slot
from techniques.job import setting_int

if TYPE_CHECKING:
    from techniques.architecture.network import Batch
    from techniques.job import Job


class Flops(NamedTuple):
    """2 per multiply-add, forward and backward, all batches of one epoch."""

    gemm: float
    aggregation: float


class EpochShapes:
    """Nodes and edges of all batches of one epoch, layer by layer: the ledger is linear in them."""

    def __init__(self, layers: int) -> None:
        self.totals = [[0.0, 0.0, 0.0] for _ in range(layers)]
        self.nonzeros = self.rows = 0.0

    def add(self, batch: Batch) -> None:
        """Count one batch."""
        self.rows += batch.y.size(0)
        self.nonzeros += float(batch.x.values().numel()) if batch.x.layout is torch.sparse_csr else 0.0
        for total, block in zip(self.totals, batch.blocks, strict=True):
            total[0] += block.num_sources
            total[1] += block.num_targets
            total[2] += block.num_entries


def epoch_shapes(job: Job) -> EpochShapes:
    """Counts the batches of one epoch, by type where the network keeps types apart."""
    if is_typed(job.spec):
        from tuner.hetero_metrics import TypedShapes

        return TypedShapes(job)  # type: ignore[return-value]
    return EpochShapes(setting_int(job.spec.settings, "layers"))


def flops(job: Job, shapes: EpochShapes) -> Flops:
    """FLOPs of one epoch of these shapes."""
    if is_typed(job.spec):
        return Flops(shapes.gemm, shapes.aggregation)  # type: ignore[attr-defined]
    from techniques import option
    from techniques.architecture.built_in import BuiltIn
    from techniques.architecture.layer_size import shape_sizes
    from techniques.architecture.ledger import step_cost
    from techniques.step_shape import LayerShape, StepShape

    architecture = option(Slot.ARCHITECTURE, job.spec.options[Slot.ARCHITECTURE])
    if not isinstance(architecture, BuiltIn):
        return _counted(job, shapes)
    architecture = architecture.configured(job.spec)
    plan = architecture.network_plan(job.facts, job.spec)
    shape = StepShape(tuple(LayerShape.homogeneous(*total) for total in shapes.totals), seeds=0)
    sizes = shape_sizes(
        shape,
        plan.widths,
        fused=job.need("structure").fused,
        transform_first=plan.transform_first,
        heads=plan.heads,
        sparse_nonzeros=shapes.nonzeros if plan.sparse_input else None,
        dropout=plan.dropout > 0,
        readout=plan.readout,
        weighted=plan.weighted,
        edge_columns=plan.edge_columns,
        dense=job.need("structure").dense,
        learned_input=plan.embedded_nodes > 0,
    )
    layers = [(size, architecture.layer_cost(size)) for size in sizes]
    cost = step_cost(layers, shapes.rows, plan.readout, plan.num_classes)
    return Flops(cost.gemm_flops, cost.aggregation_flops)


def _counted(job: Job, shapes: EpochShapes) -> Flops:
    """Dense products of the user's own module: by its trace, which takes no memory, where that is linear; else counted while
    one batch runs and scaled to the nodes of the epoch."""
    from torch.utils.flop_counter import FlopCounterMode

    own = job.facts.model.custom
    if own is not None:
        trace, traced = own.trace(job.need("model").plan.values, job.spec.training.precision)
        if traced and trace.method == "fake tensors" and not trace.quadratic:
            nodes, _, edges = shapes.totals[0]
            return Flops(trace.gemm_flops(nodes, edges, shapes.rows), 0.0)
    model, batch = copy.deepcopy(job.need("model")).train(), next(iter(job.moved_batches()))
    with FlopCounterMode(display=False) as counter:
        model.logits(batch).sum().backward()
    return Flops(float(counter.get_total_flops()) * shapes.totals[0][0] / batch.blocks[0].num_sources, 0.0)


def thop_macs(job: Job) -> float | None:
    """Multiply-adds of one forward pass by thop, taught our layers; ``None`` where thop is not installed or the module is
    the user's own, whose PyG layers it would count as nothing."""
    if job.spec.options[Slot.ARCHITECTURE] == "custom":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # thop compares versions with distutils
            from thop import profile
    except ImportError:
        return None
    batch = next(iter(job.moved_batches()))
    model = job.need("model")
    # thop leaves buffers behind: on modules of its own, whose weights are the model's, or wide ones would be held twice.
    whole = _Whole(copy.deepcopy(model, {id(one): one for one in model.parameters()}))
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        macs, _ = profile(whole, inputs=(batch,), custom_ops=_custom_ops(), verbose=False)
    return float(macs)


class _Whole(torch.nn.Module):
    """The network with what follows its last convolution, as thop wants it: one module, called."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.model.logits(batch)  # type: ignore[operator]
        return logits


def _custom_ops() -> dict[type, Any]:
    from techniques.architecture.convs import GAT, GCN, GIN, SAGE
    from techniques.architecture.convs_gatv2 import GATv2
    from techniques.architecture.propagation import Dense
    from tuner.hetero_metrics import typed_ops

    return {**dict.fromkeys((GCN, SAGE, GIN, GAT, GATv2, Dense), _count_dense), **typed_ops()}


def _count_dense(layer: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Dense products of one layer: rows times the elements of its weights.

    thop knows none of PyG's layers and would report 0; aggregation is bytes moved, not counted here.
    """
    x, block = inputs
    per_source, per_target = layer.dense_products()
    stored = x.values().numel() / x.size(1) if x.layout is torch.sparse_csr else x.size(0)
    per_edge = layer.heads * layer.edge_dim if getattr(layer, "edge_dim", None) else 0
    products = stored * per_source + block.num_targets * per_target + block.num_edges * per_edge
    layer.total_ops += torch.DoubleTensor([products])
