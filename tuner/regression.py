"""How well targets are predicted: R2, which training is judged by, and MAE and RMSE in the targets' own unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from techniques.job import Job


def regression_quality(predicted: Tensor, y: Tensor) -> dict[str, float]:
    """``r2``, ``mae`` and ``rmse`` of [B, T] predictions; of several targets the mean over columns.

    R2 is 1 - squared error / variance: 1 is perfect, 0 is as good as the mean, and there is no lower end. It is left out
    where the targets do not vary.
    """
    if not len(y):
        return {}
    error = (predicted - y).double()
    squared, variance = error.square().mean(0), y.double().var(0, unbiased=False)
    found = {"mae": float(error.abs().mean()), "rmse": float(squared.sqrt().mean())}
    varies = variance > 0
    if bool(varies.any()):
        found = {"r2": float((1 - squared[varies] / variance[varies]).mean()), **found}
    return {name: value for name, value in found.items() if math.isfinite(value)}


class RegressionJudge:
    """Predicts the split's graphs and compares in the targets' own unit."""

    metric = "r2"

    def __init__(self, job: Job) -> None:
        self._job = job
        self._graphs = {split: job.masks[split].nonzero().flatten() for split in ("val", "test")}

    def scores(self, split: str) -> dict[str, float]:
        graphs = self._graphs[split]
        if not graphs.numel():
            return {}
        scale = self._job.need("targets")
        predicted = scale.restored(self._job.need("predict")(graphs).cpu())
        return regression_quality(predicted, scale.restored(self._job.need("labels")[graphs]))

    def settle(self) -> None:
        """Targets need no threshold."""

    def predictions(self) -> dict[str, Tensor]:
        """Predicted targets of every graph."""
        return {"predictions": self._job.need("targets").restored(self._job.need("predict")().cpu())}
