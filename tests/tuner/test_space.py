"""Points: every one a spec that can be composed, with the pins in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.api import make_plan
from planner.pins import Pins
from planner.proposal import BASELINE_NAME, check, knobs_of
from techniques.assembly import compose, same_job
from techniques.base import Slot
from tuner.space import (
    BASELINE_LEARNING_RATES,
    LEARNING_RATES,
    MAX_FAMILIES,
    WHOLE_GRAPH_KNOBS,
    Space,
    Vary,
    changed,
    families,
)

DRAWS = 150


@pytest.fixture
def space_for(make_facts: Any) -> Any:
    """``space_for(pins, **goal)``."""

    def build(pins: Pins | None = None, **others: Any) -> Space:
        facts = make_facts((50_000, 400_000, 64, 5), **others)
        plan = make_plan(facts, pins or Pins())
        return Space(facts, families(plan.candidates, plan.baseline), pins or Pins())

    return build


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_point_is_usable_and_in_bounds(space_for: Any) -> None:
    space = space_for()
    seen = set()
    for family, spec in space.draw(_rng(), DRAWS):
        seen.add(family)
        assert check(space.facts, spec).usable
        assert compose(spec, space.facts)
        assert LEARNING_RATES[0] <= spec.training.learning_rate <= LEARNING_RATES[1]
        assert spec.options == space.choices[family].options
        for knob in knobs_of(space.facts, spec):
            value = spec.settings[knob.name]
            if knob.low is not None and knob.high is not None and knob.tuned:
                assert knob.low <= value <= knob.high
        if "fanouts" in spec.settings:
            assert len(spec.settings["fanouts"]) == spec.settings["layers"]
    assert seen == set(space.choices) - {BASELINE_NAME}
    assert len(space.choices) <= MAX_FAMILIES + 1


def test_no_two_points_are_the_same_job_under_two_names(space_for: Any) -> None:
    space = space_for()
    flat = [one for one in space.draw(_rng(), DRAWS) if one.spec.settings["layers"] == 1]
    assert flat, "one convolution has no hidden layer: neither its width nor dropout does anything"
    for point in flat[:5]:
        deep = point._replace(spec=changed(point.spec, {"layers": 2}))
        near = [space.near(one, np.random.default_rng(seed)) for seed in range(20) for one in (point, deep)]
        found = list({one.spec.model_dump_json(): one.spec for one in (point, *near)}.values())
        for place, one in enumerate(found):
            assert not any(same_job(one, other, space.facts) for other in found[:place]), one


def test_a_drawn_point_is_composed_once_and_each_of_its_knobs_once(
    space_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, composed = space_for(), []
    for module in ("techniques.assembly", "tuner.space"):
        monkeypatch.setattr(f"{module}.compose", lambda spec, facts: composed.append(spec) or compose(spec, facts))
    for point in space.draw(_rng(), 10):
        composed.clear()
        space.near(point, _rng())
        assert len(composed) == len({one.model_dump_json() for one in composed}) > 1


def test_families_are_pairs_of_sampler_and_architecture_the_plans_first_among_them(space_for: Any) -> None:
    space = space_for()
    pairs = [
        (one.options[Slot.SAMPLING], one.options[Slot.ARCHITECTURE])
        for name, one in space.choices.items()
        if name != BASELINE_NAME
    ]
    assert len(set(pairs)) == len(pairs)
    assert len({sampling for sampling, _ in pairs}) >= 3
    assert {"gcn", "sage", "gat", "gin"} <= {architecture for _, architecture in pairs}
    assert space.first()[0].spec == next(iter(space.choices.values())).spec


def test_the_baseline_varies_its_learning_rate_alone(space_for: Any) -> None:
    space = space_for()
    base = space.choices[BASELINE_NAME].spec
    assert [point.spec.training.learning_rate for point in space.defaults()] == list(BASELINE_LEARNING_RATES)
    for point in space.defaults():
        assert point.spec.settings == base.settings
        rate = point.spec.training.learning_rate
        assert point.spec.training == base.training.model_copy(update={"learning_rate": rate})
        assert space.near(point, _rng()) == point


def test_pins_are_respected_in_every_point(space_for: Any) -> None:
    settings = {"batch_size": 256, "fanouts": (7, 3), "layers": 2, "learning_rate": 0.004, "dropout": 0.1}
    space = space_for(Pins({Slot.SAMPLING: "neighbor"}, settings))
    points = space.draw(_rng(), 30)
    for family, spec in [*points, *(space.near(point, _rng()) for point in points)]:
        assert family != BASELINE_NAME
        assert spec.options[Slot.SAMPLING] == "neighbor"
        assert (spec.settings["batch_size"], spec.settings["fanouts"], spec.settings["layers"]) == (256, (7, 3), 2)
        assert (spec.training.learning_rate, spec.training.dropout) == (0.004, 0.1)


def test_whatever_wins_keeps_what_is_pinned(space_for: Any) -> None:
    pins = Pins({Slot.ARCHITECTURE: "gcn"}, {"hidden": 48, "learning_rate": 0.02, "weight_decay": 0.0})
    space = space_for(pins)
    assert BASELINE_NAME in space.choices
    for _, spec in [*space.draw(_rng(), 30), *space.defaults()]:
        assert spec.options[Slot.ARCHITECTURE] == "gcn"
        assert spec.settings["hidden"] == 48
        assert (spec.training.learning_rate, spec.training.weight_decay) == (0.02, 0.0)


def test_a_depth_that_the_user_states_is_kept_and_hops_that_are_wanted_too(space_for: Any) -> None:
    assert {spec.settings["layers"] for _, spec in space_for(Pins({}, {"layers": 3})).draw(_rng(), 60)} == {3}
    assert {spec.settings["layers"] for _, spec in space_for().draw(_rng(), 60)} > {2}
    wanted = space_for(Pins({Slot.SAMPLING: "neighbor"}), context_hops=3)
    assert min(spec.settings["layers"] for _, spec in wanted.draw(_rng(), 60)) >= 3


def test_numbers_of_a_neighbour_often_lie_near_those_of_the_point(space_for: Any) -> None:
    space, rng = space_for(), _rng()
    point = space.first()[0]
    rates = [space.near(point, rng).spec.training.learning_rate for _ in range(1000)]
    ratios = [one / point.spec.training.learning_rate for one in rates if one != point.spec.training.learning_rate]
    close = sum(1 for one in ratios if 0.5 < one < 2.0) / len(ratios)
    assert close > 0.45, "drawn from the whole range a third would be"
    assert max(ratios) > 3 and min(ratios) < 1 / 3, "far ones are tried, too"
    assert all(LEARNING_RATES[0] <= one <= LEARNING_RATES[1] for one in rates)


def test_a_neighbour_differs_in_a_knob_or_two(space_for: Any) -> None:
    space, rng = space_for(), _rng()
    for point in space.draw(rng, 40):
        near = space.near(point, rng)
        differ = [name for name, value in near.spec.settings.items() if value != point.spec.settings[name]]
        training = [
            name
            for name in ("learning_rate", "dropout")
            if getattr(near.spec.training, name) != getattr(point.spec.training, name)
        ]
        assert near.family == point.family
        idle = near.spec.settings["layers"] == 1  # what does nothing there goes back to the plan's value
        assert idle or len(set(differ) - {"fanouts"}) + len(training) <= 2


def test_what_a_part_cannot_tell_is_varied_on_the_whole_graph_alone(space_for: Any) -> None:
    space, rng = space_for(Pins({Slot.SAMPLING: "neighbor"})), _rng()
    sizes = {family: one.settings["batch_size"] for family, one in space.choices.items()}
    on_part = space.draw(rng, 40, Vary.ON_PART)
    assert all(spec.settings["batch_size"] == sizes[family] for family, spec in on_part)
    for point in on_part:
        near = space.near(point, rng, Vary.ON_WHOLE)
        changed = {name for name, value in near.spec.settings.items() if value != point.spec.settings[name]}
        assert changed <= WHOLE_GRAPH_KNOBS
        assert near.spec.training == point.spec.training
