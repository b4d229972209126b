"""One number per measurement, smaller is better: seconds to the target quality, with memory as a constraint."""

from __future__ import annotations

from collections.abc import Sequence

from techniques.facts import Objective
from tuner.records import Measurement, Trial, TrialState

TOLERANCE = 0.01
"""The best quality seen may be a lucky run: almost as good is good enough to stop the clock."""
PERFECT = 1.0
"""No metric that training is judged by exceeds it."""
MISSED = 1e15
"""Above any number of seconds or bytes: who misses the target ranks behind all who reach it, by how far it misses."""


def evaluations_target(trials: Sequence[Trial], baseline: str) -> float | None:
    """The baseline's best validation metric, or almost the best of all trials where that is higher."""
    done = [trial for trial in trials if trial.measured.metric is not None]
    if not done:
        return None
    best = max(trial.measured.metric or 0.0 for trial in done)
    own = [trial.measured.metric or 0.0 for trial in done if trial.family == baseline]
    return max([best - TOLERANCE, *own])


def target_seconds(measured: Measurement, target: float) -> float | None:
    """Wall clock from the first epoch to the first evaluation at or above the target."""
    return next((one.seconds for one in measured.history if one.metric >= target), None)


def score(measured: Measurement, target: float | None, objective: Objective) -> float | None:
    """Seconds to the target, bytes or minus the metric, by objective; ``None`` where the candidate is infeasible."""
    if measured.state is not TrialState.COMPLETE or measured.metric is None:
        return None
    if objective is Objective.ACCURACY or target is None:
        return -measured.metric
    reached = target_seconds(measured, target)
    if reached is None:
        return MISSED * (1 + max(target - measured.metric, 0.0))
    if objective is Objective.MEMORY:
        return float(measured.peak_host_bytes + measured.peak_device_bytes)
    return reached
