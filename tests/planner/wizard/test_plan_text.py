"""Rows of a plan: whole at any width, in units that can be read, refusals that are nearest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.records import Plan
from planner.wizard.plan_text import BYTES, SECONDS, one_unit, row_lines, verdict_lines
from planner.wizard.state import State, plan_rows
from techniques.forecast import Range

PLAN = Plan.model_validate_json((Path(__file__).with_name("goldens") / "plan.json").read_text("utf-8"))


@pytest.mark.parametrize("width", [57, 78, 118])
def test_rows_say_memory_and_time_with_their_units_at_any_width(width: int) -> None:
    lines = row_lines(PLAN, width)
    assert max(map(len, lines)) <= width
    for line, (rank, _) in zip(lines, plan_rows(PLAN), strict=True):
        assert rank == "no" or (" GiB" in line and any(f"{unit} " in f"{line} " for _, unit in SECONDS))


def test_ranges_share_a_unit_that_suits_both_ends() -> None:
    assert one_unit(Range(0.88 * 2**30, 2**30, 1.2 * 2**30), BYTES) == "0.88-1.20 GiB"
    assert one_unit(Range(180, 900, 3852), SECONDS) == "3.00-64.2 min", "0.05-1.07 h says little"
    assert one_unit(Range(0, 0, 0), SECONDS) == "0.00 ms"


@pytest.mark.parametrize(("seconds", "told"), [(0.4, ""), (12.7, " 12 s"), (125.0, " 2 min 5 s")])
def test_planning_has_a_clock(seconds: float, told: str) -> None:
    assert verdict_lines(State(planning=True, planning_seconds=seconds), 80) == [f"Planning ...{told}"]


def test_refusals_for_memory_begin_with_the_nearest() -> None:
    needs = [one.needs_bytes for rank, one in plan_rows(PLAN) if rank == "no"]  # type: ignore[union-attr]
    known = [need for need in needs if need is not None]
    assert len(known) > 1 and known == sorted(known) == needs[: len(known)]
