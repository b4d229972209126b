"""What every option must do, whatever it is: a new option is tested by being in the list."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import OPTIONS, option, options
from techniques.base import Option, Slot, Technique, Verdict
from techniques.errors import OptionError
from tests.combinations import COMBINATIONS, GRAPHS, PAIRS, SAMPLING, every_option

# Identity


def test_slots_and_names_are_unique_and_every_room_is_furnished() -> None:
    keys = [(one.slot, one.name) for one in OPTIONS]
    assert len(set(keys)) == len(keys)
    assert {one.slot for one in OPTIONS} == set(Slot)
    assert {one.slot.technique for one in OPTIONS} == set(Technique)


@every_option
def test_is_found_by_its_name(one: Option) -> None:
    assert option(one.slot, one.name) is one


def test_an_unknown_option_is_one_line_with_the_known_ones() -> None:
    with pytest.raises(OptionError) as caught:
        option(Slot.SAMPLING, "nieghbor")
    assert "'nieghbor'" in str(caught.value)
    assert "neighbor" in caught.value.remedy


@every_option
def test_is_a_frozen_value(one: Option) -> None:
    assert hash(one) == hash(one)
    for name in ("name", "text", "anything"):
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            setattr(one, name, "changed")


@every_option
def test_name_and_text_are_for_people(one: Option) -> None:
    assert one.name == one.name.lower() and one.name.isidentifier()
    assert 10 <= len(one.text) <= 100
    assert "\n" not in one.text and not one.text.endswith(".")
    assert one.__class__.__doc__, "a class docstring says where the option comes from"


# Knobs


@every_option
@pytest.mark.parametrize("cores", [1, 2, 64])
def test_knobs_are_valid(one: Option, cores: int, make_facts: Any) -> None:
    knobs = one.knobs(make_facts(cores=cores))
    assert len({knob.name for knob in knobs}) == len(knobs)
    for knob in knobs:
        assert knob.text
        assert (knob.low is None) == (knob.high is None)
        if knob.choices:
            assert knob.low is None
            assert knob.default in knob.choices
        elif knob.low is not None and knob.high is not None:
            assert not isinstance(knob.default, (bool, str, tuple))
            assert knob.low <= knob.default <= knob.high
        else:
            pytest.fail(f"{knob.name} has neither choices nor bounds")


def test_no_two_rooms_share_a_knob(make_facts: Any) -> None:
    facts = make_facts()
    owners: dict[str, set[Slot]] = {}
    for one in OPTIONS:
        for knob in one.knobs(facts):
            owners.setdefault(knob.name, set()).add(one.slot)
    assert all(len(slots) == 1 for slots in owners.values()), owners


# Verdicts


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(("device", "goal"), [(0, {"grow": 100.0, "context_hops": 5}), (16 * 2**30, {})])
def test_check_answers_with_a_reason(graph: str, device: int, goal: dict[str, Any], make_facts: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device, **goal)
    asked = set()
    for chosen in PAIRS:
        spec = make_spec(facts, Pins(chosen), {})
        for slot, name in chosen.items():
            asked.add((slot, name))
            verdict = option(slot, name).check(facts, spec)
            assert isinstance(verdict, Verdict) and (verdict.usable or verdict.reasons), name
            for reason in () if verdict.usable else verdict.reasons:
                assert all((reason.fact, reason.value, reason.rule, reason.source, reason.text)), reason
                assert "\n" not in reason.text
    assert len(asked) == len(OPTIONS)


@every_option
def test_is_usable_somewhere(one: Option, make_facts: Any, own_model: Any) -> None:
    model = own_model() if one.name == "custom" else None
    sparse = GRAPHS["small"].model_copy(
        update={
            "features": GRAPHS["small"].features.model_copy(update={"nonzeros": 100}),
            "position_columns": 2,
        }
    )
    assert any(
        check(facts, make_spec(facts, Pins(chosen), {})).usable
        for facts in (
            make_facts(one, device=2**34, model=model)
            for one in (sparse, GRAPHS["links"], GRAPHS["featureless"], GRAPHS["set"], GRAPHS["types"])
        )
        for chosen in COMBINATIONS
        if chosen[one.slot] == one.name
    )


# Recipes


@pytest.mark.parametrize("sampling", [one.name for one in options(SAMPLING)])
def test_recipes_are_python(sampling: str, make_facts: Any) -> None:
    facts = make_facts(device=2**34)
    for chosen in (one for one in PAIRS if one[SAMPLING] == sampling):
        spec = make_spec(facts, Pins(chosen), {})
        compile("\n".join(option(slot, name).recipe(spec) for slot, name in spec.options.items()), "recipe", "exec")
