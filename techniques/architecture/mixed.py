"""What bfloat16 needs in a layer: products that lack it stay in float32, and so do sums over neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """``F.linear`` of a dense or sparse CSR input: [n, F_in] -> [n, F_out].

    Sparse products know no bfloat16 on a CPU: under autocast they are taken in float32 and their result is narrowed.
    """
    if x.layout is torch.strided:
        return F.linear(x, weight)
    half = torch.is_autocast_enabled(x.device.type)
    with torch.autocast(x.device.type, enabled=False):
        out = F.linear(x, weight)
    return out.bfloat16() if half else out


def side_by_side(x: Tensor, *weights: Tensor) -> Tensor:
    """Products of one input with several weights, columns side by side: [n, F_in] -> [n, sum of F_out].

    One product with the weights stacked; for a few rows of a wide input that stack would be larger than all else, and is
    made for every chunk: their products are put together instead.
    """
    if torch.is_grad_enabled() or x.size(0) >= x.size(1):
        return linear(x, torch.cat(weights))
    return torch.cat([linear(x, weight) for weight in weights], dim=1)


def narrowed(x: Tensor) -> Tensor:
    """``x``, in bfloat16 under autocast: what is kept of it for the backward pass then takes half as much."""
    return x.bfloat16() if torch.is_autocast_enabled(x.device.type) else x


def weighted_rows(h: Tensor, source: Tensor, alpha: Tensor) -> Tensor:
    """A message per edge and head: [S, H, C] and weights [m, H] -> [m, H, C], float32."""
    if h.dtype is not torch.bfloat16:
        return h.index_select(0, source) * alpha.unsqueeze(-1)
    return _WeightedRows.apply(h, source, alpha)  # type: ignore[no-any-return,no-untyped-call]


class _WeightedRows(torch.autograd.Function):
    """Keeps the gathered rows in bfloat16; the gradient of a row is summed over its edges in float32."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, h: Tensor, source: Tensor, alpha: Tensor) -> Tensor:
        rows = h.index_select(0, source)
        ctx.save_for_backward(rows, source, alpha)
        ctx.num_sources = h.size(0)  # type: ignore[attr-defined]
        return rows.float().mul_(alpha.unsqueeze(-1))

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, Tensor]:  # type: ignore[override]
        rows, source, alpha = ctx.saved_tensors  # type: ignore[attr-defined]
        to_alpha = rows.float().mul_(grad).sum(-1)
        to_rows = (grad * alpha.unsqueeze(-1)).flatten(1)
        summed = to_rows.new_zeros(ctx.num_sources, to_rows.size(1))  # type: ignore[attr-defined]
        summed.scatter_add_(0, source.unsqueeze(1).expand(-1, to_rows.size(1)), to_rows)
        return summed.view(-1, *rows.shape[1:]).to(rows.dtype), None, to_alpha
