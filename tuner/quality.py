"""Quality of predictions: shares of hits, and how well scores rank. Tensors in, floats from 0 to 1 out.

A quality that is not defined (one class only, no rows, scores that are not numbers) is NaN, and ``node_quality`` and
``link_quality`` leave it out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Quality(NamedTuple):
    """How well scores rank what is wanted before the rest, 0 to 1; NaN where that is not defined."""

    auroc: float
    average_precision: float


UNDEFINED = Quality(math.nan, math.nan)
ROWS_AT_ONCE = 16_384


def node_quality(logits: Tensor, y: Tensor) -> dict[str, float]:
    """Every quality of node predictions that is defined.

    Args:
        logits: [B, C].
        y: class ids [B], all of them known, or 0/1 labels [B, C].

    Returns:
        ``accuracy`` (``micro_f1`` for several labels a row), ``macro_f1``, ``auroc`` and ``average_precision``.
    """
    if not len(y):
        return {}
    hits = "micro_f1" if y.dim() == 2 else "accuracy"
    return _defined({hits: quality(logits, y), "macro_f1": macro_f1(logits, y)}, macro_ranking(logits, y))


def link_quality(positive: Tensor, negative: Tensor, corrupted: Tensor | None = None) -> dict[str, float]:
    """Every quality of link predictions that is defined: ``auroc``, ``average_precision`` and ``mrr``.

    Args:
        positive: scores of edges [B].
        negative: scores of non-edges, one pool [M] or some for each edge [B, K].
        corrupted: scores [R, K] of the first R edges with other targets, to rank these R among; by default all edges
            are ranked among the negatives.
    """
    scores = torch.cat([positive, negative.flatten()])
    ranking = ranking_quality(scores, torch.arange(len(scores), device=scores.device) < len(positive))
    if corrupted is None:
        mrr = mean_reciprocal_rank(positive, negative)
    else:
        mrr = mean_reciprocal_rank(positive[: len(corrupted)], corrupted)
    return _defined({"mrr": mrr}, ranking)


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
        hits = (predicted & wanted).sum(0).double()
        total = (predicted.sum(0) + wanted.sum(0)).double()
    else:
        count, found = max(logits.size(1), int(y.max()) + 1), logits.argmax(1)
        hits = torch.bincount(y[found == y], minlength=count).double()
        total = (torch.bincount(found, minlength=count) + torch.bincount(y, minlength=count)).double()
    present = total > 0
    return float((2 * hits[present] / total[present]).mean()) if bool(present.any()) else 0.0


def auroc(scores: Tensor, wanted: Tensor) -> float:
    """Chance that a wanted item scores above another one, a tie counting half (Hanley and McNeil, 1982).

    Args:
        scores: [m]; wanted: [m] bool or 0/1.
    """
    return ranking_quality(scores, wanted).auroc


def average_precision(scores: Tensor, wanted: Tensor) -> float:
    """Mean over the wanted items of the precision among all that score at least as high, without interpolation.

    Args:
        scores: [m]; wanted: [m] bool or 0/1.
    """
    return ranking_quality(scores, wanted).average_precision


def macro_ranking(logits: Tensor, y: Tensor) -> Quality:
    """Means over the classes, each against the rest by softmax, or over the labels; those not defined do not count.

    Of two classes the rarer one is what is looked for: only its ranking counts.

    Args:
        logits: [B, C]; y: class ids [B], or 0/1 labels [B, C].
    """
    if y.dim() == 1 and logits.size(1) == 2:
        rare = int(2 * int((y == 1).sum()) <= len(y))
        return ranking_quality(logits[:, rare] - logits[:, 1 - rare], y == rare)
    single = [one for one in _one_by_one(logits.detach(), y) if not math.isnan(one.auroc)]
    if not single:
        return UNDEFINED
    return Quality(*(sum(values) / len(single) for values in zip(*single, strict=True)))


def best_margin(logits: Tensor, y: Tensor) -> float:
    """How far the second logit must be above the first to be predicted for the best macro-F1 of both classes.

    Args:
        logits: [B, 2]; y: class ids [B].

    Returns:
        The middle between two neighbouring margins of the rows; 0 where only one class occurs.
    """
    margin, order = (logits[:, 1] - logits[:, 0]).double().sort(descending=True)
    wanted = (y[order] == 1).double()
    total, count = wanted.sum(), len(y)
    if not 0 < total < count:
        return 0.0
    taken = torch.arange(1, count, device=y.device)  # rows predicted to be of the second class
    hits = wanted.cumsum(0)[:-1]
    second = 2 * hits / (taken + total)
    first = 2 * (count - taken - total + hits) / (2 * count - taken - total)
    score = torch.where(margin[:-1] > margin[1:], first + second, -1.0)
    best = int(score.argmax())
    return float((margin[best] + margin[best + 1]) / 2) if score[best] >= 0 else 0.0


def ranking_quality(scores: Tensor, wanted: Tensor) -> Quality:
    """AUROC and average precision from one sort; ties count as in scikit-learn, in whatever order they come.

    Args:
        scores: [m]; wanted: [m] bool or 0/1.
    """
    values, mask = _array(scores), (wanted > 0.5).cpu().numpy()
    positive, negative = np.sort(values[mask]), np.sort(values[~mask])
    if not len(positive) or not len(negative) or np.isnan(positive[-1]) or np.isnan(negative[-1]):
        return UNDEFINED  # a sort leaves NaN last
    below = np.searchsorted(negative, positive, side="left")
    not_above = np.searchsorted(negative, positive, side="right")
    hits = len(positive) - np.searchsorted(positive, positive, side="left")
    precision = hits / (hits + len(negative) - below)
    pairs = 2 * len(positive) * len(negative)
    return Quality((int(below.sum()) + int(not_above.sum())) / pairs, float(precision.mean()))


def mean_reciprocal_rank(positive: Tensor, negative: Tensor) -> float:
    """Mean of 1 / rank of each edge among its negatives; among equals the mean of the best and the worst rank.

    The convention of the Open Graph Benchmark (Hu et al., 2020, arXiv:2005.00687).

    Args:
        positive: [B]; negative: [B, K], or one pool [M] for all.
    """
    above, not_below = _ahead(positive, negative)
    return float((1 / ((above + not_below) / 2 + 1)).mean()) if _comparable(positive, negative) else math.nan


def hits_at(positive: Tensor, negative: Tensor, k: int) -> float:
    """Share of edges with rank ``k`` or better; ties as in the Open Graph Benchmark.

    Among its own negatives [B, K] an edge has the rank of :func:`mean_reciprocal_rank`. In one pool [M] it must score
    above all but ``k - 1`` negatives.
    """
    above, not_below = _ahead(positive, negative)
    hit = not_below < k if negative.dim() == 1 else (above + not_below) / 2 + 1 <= k
    return float(hit.double().mean()) if _comparable(positive, negative) else math.nan


def _ahead(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """How many negatives score above each positive, and how many at least as high: [B] float64 each."""
    if negative.dim() == 2:
        ours = positive.unsqueeze(1)
        return (negative > ours).sum(1).double(), (negative >= ours).sum(1).double()
    pool, scores = np.sort(_array(negative)), _array(positive)
    above = len(pool) - np.searchsorted(pool, scores, side="right")
    not_below = len(pool) - np.searchsorted(pool, scores, side="left")
    return torch.from_numpy(above).double(), torch.from_numpy(not_below).double()


def _comparable(positive: Tensor, negative: Tensor) -> bool:
    """A NaN is above nothing and below nothing: it would pass for the best rank."""
    return bool(positive.numel() and negative.numel()) and not bool(positive.isnan().any() or negative.isnan().any())


def _defined(values: dict[str, float], ranking: Quality) -> dict[str, float]:
    together = {**values, "auroc": ranking.auroc, "average_precision": ranking.average_precision}
    return {name: value for name, value in together.items() if not math.isnan(value)}


def _one_by_one(logits: Tensor, y: Tensor) -> Iterator[Quality]:
    if y.dim() == 2:
        for column in range(logits.size(1)):
            yield ranking_quality(logits[:, column], y[:, column])
        return
    norm = torch.cat([rows.logsumexp(1) for rows in torch.split(logits, ROWS_AT_ONCE)])  # softmax, a column at a time
    for column in range(logits.size(1)):
        yield ranking_quality((logits[:, column] - norm).exp_(), y == column)


def _array(scores: Tensor) -> NDArray[Any]:
    """float32 or float64 on the host: numpy sorts plain values many times faster than torch."""
    wide = scores.detach() if scores.dtype is torch.float64 else scores.detach().float()
    values: NDArray[Any] = wide.cpu().numpy()
    return values
