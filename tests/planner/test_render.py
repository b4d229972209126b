"""A plan as text: complete, true to the record, and never wider than the screen."""

from __future__ import annotations

from typing import Any

import pytest

from planner.api import make_plan, plan
from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.ranges import range_bytes, range_seconds
from planner.records import Plan
from planner.render import SHOWN_REFUSED, graph_notes, machine_line, plan_text, table, wrap
from techniques.base import Slot
from techniques.facts import Origin

SCENES: dict[str, tuple[tuple[int, ...], dict[str, Any], Pins]] = {
    "cpu": ((10_000, 50_000, 64, 5), {}, Pins()),
    "gpu": ((2_400_000, 61_900_000, 100, 47), {"device": 2**34, "host": 12 * 10**9}, Pins()),
    "nothing fits": ((5_000_000, 100_000_000, 300, 40), {"host": 10**9}, Pins()),
    "nothing can": ((1000, 5000, 8, 2), {}, Pins({Slot.HARDWARE: "cuda"})),
    "changes": ((200_000, 2_000_000, 4000, 10), {"host": 4 * 10**9}, Pins()),
    "no features": ((10_000, 50_000, 0, 5), {"grow": 10.0}, Pins()),
}


@pytest.fixture(scope="module", params=SCENES)
def made(request: Any, make_facts: Any) -> Plan:
    graph, facts, pins = SCENES[request.param]
    return make_plan(make_facts(graph, **facts), pins)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_screen(made: Plan, width: int) -> None:
    for line in plan_text(made, width).splitlines():
        longest_word = max((len(word) for word in line.split()), default=0)
        assert len(line) <= width or longest_word > width - 12, line
        assert line == line.rstrip()


def test_the_width_changes_nothing_but_the_breaks(made: Plan) -> None:
    def words(width: int) -> list[str]:
        return [word for word in plan_text(made, width).split() if word.strip("-")]

    assert words(80) == words(200)


def test_the_table_is_not_broken_at_a_hundred_columns(made: Plan) -> None:
    if made.best is None:
        return
    lines = plan_text(made, 100).splitlines()
    head = next(index for index, line in enumerate(lines) if "candidate" in line and "host memory" in line)
    assert "to converge" in lines[head]
    assert lines[head + 2].startswith("best") and made.best.name in lines[head + 2]
    assert lines[head + 3].startswith(("alt 1", "default"))


def test_the_verdict_comes_within_the_first_screen(made: Plan) -> None:
    lines = plan_text(made, 100).splitlines()
    headline = next(line for line in lines[:8] if line.startswith(("FITS", "DOES NOT FIT", "CANNOT BE USED")))
    unusable = made.best is None and made.nearest is None
    assert headline.startswith("CANNOT BE USED" if unusable else made.verdict.value.replace("_", " ").upper())


def test_everything_that_matters_is_said(made: Plan) -> None:
    text = " ".join(plan_text(made, 10_000).split())
    assert made.facts.graph.name in text and f"{made.facts.graph.num_nodes:,}" in text
    assert made.facts.hardware.name in text
    for rule in made.rules:
        assert rule.verdict in text
    for one in made.candidates[:3]:
        assert one.name in text
    if made.best is not None:
        for reason in made.best.reasons:
            assert reason.text in text and reason.value in text
    for refused in {one.reason: one for one in made.rejected[:SHOWN_REFUSED]}.values():
        assert refused.reason in text
    if made.nearest is not None:
        assert made.nearest.change in text


def test_every_phase_has_its_budget_and_the_loader_a_line_of_its_own(made: Plan) -> None:
    if made.best is None:
        return
    figures = made.best.forecast
    text = plan_text(made, 10_000).split("Budgets of the best")[1].split("Why the best")[0]
    for phase, one in figures.phases.items():
        line = next(line for line in text.splitlines() if line.split()[:1] == [phase.value])
        assert range_bytes(one.host_peak_bytes) in line and range_seconds(one.seconds) in line
        assert range_bytes(one.device_peak_bytes) in line or not figures.needs_device_bytes
    assert ("loader" in text) == (figures.loader is not None)


def test_refusals_for_one_reason_share_a_line(made: Plan) -> None:
    lines = plan_text(made, 10_000).splitlines()
    if not made.rejected:
        return
    start = lines.index("Refused") + 1
    block = lines[start : lines.index("", start)]
    assert len(block) <= SHOWN_REFUSED + 1
    assert len(set(block)) == len(block)


def test_a_device_column_only_where_a_device_is_used(make_facts: Any) -> None:
    assert "device memory" not in plan_text(make_plan(make_facts(), Pins()), 200).split("Why")[0]
    assert "device memory" in plan_text(make_plan(make_facts(device=2**34), Pins()), 200).split("Why")[0]


def test_a_narrow_screen_has_figures_below_names(make_facts: Any) -> None:
    lines = plan_text(make_plan(make_facts((10_000, 50_000, 64, 5)), Pins()), 70).splitlines()
    start = next(place for place, line in enumerate(lines) if "candidate" in line)
    assert "host memory" in lines[start + 1] and set(lines[start + 2]) == {"-"}
    assert lines[start + 3].startswith("best") and "/" in lines[start + 3]
    assert lines[start + 4].index("MiB") > 0 and lines[start + 4].startswith("    "), (
        "not broken in the middle of a cell"
    )


def test_a_machine_tells_how_many_gpus_it_has() -> None:
    found = plan(from_counts(1000, 5000, 8, 2, directed=False), on="kaggle-2xt4")
    assert "2 x Tesla T4" in machine_line(found) and machine_line(found).endswith(" each")


def test_odd_structure_is_noted(make_facts: Any) -> None:
    graph = make_facts().graph
    assert graph_notes(graph) == list(graph.notes)
    degrees = graph.degrees.model_copy(update={"max": 100_000})
    changed = {"isolated": 3, "self_loops": 2, "origin": Origin.MEASURED, "degrees": degrees}
    odd = graph_notes(graph.model_copy(update=changed))
    assert odd[0] == "3 nodes without edges, 2 self-loops, a node with 100,000 neighbours"


def test_columns_line_up() -> None:
    lines = table(["a", "long head"], [["wide cell", "x"], ["y", "z"]])
    assert lines == ["a          long head", "--------------------", "wide cell  x", "y          z"]


def test_wrapping_indents_what_continues() -> None:
    assert wrap("  one two three four five six seven eight", 30) == [
        "  one two three four five six",
        "      seven eight",
    ]
    assert wrap("short", 80) == ["short"]
    assert wrap("x" * 50, 30) == ["x" * 50], "a word is never broken"
