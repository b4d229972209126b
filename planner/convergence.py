"""How long training takes until the stopping rule holds: epochs, and what each takes with its share of evaluations."""

from __future__ import annotations

import math

from techniques.forecast import Range

MOST_EPOCHS_BETWEEN_EVALUATIONS = 10


def convergence_seconds(epochs: Range, epoch: Range, evaluation: Range) -> Range:
    """Epochs times what each takes, with an evaluation every so many that it costs no more than training.

    Both ends of both ranges are seldom met at once: relative errors add up as independent ones do.
    """
    every = min(max(evaluation.expected / max(epoch.expected, 1e-12), 1.0), MOST_EPOCHS_BETWEEN_EVALUATIONS)
    expected = epochs.expected * (epoch.expected + evaluation.expected / every)
    low = _both(epochs.expected / max(epochs.low, 1e-12), epoch.expected / max(epoch.low, 1e-12))
    high = _both(epochs.high / max(epochs.expected, 1e-12), epoch.high / max(epoch.expected, 1e-12))
    return Range(expected / low, expected, expected * high)


def _both(first: float, second: float) -> float:
    """One factor for two independent ones."""
    return math.exp(math.hypot(math.log(max(first, 1.0)), math.log(max(second, 1.0))))
