"""The model of the search: points as columns, what it learns, what it expects."""

from __future__ import annotations

import numpy as np
import pytest

from planner.api import make_plan
from planner.catalog import machine
from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.records import ForecastFigures
from techniques.base import SettingValue, Slot
from techniques.facts import Facts
from techniques.forecast import Range
from techniques.job import JobSpec, Training
from tuner.space import Point
from tuner.surrogate import Surrogate, encoded, expected_improvement


def _point(rate: float = 0.01, sampling: str = "neighbor", **settings: SettingValue) -> Point:
    spec = JobSpec(options={Slot.SAMPLING: sampling}, settings=settings, training=Training(learning_rate=rate))
    return Point(sampling, spec)


def _foreseen(*seconds: float) -> list[ForecastFigures]:
    """Forecasts of an epoch, of one step each."""
    base = make_plan(Facts(graph=from_counts(100, 400, directed=False), hardware=machine("laptop-16gb")), Pins()).best
    assert base is not None
    alike = {"steps_per_epoch": 1, "convergence_seconds": Range.exact(0.0)}
    return [base.forecast.model_copy(update=alike | {"epoch_seconds": Range.exact(one)}) for one in seconds]


def test_numbers_are_scaled_by_their_logarithm_and_kinds_are_columns_of_their_own() -> None:
    x, groups = encoded(
        [_point(0.001, hidden=32), _point(0.01, "cluster", hidden=32), _point(0.1, hidden=32)], _foreseen(1, 1, 1)
    )
    rates = next(x[:, place] for place in range(x.shape[1]) if set(x[:, place]) == {0.0, 0.5, 1.0})
    assert list(rates) == [0.0, 0.5, 1.0]
    assert x.shape == (3, 3), "the learning rate and two samplers; what never differs is left out"
    assert len(set(groups)) == 2


def test_a_knob_that_a_point_does_not_have_stands_in_the_middle() -> None:
    x, _ = encoded([_point(batch_size=256), _point(batch_size=1024), _point(sampling="full_batch")], _foreseen(1, 1, 1))
    assert any(list(x[:, place]) == [0.0, 1.0, 0.5] for place in range(x.shape[1]))


def test_what_the_planner_expects_is_known_too() -> None:
    x, groups = encoded([_point(), _point(), _point()], _foreseen(1, 10, 100))
    assert x.tolist() == [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]], "seconds of a step and of an epoch"
    assert len(set(groups)) == 2


def test_points_that_are_all_alike_can_be_encoded() -> None:
    x, groups = encoded([_point(), _point()], _foreseen(1, 1))
    assert x.shape == (2, 1)
    Surrogate(x, np.array([1.0, 1.1]), groups, np.zeros(2)).predict(x)


def test_it_learns_which_knob_matters() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((40, 2))
    model = Surrogate(x, np.sin(3 * x[:, 0]), [0, 1], np.zeros(40))
    assert model.lengths[1] > 2 * model.lengths[0]
    fresh = rng.random((200, 2))
    mean, deviation = model.predict(fresh)
    wanted = np.sin(3 * fresh[:, 0])
    assert np.abs(mean - wanted).mean() < 0.1 * np.abs(wanted - wanted.mean()).mean()
    assert np.mean(np.abs(mean - wanted) < 3 * deviation) > 0.9


def test_it_is_unsure_far_from_what_it_has_seen() -> None:
    x = np.linspace(0.0, 0.3, 10)[:, None]
    model = Surrogate(x, np.cos(20 * x[:, 0]), [0], np.zeros(10))
    _, deviation = model.predict(np.array([[0.15], [1.0]]))
    assert deviation[1] > 3 * deviation[0]


def test_what_is_doubted_does_not_make_it_sure_of_what_lies_between() -> None:
    """Ten like values that were measured say what the next is; ten that were expected, each as far off as they differ, do not."""
    x, y = np.linspace(0.0, 1.0, 11)[:, None], np.array([0.0, *[1.0] * 10])
    measured, expected = (Surrogate(x, y, [0], np.array([0.0, *[doubt] * 10])) for doubt in (0.0, 0.4))
    between = np.array([[0.85]])
    assert expected.predict(between)[1][0] > 2 * measured.predict(between)[1][0]
    at_measured = [model.predict(x[:1])[0][0] for model in (expected, measured)]
    assert at_measured[0] < at_measured[1], "what was measured counts for more beside what was not"


def test_expected_improvement_by_hand() -> None:
    """At the mean of the best: the deviation over sqrt(2 pi); far above it nothing, far below it the difference."""
    found = expected_improvement(np.array([1.0, 9.0, -4.0]), np.array([0.5, 0.5, 0.5]), 1.0)
    assert found == pytest.approx([0.5 / np.sqrt(2 * np.pi), 0.0, 5.0], abs=1e-6)
