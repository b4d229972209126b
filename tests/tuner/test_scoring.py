"""Scores: seconds to the target, worse for whoever misses it, none for the infeasible."""

from __future__ import annotations

from typing import Any

import pytest

from techniques.facts import Objective
from tuner.records import TrialState
from tuner.scoring import MISSED, TOLERANCE, evaluations_target, score, target_seconds


class _Trial:
    def __init__(self, family: str, measured: Any) -> None:
        self.family, self.measured = family, measured


def test_target_is_the_baselines_best_or_almost_the_best_of_all(measured: Any) -> None:
    base = _Trial("base", measured(0.5, 0.8))
    other, failed = _Trial("other", measured(0.7)), _Trial("x", measured(state=TrialState.KILLED))
    assert evaluations_target([base, other, failed], "base") == 0.8
    better = _Trial("other", measured(0.95))
    assert evaluations_target([base, better], "base") == pytest.approx(0.95 - TOLERANCE)
    assert evaluations_target([better], "base") == pytest.approx(0.95 - TOLERANCE)
    assert evaluations_target([failed], "base") is None


def test_time_is_the_first_evaluation_at_the_target(measured: Any) -> None:
    one = measured(0.2, 0.6, 0.5, 0.9, every=3.0)
    assert target_seconds(one, 0.6) == 6.0
    assert target_seconds(one, 0.7) == 12.0
    assert target_seconds(one, 0.95) is None
    assert score(one, 0.6, Objective.TIME) == 6.0


def test_whoever_misses_is_worse_than_whoever_reaches_and_by_how_far(measured: Any) -> None:
    reached = score(measured(0.1, 0.2, 0.9, every=40.0), 0.9, Objective.TIME)
    near = score(measured(0.85), 0.9, Objective.TIME)
    far = score(measured(0.10), 0.9, Objective.TIME)
    assert reached == 120.0
    assert near == pytest.approx(MISSED * 1.05)
    assert near < far
    slow = score(measured(0.1, 0.9, every=1e9), 0.9, Objective.TIME)
    assert slow < near, "however long it takes, reaching is better than missing"


def test_memory_is_the_score_where_it_is_the_goal(measured: Any) -> None:
    one = measured(0.9, peak_host_bytes=1000, peak_device_bytes=24)
    assert score(one, 0.9, Objective.MEMORY) == 1024
    assert score(one, 1.0, Objective.MEMORY) == pytest.approx(MISSED * 1.1)
    assert score(one, 0.9, Objective.ACCURACY) == -0.9


@pytest.mark.parametrize("state", [state for state in TrialState if state is not TrialState.COMPLETE])
def test_what_did_not_complete_has_no_score(measured: Any, state: TrialState) -> None:
    assert score(measured(0.9, state=state), 0.5, Objective.TIME) is None


def test_without_a_target_the_metric_decides(measured: Any) -> None:
    assert score(measured(0.4, 0.6), None, Objective.TIME) == -0.6
