"""Racing: who is stopped, and who must not be."""

from __future__ import annotations

import math

import pytest

from tuner.race import Frontier, Race, expected_seconds, out_of_reach
from tuner.records import Evaluation


def curve(*points: tuple[float, float]) -> list[Evaluation]:
    return [
        Evaluation(epoch=epoch, seconds=seconds, loss=1.0, metric=metric)
        for epoch, (seconds, metric) in enumerate(points, 1)
    ]


FRONTIER = Frontier.of([curve((1, 0.2), (3, 0.5)), curve((2, 0.4), (4, 0.45), (8, 0.9))])


def test_the_frontier_is_the_best_that_anyone_had_at_each_age() -> None:
    assert Frontier(seconds=(1, 2, 3, 8), metrics=(0.2, 0.4, 0.5, 0.9)) == FRONTIER
    assert [FRONTIER.age(metric) for metric in (0.1, 0.2, 0.41, 0.9, 0.91)] == [1, 1, 3, 8, None]


@pytest.mark.parametrize(
    ("seconds", "age", "goal", "expected"),
    [
        (4.0, 4.0, 8.0, 8.0),
        (4.0, 2.0, 8.0, math.sqrt(16.0 * 10.0)),
        (9.0, 8.0, 8.0, 9.0),
    ],
)
def test_what_is_expected_lies_between_its_pace_and_the_best(
    seconds: float, age: float, goal: float, expected: float
) -> None:
    assert expected_seconds(seconds, age, goal) == pytest.approx(expected)


def test_a_trial_is_lost_once_it_is_expected_to_be_too_late() -> None:
    race = Race(frontier=FRONTIER, goal_seconds=8.0, bound_seconds=12.0, cap_seconds=99.0)
    assert not race.lost(curve((1, 0.2), (3, 0.4)))
    assert race.lost(curve((1, 0.2), (5, 0.4)))
    assert not race.lost(curve((5, 0.89))), "who leads goes on"


def test_a_slow_start_is_forgiven() -> None:
    assert expected_seconds(0.5, 0.1, 8.0) < 12.0 < expected_seconds(2.0, 0.4, 8.0), "as slow in proportion, but older"


def test_beyond_the_cap_only_the_leader_goes_on() -> None:
    race = Race(frontier=FRONTIER, goal_seconds=8.0, bound_seconds=99.0, cap_seconds=4.0)
    assert not race.lost(curve((3.9, 0.5)))
    assert race.lost(curve((4.0, 0.9)))
    assert not race.lost(curve((4.0, 0.91)))


def test_a_leader_goes_on_until_it_learns_no_more() -> None:
    """Beyond the frontier, for as long as it likes; 1.5 times the age of its best is too long."""
    race = Race(frontier=FRONTIER, goal_seconds=8.0, bound_seconds=12.0, cap_seconds=4.0)
    rising = curve((2, 0.85), (20, 0.91), (50, 0.95))
    assert not race.lost(rising)
    assert not race.lost([*rising, *curve((70, 0.95))])
    assert race.lost([*rising, *curve((76, 0.95))])
    assert race.lost(curve((2, 0.85), (13, 0.85))), "behind the frontier's best"


def test_a_trial_that_settles_below_the_target_is_stopped_though_it_leads() -> None:
    """From 0.80 at 2 s to 0.82 at 4 s: three times as much until 8 s is 0.88."""
    settled = curve((1, 0.6), (2, 0.8), (3, 0.81), (3.5, 0.815), (4, 0.82))
    race = Race(frontier=FRONTIER, goal_seconds=8.0, bound_seconds=12.0, cap_seconds=9.0, limit_seconds=8.0)
    assert not race.lost(settled), "no target is known"
    assert not race.model_copy(update={"target": 0.87}).lost(settled)
    assert race.model_copy(update={"target": 0.89}).lost(settled)
    assert not race.model_copy(update={"target": 0.89, "limit_seconds": 12.0}).lost(settled), "there is more time"


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (curve((1, 0.3), (2, 0.3), (3, 0.3), (3.5, 0.3), (4, 0.3)), "has learnt nothing yet"),
        (curve((1, 0.6), (2, 0.8), (4, 0.8)), "one evaluation is chance"),
        (curve((0.4, 0.8), (0.6, 0.8), (0.7, 0.8), (0.8, 0.8)), "young"),
        (curve((2, 0.8), (3, 0.8), (4, 0.8), (8, 0.8)), "its time is over anyway"),
    ],
)
def test_none_is_judged_by_a_curve_that_says_little(history: list[Evaluation], why: str) -> None:
    assert not out_of_reach(history, 0.2, 0.9, 8.0), why
