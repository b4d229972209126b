"""Reports fit a terminal and a program."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from planner.quantities import format_bytes
from planner.render import machine_line
from techniques.forecast import Phase
from tuner.records import PhaseMeasurement, TrialState, TuneReport
from tuner.report import (
    final_text,
    measurement_text,
    report_text,
    story_text,
)
from tuner.report.compared import unmeasured
from tuner.report.sections import reasons

WIDEST = 200


def test_the_text_says_what_won_and_fits(report: Any) -> None:
    text = report_text(report())
    lines = text.splitlines()
    assert all(len(line) <= WIDEST for line in lines), max(lines, key=len)
    assert all(line == line.rstrip() for line in lines)
    for part in ("won after 58.3 s", "validation accuracy: 0.800", "peak host memory", "FLOPs per epoch", "0.790"):
        assert part in text
    assert "(+3 more in the run folder)" in text


def test_a_finished_run_is_told_as_on_its_page(report: Any, story_of_report: Any) -> None:
    story = story_of_report(report())
    text = story_text(story)
    assert text.startswith(report_text(report()))
    limit = format_bytes(story.plan.facts.host_limit_bytes)
    held = "Held at most 4.00 MiB, baseline of the process included; the limit is"
    shares = ("sample", "transfer", "compute", "evaluate")
    for part in (
        f"{held} {limit}",
        *shares,
        "no other beats in both",
        "Refused",
        "the page lists them",
        machine_line(story.plan),
    ):
        assert part in text
    front = text.split("no other beats in both")[1].split("Refused")[0]
    assert [line.split()[0] for line in front.splitlines()[3:] if line] == ["11"], (
        "all hold as much: the quickest to the target"
    )
    assert all(len(line) <= WIDEST for line in text.splitlines())


def test_a_trial_says_why_it_ended(report: Any, page_of: Any) -> None:
    made = report()
    raced = made.trials[0].measured.model_copy(update={"reason": "stopped by race"})
    made = made.model_copy(update={"trials": (made.trials[0].model_copy(update={"measured": raced}), *made.trials[1:])})
    assert "stopped by race" in report_text(made) and ">stopped by race<" in page_of(made)


def test_figures_of_the_plans_settings_are_not_told_of_others(make_facts: Any) -> None:
    plan = make_plan(make_facts(), Pins())
    best = plan.best
    assert best is not None
    other = best.model_copy(update={"settings": {**best.settings, "hidden": 7}})
    own, others = reasons(plan, best), reasons(plan, other)
    assert any(one.startswith("host memory") for one in own)
    assert others == [one for one in own if not one.startswith(("host memory", "loader", "time to converge"))] != own


@pytest.mark.parametrize(("times", "words"), [(0.5, "below the range"), (1.0, ""), (2.0, "above the range")])
def test_a_phase_outside_its_range_is_marked(times: float, words: str, report: Any, page_of: Any) -> None:
    made = report()
    predicted = made.final.predicted.forecast.phases[Phase.TRAIN].host_peak_bytes
    seen = {0.5: predicted.low, 1.0: predicted.expected, 2.0: predicted.high}[times] * times
    phases = dict.fromkeys(Phase, PhaseMeasurement(host_peak_bytes=round(seen), device_peak_bytes=0, seconds=1.0))
    measured = made.final.measured.model_copy(update={"phases": phases})
    marked = made.model_copy(update={"final": made.final.model_copy(update={"measured": measured})})
    row = next(line for line in report_text(marked).splitlines() if line.startswith("train "))
    assert row.endswith(words or " s")
    assert (f"predicted: {words}" if words else "predicted</span>") in page_of(marked).split("<b>train</b>")[1][:200]


def test_two_verified_trials_of_one_name_are_told_apart(report: Any, page_of: Any) -> None:
    made = report()
    last = made.trials[-2]
    training = last.spec.training.model_copy(update={"learning_rate": 0.0123})
    other = last.model_copy(update={"number": 16, "spec": last.spec.model_copy(update={"training": training})})
    twice = made.model_copy(update={"trials": (*made.trials, other)})
    for shown in (report_text(twice), page_of(twice)):
        assert f"{other.family} (learning rate 0.0123, trial 16)" in shown
        assert f"{last.family} (learning rate 0.01, trial 14)" in shown


def test_a_winner_that_was_not_verified_is_told_beside_those_that_were(report: Any, page_of: Any) -> None:
    made = report()
    first = made.trials[0]
    won = made.winner.model_copy(update={"family": first.family, "spec": first.spec})
    trials = (first, *(one for one in made.trials if one.spec != first.spec))
    made = made.model_copy(update={"winner": won, "trials": trials})
    assert f"  {first.family}, not verified: not reached, best 0.710" in report_text(made)
    assert f"{first.family}, not verified" in page_of(made)


@pytest.mark.parametrize(("scores", "told"), [({}, True), ({"accuracy": 0.0}, False)])
def test_a_quality_of_0_that_nothing_was_validated_for_says_so(
    scores: dict[str, float], told: bool, report: Any
) -> None:
    made = report()
    nothing = made.final.measured.model_copy(update={"metric": 0.0, "validation": scores})
    text = report_text(made.model_copy(update={"final": made.final.model_copy(update={"measured": nothing})}))
    assert ("nothing was there to validate on" in text) is told


def test_the_json_comes_back(report: Any, story_of_report: Any) -> None:
    before = report('<b>"cora" & friends</b>').model_copy(update={"calibration": "2026-02-02"})
    assert story_of_report(before).report() == before
    text = before.model_dump_json()
    document = json.loads(text)
    assert document["schema_version"] == 1
    assert {"winner", "final", "trials", "baseline"} <= set(document)
    assert TuneReport.model_validate_json(text) == before


def test_measurements_without_figures_are_shown_too(report: Any, measured: Any) -> None:
    candidate = report().final.predicted
    text = measurement_text(candidate, measured(state=TrialState.OUT_OF_MEMORY, reason="used 2 bytes, limit 1"))
    assert "out_of_memory (used 2 bytes, limit 1)" in text
    assert "None" not in text
    assert "None" not in final_text(measured(0.5, reason="stopped by time"))


def test_what_has_no_figure_has_a_reason(measured: Any) -> None:
    short = measured(0.5, reason="stopped by epochs", convergence_seconds=None, test={})
    first, second = unmeasured(short)
    assert "stopped by epochs" in first and "--epochs all" in first and "gnnfit run" in second
    assert unmeasured(short.model_copy(update={"test": {"accuracy": 0.5}, "convergence_seconds": 1.0})) == ()
    assert unmeasured(measured(state=TrialState.OUT_OF_MEMORY)) == ()
