"""What the search's model is told: values of trials, smaller is better, how far off they may be, and what a point's is forecast to be.

Values are logarithms of seconds or bytes, or minus the metric.
"""

from __future__ import annotations

import math

from techniques.facts import Objective
from techniques.job import JobSpec
from tuner.bench import Bench
from tuner.race import best_of
from tuner.records import Trial
from tuner.scoring import MISSED

GAP_WEIGHT = 5.0
"""How many times e more memory a miss by 1.0 of the metric counts for the model."""
DOUBT = 0.2
"""Standard deviation of the logarithm of the seconds that a trial is expected to need which missed its target, as the model is told. What 38
trials that lost a race needed in the end differs by 0.4, but they are the few that got there. Chosen on the tables of ``tests/benchmarks/regret.py``:
with nothing 6 of 50 searches of one are sure that nothing better is left, with 0.4 9 of 50 of another look too far from what is good."""


def value(bench: Bench, trial: Trial) -> float:
    """A trial's score as the model sees it; who was stopped before the target counts with the seconds that it is expected to
    need."""
    score = bench.score(trial)
    if score is None:
        return math.inf
    if bench.objective is Objective.ACCURACY or bench.target_at(trial.share) is None:
        return score
    if score >= MISSED:
        if bench.objective is Objective.MEMORY:
            miss = 1.5 + GAP_WEIGHT * (score / MISSED - 1.0)
            return math.log(max(trial.measured.peak_host_bytes + trial.measured.peak_device_bytes, 1)) + miss
        return math.log(max(_expected_seconds(bench, trial) * bench.growth_of(trial), 1e-9))
    return math.log(max(score, 1e-9))


def doubt(bench: Bench, trial: Trial) -> float:
    """Standard deviation of a trial's value beside what repeated measurements differ by: seconds that were expected, not measured.

    Taken for measured, the many trials that lost their race hold the model down to what a race allows: it was sure that
    nothing could be better where the best of a table was left (6 of 50 searches of coauthor_cs, none since).
    """
    score = bench.score(trial)
    return DOUBT if bench.objective is Objective.TIME and score is not None and score >= MISSED else 0.0


def _expected_seconds(bench: Bench, trial: Trial) -> float:
    """To the goal, for a trial that missed the target; nobody has shown that the best of all could have been quicker."""
    frontier, (best, own) = bench.frontier(trial.share), best_of(trial.measured.history)
    leads, goal = best >= frontier.metrics[-1], bench.goal_seconds(trial.share)
    return own if leads else frontier.expected_seconds(trial.measured.history, goal)


def prior(bench: Bench, spec: JobSpec) -> float:
    """What a value is expected to be but for a constant: logarithm of seconds or bytes, by forecast.

    Steps to a quality fall with the square root of the examples in one, between many small ones, where they fall in
    proportion, and few large ones, where they do not (McCandlish et al., arXiv:1812.06162): so the geometric mean of a
    step's and an epoch's seconds, each with its share of the evaluations.
    """
    if bench.objective is Objective.ACCURACY:
        return 0.0
    figures = bench.outlook(spec)
    if bench.objective is Objective.MEMORY:
        return math.log(max(figures.peak_host_bytes.expected + figures.peak_device_bytes.expected, 1.0))
    return math.log(figures.round_seconds) - 0.5 * math.log(max(figures.steps_per_epoch, 1))
