"""Refusals say why; where nothing fits, the one change that is named does make it fit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from planner.api import make_plan, plan
from planner.cli import setting_value
from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.quantities import parse_bytes
from planner.records import Plan, Verdict
from planner.render import unusable
from techniques.base import Slot
from techniques.facts import Facts, Goal

LARGE = (5_000_000, 100_000_000, 300, 40)


def applied(found: Plan, pins: Pins) -> Plan:
    """The plan after the change that it names, as a user would retype it."""
    assert found.nearest is not None
    flags = re.findall(r"--(\S+?)[= ](\S+)", found.nearest.change)
    assert len(flags) == 1, found.nearest.change
    flag, value = flags[0]
    facts, settings = found.facts, dict(pins.settings)
    if flag == "set":
        name, _, text = value.partition("=")
        settings[name] = setting_value(text)
    elif flag == "on":
        from planner.catalog import machine

        facts = facts.model_copy(update={"hardware": machine(value)})
    elif flag in ("host-memory", "device-memory"):
        key = f"{flag.replace('-', '_')}_bytes"
        facts = facts.model_copy(update={"goal": facts.goal.model_copy(update={key: parse_bytes(value)})})
    else:
        pytest.fail(f"unknown flag in {found.nearest.change!r}")
    return make_plan(facts, Pins(pins.options, settings))


UNCOARSENED = {Slot.SAMPLING: "full_batch", Slot.COARSENING: "none"}
ON_A_GPU = {Slot.HARDWARE: "cuda", Slot.ARCHITECTURE: "sage", Slot.COARSENING: "none"}
SCENES: dict[str, tuple[tuple[int, ...], dict[str, Any], Pins]] = {
    "small machine": (LARGE, {"host": 12 * 10**8}, Pins()),
    "pinned full batch": (LARGE, {"host": 12 * 10**9}, Pins(UNCOARSENED)),
    "pinned batch": (
        (300_000, 30_000_000, 400, 10),
        {"host": 15 * 10**8},
        Pins({Slot.SAMPLING: "neighbor", Slot.ARCHITECTURE: "gat"}, {"batch_size": 4096, "hidden": 256}),
    ),
    "pinned deep and wide": (
        (100_000, 3_000_000, 100, 10),
        {"host": 7 * 10**8},
        Pins({**UNCOARSENED, Slot.ARCHITECTURE: "sage"}, {"layers": 4, "hidden": 256}),
    ),
    "small device": (LARGE, {"device": 5 * 10**8}, Pins(ON_A_GPU)),
    "stated limit": (LARGE, {"host": 10**12, "host_memory_bytes": 10**9}, Pins()),
    "stated device limit": (
        LARGE,
        {"host": 10**12, "device": 10**11, "device_memory_bytes": 6 * 10**8},
        Pins(ON_A_GPU),
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_change_that_is_named_fits(scene: str, make_facts: Any) -> None:
    graph, limits, pins = SCENES[scene]
    found = make_plan(make_facts(graph, **limits), pins)
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert found.best is None and found.candidates == ()
    assert found.nearest is not None
    assert found.nearest.needs_bytes > found.nearest.has_bytes
    after = applied(found, pins)
    assert after.best is not None, found.nearest.change
    assert found.nearest.name.split("/")[0] in {one.options[Slot.ARCHITECTURE] for one in after.candidates}


def test_the_nearest_is_the_one_that_misses_by_the_least(make_facts: Any) -> None:
    found = make_plan(make_facts(LARGE, host=10**9), Pins())
    assert found.nearest is not None
    ratios = {
        one.name: one.needs_bytes / one.has_bytes
        for one in found.rejected
        if one.needs_bytes is not None and one.has_bytes is not None
    }
    assert ratios[found.nearest.name] == min(ratios.values())


def test_nothing_is_large_enough(make_facts: Any) -> None:
    found = make_plan(make_facts((10**12, 10**14, 10**4, 10), host=10**9), Pins())
    assert found.nearest is not None
    assert "no machine of the catalog" in found.nearest.change


def test_what_fits_has_no_nearest(make_facts: Any) -> None:
    assert make_plan(make_facts(), Pins()).nearest is None


def test_memory_refusals_say_what_is_needed_and_there(make_facts: Any) -> None:
    found = make_plan(make_facts(LARGE, host=10**9), Pins())
    short = [one for one in found.rejected if one.needs_bytes is not None]
    assert short
    for one in short:
        assert one.has_bytes == 10**9 and one.needs_bytes is not None and one.needs_bytes > one.has_bytes
        assert "host memory" in one.reason and "\n" not in one.reason


def test_device_refusals_are_about_the_device(make_facts: Any) -> None:
    found = make_plan(make_facts(LARGE, device=10**9), Pins({Slot.HARDWARE: "cuda"}))
    assert any("device memory" in one.reason and one.has_bytes == 10**9 for one in found.rejected)


def test_option_refusals_quote_fact_value_and_rule(make_facts: Any) -> None:
    found = make_plan(make_facts(), Pins())
    reason = next(one for one in found.rejected if one.name == "gat/neighbor/csr/cpu")
    assert reason.needs_bytes is None
    assert "architecture gat" in reason.reason


@pytest.mark.parametrize("pins", [{"sampling": "full_batch", "remote.features": "memmap"}, {"hardware": "cuda"}])
def test_pins_that_exclude_each_other_leave_refusals(pins: dict[str, str], make_facts: Any) -> None:
    facts: Facts = make_facts()
    found = plan(facts.graph, on=facts.hardware, fix=pins)
    assert found.verdict is Verdict.DOES_NOT_FIT
    assert found.nearest is None and found.rejected
    text = " ".join(str(found).split())
    assert "CANNOT BE USED: " in text and "DOES NOT FIT" not in text, "memory has nothing to do with it"
    assert unusable(found)[0] in text
    assert all(f"{slot}={name}" in unusable(found)[1] for slot, name in pins.items())


def test_a_refused_goal_is_explained() -> None:
    found = plan(from_counts(10**6, 10**7, 10, 2, directed=False), on="a100-80gb", goal=Goal(grow=100.0))
    assert any("growth 100,000,000 nodes" in one.reason for one in found.rejected)
