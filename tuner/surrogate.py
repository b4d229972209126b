"""What the search expects of points that it has not measured: a Gaussian process over their settings.

Matern 5/2 kernel with one length per knob (Rasmussen and Williams, 2006, sections 4.2 and 5.4); expected improvement as in
Jones et al. (J. Global Optimization, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.records import ForecastFigures
from techniques.base import SettingValue
from tuner.space import RATE, Point

Array = NDArray[np.float64]
LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Of knobs scaled to [0, 1]: from a knob that matters at every step to one that does not."""
NOISES = (0.003, 0.03, 0.15)
"""Variance of a repeated measurement, as a share of the variance of all."""
SWEEPS = 2


def encoded(points: Sequence[Point], forecasts: Sequence[ForecastFigures]) -> tuple[Array, list[int]]:
    """Settings and forecasts of points as columns in [0, 1], [n, d], and the knob that each column belongs to.

    Numbers are scaled by their order of magnitude, the rest is one column per value; where a point has no such knob the
    middle stands in.
    """
    rows = [_flat(point) | _foreseen(one) for point, one in zip(points, forecasts, strict=True)]
    columns: list[Array] = []
    groups: list[int] = []
    for group, name in enumerate(sorted({name for row in rows for name in row})):
        values = [row.get(name) for row in rows]
        if all(value is None or _is_number(value) for value in values):
            found = [_scaled(values)]
        else:
            kinds = sorted({str(value) for value in values})
            found = [np.array([0.5 * (str(value) == kind) for value in values]) for kind in kinds]
        found = [column for column in found if np.ptp(column) > 0]
        columns += found
        groups += [group] * len(found)
    return (np.stack(columns, axis=1) if columns else np.zeros((len(points), 1))), groups or [0]


class Surrogate:
    """Fitted to scores (smaller is better); lengths and noise are those that make the scores most likely.

    Args:
        doubts: standard deviation of each score beside what repeated measurements differ by, [n].
    """

    def __init__(self, x: Array, y: Array, groups: Sequence[int], doubts: Array) -> None:
        self.mean, self.spread = float(y.mean()), float(y.std()) or 1.0
        self.x, self.y = x, (y - self.mean) / self.spread
        self._doubts = (doubts / self.spread) ** 2
        self.groups = np.unique(np.asarray(groups), return_inverse=True)[1]
        self.lengths = np.full(int(self.groups.max()) + 1, 1.0)
        self.noise = NOISES[1]
        self._squares = self._by_group(x, x)
        self._fit()
        self._factor, self._weights = _solved(self._kernel(self._squares), self.noise + self._doubts, self.y)

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the scores of other points, [m] each."""
        between = self._kernel(self._by_group(x, self.x))
        solved = np.linalg.solve(self._factor, between.T)
        deviation = np.sqrt(np.maximum(1.0 - (solved**2).sum(0), 1e-12))
        return self.mean + self.spread * (between @ self._weights), self.spread * deviation

    def _fit(self) -> None:
        best = self._likelihood()
        for _ in range(SWEEPS):
            for place in range(len(self.lengths)):
                best = self._better(best, self.lengths, place, LENGTHS)
            for noise in NOISES:
                before, self.noise = self.noise, noise
                found = self._likelihood()
                best, self.noise = (found, noise) if found > best else (best, before)

    def _better(self, best: float, values: Array, place: int, tries: Sequence[float]) -> float:
        kept = values[place]
        for one in tries:
            values[place] = one
            found = self._likelihood()
            if found > best:
                best, kept = found, one
        values[place] = kept
        return best

    def _likelihood(self) -> float:
        """Log marginal likelihood of the scores; a knob is taken to matter little until the scores say so."""
        factor, weights = _solved(self._kernel(self._squares), self.noise + self._doubts, self.y)
        prior = -0.5 * float((np.log2(self.lengths / 2.0) ** 2).sum()) / 2.0
        return float(-0.5 * self.y @ weights - np.log(np.diag(factor)).sum()) + prior

    def _by_group(self, a: Array, b: Array) -> Array:
        """Squared distances [g, n, m] by knob."""
        found = np.zeros((int(self.groups.max()) + 1, len(a), len(b)))
        for column, group in enumerate(self.groups):
            found[group] += (a[:, column, None] - b[None, :, column]) ** 2
        return found

    def _kernel(self, squares: Array) -> Array:
        root = np.sqrt(5.0 * np.tensordot(1.0 / self.lengths**2, squares, axes=1))
        kernel: Array = (1.0 + root + root**2 / 3.0) * np.exp(-root)
        return kernel


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """How far below ``best`` the scores of points are expected to fall, [m]."""
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1.0 + np.vectorize(math.erf)(z / math.sqrt(2.0)))
    found: Array = deviation * (z * below + density)
    return np.maximum(found, 0.0)


def _solved(kernel: Array, noise: Array, y: Array) -> tuple[Array, Array]:
    factor: Array = np.asarray(np.linalg.cholesky(kernel + np.diag(noise + 1e-8)), dtype=np.float64)
    weights: Array = np.asarray(np.linalg.solve(factor.T, np.linalg.solve(factor, y)), dtype=np.float64)
    return factor, weights


def _flat(point: Point) -> dict[str, SettingValue]:
    spec = point.spec
    found: dict[str, SettingValue] = {slot.value: name for slot, name in spec.options.items()}
    found |= spec.settings
    found |= {RATE: spec.training.learning_rate, "dropout": spec.training.dropout, "precision": spec.training.precision}
    return {name: math.prod(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _foreseen(figures: ForecastFigures) -> dict[str, SettingValue]:
    """What the planner knows of a point beyond its settings: seconds of a step and of an epoch."""
    seconds = figures.round_seconds
    return {"forecast of a step": seconds / max(figures.steps_per_epoch, 1), "forecast of an epoch": seconds}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _scaled(values: Sequence[Any]) -> Array:
    """To [0, 1] by logarithm where all are positive."""
    known = np.array([np.nan if value is None else float(value) for value in values])
    if np.nanmin(known) > 0:
        known = np.log(known)
    low, high = np.nanmin(known), np.nanmax(known)
    scaled: Array = (known - low) / (high - low) if high > low else np.zeros(len(known))
    return np.where(np.isnan(scaled), 0.5, scaled)
