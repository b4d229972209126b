"""Quality of predictions, and FLOPs of the steps that were really run."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from techniques.base import Slot

if TYPE_CHECKING:
    from techniques.architecture.network import Batch
    from techniques.job import Job


class Flops(NamedTuple):
    """2 per multiply-add, forward and backward, all batches of one epoch."""

    gemm: float
    aggregation: float


def quality(logits: Tensor, y: Tensor) -> float:
    """The metric that training is judged by: accuracy, or micro-F1 where rows carry several labels."""
    return micro_f1(logits, y) if y.dim() == 2 else accuracy(logits, y)


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of rows whose largest logit is the class, 0 to 1."""
    return float((logits.argmax(1) == y).float().mean())


def micro_f1(logits: Tensor, y: Tensor) -> float:
    """F1 over all labels of all rows together; a label is predicted where its logit is above 0."""
    predicted, wanted = logits > 0, y > 0.5
    hits = float((predicted & wanted).sum())
    return 2 * hits / max(float(predicted.sum() + wanted.sum()), 1.0)


def macro_f1(logits: Tensor, y: Tensor) -> float:
    """Mean of the classes' F1; classes that neither occur nor are predicted do not count."""
    if y.dim() == 2:
        predicted, wanted = logits > 0, y > 0.5
    else:
        classes = torch.arange(logits.size(1))
        predicted, wanted = logits.argmax(1, keepdim=True) == classes, y.unsqueeze(1) == classes
    hits = (predicted & wanted).sum(0).double()
    total = (predicted.sum(0) + wanted.sum(0)).double()
    present = total > 0
    return float((2 * hits[present] / total[present]).mean()) if bool(present.any()) else 0.0


class EpochShapes:
    """Nodes and edges of all batches of one epoch, layer by layer: the ledger is linear in them."""

    def __init__(self, layers: int) -> None:
        self.totals = [[0.0, 0.0, 0.0] for _ in range(layers)]
        self.nonzeros = 0.0

    def add(self, batch: Batch) -> None:
        """Count one batch."""
        self.nonzeros += float(batch.x.values().numel()) if batch.x.layout is torch.sparse_csr else 0.0
        for total, block in zip(self.totals, batch.blocks, strict=True):
            total[0] += block.num_sources
            total[1] += block.num_targets
            total[2] += block.num_edges


def flops(job: Job, shapes: EpochShapes) -> Flops:
    """FLOPs of one epoch of these shapes."""
    from techniques import option
    from techniques.architecture.built_in import BuiltIn
    from techniques.architecture.costs import shape_sizes, step_cost
    from techniques.forecast import LayerShape, StepShape

    architecture = option(Slot.ARCHITECTURE, job.spec.options[Slot.ARCHITECTURE])
    assert isinstance(architecture, BuiltIn)
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
    )
    cost = step_cost([(size, architecture.layer_cost(size)) for size in sizes])
    return Flops(cost.gemm_flops, cost.aggregation_flops)


def thop_macs(job: Job) -> float | None:
    """Multiply-adds of one forward pass by thop, taught our layers; ``None`` where thop is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # thop compares versions with distutils
            from thop import profile
    except ImportError:
        return None
    batch = next(iter(job.moved_batches()))
    model = copy.deepcopy(job.need("model"))  # thop leaves buffers behind
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        macs, _ = profile(model, inputs=(batch.x, batch.blocks), custom_ops=_custom_ops(), verbose=False)
    return float(macs)


def _custom_ops() -> dict[type, Any]:
    from techniques.architecture.convs import GAT, GCN, GIN, SAGE

    return dict.fromkeys((GCN, SAGE, GIN, GAT), _count_dense)


def _count_dense(layer: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Dense products of one layer: rows times the elements of its weights.

    thop knows none of PyG's layers and would report 0; aggregation is bytes moved, not counted here.
    """
    x, block = inputs
    per_source, per_target = layer.dense_products()
    stored = x.values().numel() / x.size(1) if x.layout is torch.sparse_csr else x.size(0)
    layer.total_ops += torch.DoubleTensor([stored * per_source + block.num_targets * per_target])
