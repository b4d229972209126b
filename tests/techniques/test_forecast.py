"""The arithmetic of ranges and of what is held."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techniques.forecast import ZERO, Forecast, Level, Phase, Place, Range
from techniques.step_shape import LayerShape, StepShape

positive = st.floats(0, 1e15)
ordered = st.tuples(positive, positive, positive).map(lambda values: Range(*sorted(values)))
HOST, DEVICE = Place.HOST, Place.DEVICE


def is_ordered(one: Range) -> bool:
    return one.low <= one.expected <= one.high


@given(positive, st.floats(0, 1), st.floats(1, 100))
def test_ranges_are_ordered_around_their_value(value: float, error: float, factor: float) -> None:
    for made in (Range.exact(value), Range.within(value, error), Range.factor(value, factor)):
        assert is_ordered(made)
        assert made.expected == value


@given(ordered, ordered, st.floats(0, 1000))
def test_arithmetic_keeps_ranges_ordered(one: Range, other: Range, scale: float) -> None:
    assert is_ordered(one + other)
    assert is_ordered(one * scale)
    assert is_ordered(one.maximum(other))
    assert one.maximum(other) == other.maximum(one)
    assert one + ZERO == one


def test_within_and_factor() -> None:
    assert Range.within(100, 0.1) == Range(pytest.approx(90), 100, pytest.approx(110))
    assert Range.factor(100, 4) == Range(25, 100, 400)
    assert Range(1, 2, 3) + Range(10, 20, 30) == Range(11, 22, 33)
    assert Range(1, 5, 6).maximum(Range(2, 3, 9)) == Range(2, 5, 9)


@pytest.fixture
def empty(make_facts: Any) -> Forecast:
    return Forecast(facts=make_facts())


def test_what_is_held_adds_up_per_place(empty: Forecast) -> None:
    found = empty.hold(Phase.LOAD, HOST, "a", Range.exact(10)).hold(Phase.PREPARE, HOST, "b", Range.exact(5))
    found = found.hold(Phase.PREPARE, DEVICE, "a", Range.exact(7))
    assert found.held_bytes(HOST) == Range.exact(15)
    assert found.held_bytes(DEVICE) == Range.exact(7)
    assert found.phases[Phase.LOAD].host_peak_bytes == Range.exact(10)
    assert found.phases[Phase.PREPARE].host_peak_bytes == Range.exact(15)
    assert found.phases[Phase.PREPARE].device_peak_bytes == Range.exact(7)


def test_what_training_holds_is_not_there_yet_while_a_job_is_prepared(empty: Forecast) -> None:
    found = empty.hold(Phase.PREPARE, HOST, "structure", Range.exact(10)).hold(
        Phase.TRAIN, HOST, "batches", Range.exact(5)
    )
    found = found.hold(Phase.PREPARE, HOST, "parameters", Range.exact(1)).spike(Phase.TRAIN, HOST, Range.exact(100))
    assert found.phases[Phase.PREPARE].host_peak_bytes == Range.exact(11)
    assert found.phases[Phase.TRAIN].host_peak_bytes == Range.exact(116)


def test_holding_the_same_label_again_replaces_it(empty: Forecast) -> None:
    found = empty.hold(Phase.LOAD, HOST, "a", Range.exact(10)).hold(Phase.LOAD, HOST, "a", Range.exact(3))
    assert found.held_bytes(HOST) == Range.exact(3)
    assert found.peak_bytes(HOST) == Range.exact(10), "the peak has been"


def test_a_spike_passes_and_a_drop_frees(empty: Forecast) -> None:
    found = empty.hold(Phase.PREPARE, HOST, "a", Range.exact(10)).spike(Phase.PREPARE, HOST, Range.exact(100))
    assert found.held_bytes(HOST) == Range.exact(10)
    assert found.phases[Phase.PREPARE].host_peak_bytes == Range.exact(110)
    found = found.drop(HOST, "a").spike(Phase.TRAIN, HOST, Range.exact(1))
    assert found.phases[Phase.TRAIN].host_peak_bytes == Range.exact(1)
    assert found.peak_bytes(HOST) == Range.exact(110)
    assert found.drop(HOST, "never held").held == {}


def test_two_spikes_do_not_add_up(empty: Forecast) -> None:
    found = empty.spike(Phase.TRAIN, HOST, Range.exact(5)).spike(Phase.TRAIN, HOST, Range.exact(9))
    assert found.peak_bytes(HOST) == Range.exact(9)


def test_dropping_in_one_place_leaves_the_other(empty: Forecast) -> None:
    found = empty.hold(Phase.TRAIN, HOST, "x", Range.exact(1)).hold(Phase.TRAIN, DEVICE, "x", Range.exact(2))
    assert found.drop(HOST, "x").held_bytes(DEVICE) == Range.exact(2)


def test_seconds_add_up_and_an_epoch_is_training(empty: Forecast) -> None:
    found = empty.spend(Phase.TRAIN, Range(1, 2, 3)).spend(Phase.TRAIN, Range(1, 1, 1)).spend(Phase.LOAD, ZERO)
    assert found.epoch_seconds == Range(2, 3, 4)
    assert found.phases[Phase.EVALUATE].seconds == ZERO


def test_the_peak_phase_is_the_one_that_a_limit_is_held_against(empty: Forecast) -> None:
    found = empty.spike(Phase.PREPARE, HOST, Range(0, 1, 100)).spike(Phase.EVALUATE, HOST, Range(0, 2, 3))
    assert found.peak_phase() is Phase.PREPARE
    assert found.peak_phase(DEVICE) is Phase.LOAD, "nothing on the device: the first phase"
    assert found.peak_bytes(HOST) == Range(0, 2, 100)


def test_every_step_returns_a_new_forecast(empty: Forecast) -> None:
    empty.hold(Phase.LOAD, HOST, "a", Range.exact(1)).spend(Phase.TRAIN, Range.exact(1))
    assert empty.held == {}
    assert empty.epoch_seconds == ZERO
    assert empty.level is Level.COUNTS
    assert Forecast(facts=empty.facts, draw=lambda size, fanouts: ()).level is Level.GRAPH


@given(st.lists(st.tuples(st.sampled_from(list(Phase)), st.sampled_from(["a", "b", "c"]), positive), max_size=12))
def test_no_phase_peaks_below_what_it_held(steps: list[tuple[Phase, str, float]]) -> None:
    from planner.catalog import machine
    from planner.inspect.estimate import from_counts
    from techniques.facts import Facts

    found = Forecast(facts=Facts(graph=from_counts(10, 10, directed=False), hardware=machine("colab-t4")))
    for phase, label, amount in steps:
        found = found.hold(phase, HOST, label, Range.exact(amount))
        assert found.phases[phase].host_peak_bytes.expected >= found.held_bytes(HOST, phase).expected
        assert found.peak_bytes(HOST).expected >= found.phases[phase].host_peak_bytes.expected


def test_shapes_add_up_their_types() -> None:
    layer = LayerShape({"paper": 3, "author": 2}, {"paper": 1}, {"writes": 4, "cites": 5})
    assert (layer.num_sources, layer.num_targets, layer.num_edges) == (5, 1, 9)
    step = StepShape((layer, LayerShape.homogeneous(1, 1, 1)), seeds=1)
    assert (step.input_nodes, step.input_edges) == (5, 9)
