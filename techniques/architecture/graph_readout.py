"""From the rows of a graph's nodes to one answer per graph: pooling, then a perceptron."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GraphReadout(nn.Module):
    """Sum, mean or maximum over the nodes of a graph, then two linear layers (Xu et al., ICLR 2019, section 4.2).

    Args:
        hidden: columns of a node's row.
        num_outputs: classes, labels or targets.
        pool: ``sum``, ``mean`` or ``max``; sums tell graphs apart that means and maxima do not; means do not grow with the graph.
    """

    def __init__(self, hidden: int, num_outputs: int, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_outputs))

    def forward(self, x: Tensor, graph_ptr: Tensor) -> Tensor:
        """[T, H] of rows at least 0, grouped by graph, and where each graph begins [B + 1] -> [B, C]."""
        return self.head(pooled(x, graph_ptr, self.pool))  # type: ignore[no-any-return]


def pooled(x: Tensor, graph_ptr: Tensor, pool: str) -> Tensor:
    """One row per graph: [T, H] -> [B, H]; 0 for graphs without nodes.

    As PyG's ``global_add_pool``, ``global_mean_pool`` and ``global_max_pool`` of rows that are at least 0, but by runs:
    no index is sorted, and a maximum takes a quarter of the time (measured).
    """
    if pool == "max":
        return _Max.apply(x, graph_ptr)  # type: ignore[no-any-return,no-untyped-call]
    out = _reduced(x, graph_ptr, "sum")
    return out if pool == "sum" else out / graph_ptr.diff().clamp(min=1).unsqueeze(1)


def _reduced(x: Tensor, graph_ptr: Tensor, kind: str) -> Tensor:
    return torch.segment_reduce(x, kind, offsets=graph_ptr, axis=0, unsafe=True, initial=0.0)


class _Max(torch.autograd.Function):
    """Rows that share a maximum share its gradient, as PyG has it; ``segment_reduce`` gives it whole to some of them
    (torch 2.13), and nodes in like places of a graph have equal rows."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, graph_ptr: Tensor) -> Tensor:
        out = _reduced(x, graph_ptr, "max")
        ctx.save_for_backward(x, out, graph_ptr)
        return out

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        x, out, graph_ptr = ctx.saved_tensors  # type: ignore[attr-defined]
        sizes, rows = graph_ptr.diff(), x.size(0)
        hit = (x == out.repeat_interleave(sizes, 0, output_size=rows)).to(x.dtype)
        share = grad / _reduced(hit, graph_ptr, "sum").clamp_(min=1.0)
        return hit.mul_(share.repeat_interleave(sizes, 0, output_size=rows)), None
