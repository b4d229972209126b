"""What training minimises."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def loss_of(logits: Tensor, y: Tensor, weight: Tensor | None = None, *, squared: bool = False) -> Tensor:
    """Mean loss of rows that count ``weight`` [B] times.

    Squared error for targets [B, T] where ``squared``; else cross entropy for class ids [B], binary cross entropy for multi-label rows [B, C] and for links, [B] floats.
    """
    reduction = "mean" if weight is None else "none"
    if squared:
        loss = F.mse_loss(logits, y, reduction=reduction)
    elif y.is_floating_point():
        loss = F.binary_cross_entropy_with_logits(logits, y, reduction=reduction)
    else:
        loss = F.cross_entropy(logits, y, reduction=reduction)
    if weight is None:
        return loss
    rows = loss.mean(1) if loss.dim() == 2 else loss
    return (rows * weight).sum() / weight.sum()


def soft_loss(logits: Tensor, shares: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean cross entropy against shares of classes [B, C], of rows that count ``weight`` [B] times."""
    if weight is None:
        return F.cross_entropy(logits, shares)
    rows = F.cross_entropy(logits, shares, reduction="none")
    return (rows * weight).sum() / weight.sum()
