"""How good predictions are."""

import math

import torch


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Share of rows whose largest logit is the class."""
    return float((logits.argmax(1) == y).float().mean())


def micro_f1(logits: torch.Tensor, y: torch.Tensor) -> float:
    """F1 over all labels of all rows together; a label is predicted where its logit is above 0."""
    predicted, wanted = logits > 0, y > 0.5
    return 2 * float((predicted & wanted).sum()) / max(float(predicted.sum() + wanted.sum()), 1.0)


def macro_f1(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Mean of the classes' F1; classes that neither occur nor are predicted do not count."""
    classes = torch.arange(logits.size(1))
    predicted, wanted = logits.argmax(1, keepdim=True) == classes, y.unsqueeze(1) == classes
    hits, total = (predicted & wanted).sum(0).double(), (predicted.sum(0) + wanted.sum(0)).double()
    return float((2 * hits[total > 0] / total[total > 0]).mean())


def auroc(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Chance that a row of the rarer class scores above one of the other, ties counting half; NaN where a class is absent."""
    rare = int(2 * int((y == 1).sum()) <= len(y))
    scores, wanted = (logits[:, rare] - logits[:, 1 - rare]).double(), y == rare
    positive, negative = scores[wanted], scores[~wanted].sort().values
    if not len(positive) or not len(negative):
        return math.nan
    below = torch.searchsorted(negative, positive) + torch.searchsorted(negative, positive, right=True)
    return float(below.sum()) / (2 * len(positive) * len(negative))


def r2(predicted: torch.Tensor, y: torch.Tensor) -> float:
    """1 - squared error / variance, the mean over targets that vary: 1 is perfect, 0 as good as the mean."""
    squared, variance = (predicted - y).double().square().mean(0), y.double().var(0, unbiased=False)
    return float((1 - squared / variance)[variance > 0].mean())
