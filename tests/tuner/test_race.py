"""Racing: who is stopped, and who must not be."""

from __future__ import annotations

import math

import pytest

from tuner.race import Frontier, Race, expected_seconds
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
