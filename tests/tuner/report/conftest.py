"""A finished run of a dozen trials, its story and its page."""

from __future__ import annotations

from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, Plan
from tuner.records import PhaseMeasurement, Trial, TrialState, TuneReport, Winner
from tuner.report import (
    RunState,
    Story,
    report_page,
)


@pytest.fixture
def report(make_facts: Any, measured: Any) -> Any:
    """``report(graph name)``: a finished run of a dozen trials, some of them failed."""

    def build(graph: str = "cora", count: int = 15) -> TuneReport:
        plan = make_plan(make_facts(), Pins())
        trials = tuple(_trial(plan, number, count, measured) for number in range(1, count + 1))
        best, final = plan.best, _final(plan.best, measured)
        subsample = {"whole_num_nodes": 1e3, "part_num_nodes": 100.0, "whole_homophily": 0.81, "part_homophily": 0.8}
        return TuneReport(
            graph=graph,
            metric_name="accuracy",
            budget_seconds=60,
            elapsed_seconds=58.3,
            stopped_by_budget=False,
            target=0.8,
            winner=Winner(family=best.name, spec=best.spec, reason="reaches validation 0.800 in 1.2 s"),
            baseline=trials[3],
            final=Trial(number=0, purpose="final", family=best.name, spec=best.spec, predicted=best, measured=final),
            trials=trials,
            subsample=subsample,
        )

    return build


def _trial(plan: Plan, number: int, count: int, measured: Any) -> Trial:
    """Every fourth is the baseline, every fifth fails, the last three verify."""
    candidate = plan.baseline if number % 4 == 0 else plan.candidates[number % len(plan.candidates)]
    failed = number % 5 == 0
    result = (
        measured(state=TrialState.OUT_OF_MEMORY, reason="used 1,000 bytes of host memory, limit 900, in train")
        if failed
        else measured(0.5, 0.7 + number / 100, every=float(number), epoch_seconds=0.5, peak_host_bytes=2**20)
    )
    return Trial(
        number=number,
        purpose="verify" if number > count - 3 else "search",
        family=BASELINE_NAME if number % 4 == 0 else candidate.name,
        spec=candidate.spec,
        predicted=candidate,
        measured=result,
        score=None if failed else float(number),
    )


def _final(best: Candidate, measured: Any) -> Any:
    phase = PhaseMeasurement(host_peak_bytes=2**21, device_peak_bytes=0, seconds=1.0)
    return measured(
        0.8,
        reason="stopped by patience",
        test_metric=0.79,
        epochs=31,
        epoch_seconds=0.1,
        flops_per_epoch=3e9,
        peak_host_bytes=2**22,
        convergence_seconds=4.0,
        phases=dict.fromkeys(best.forecast.phases, phase),
    )


@pytest.fixture
def story_of_report(make_facts: Any) -> Any:
    """A finished run's story, as its folder would tell it."""

    def build(report: TuneReport, **others: Any) -> Story:
        told = {name: getattr(report, name) for name in TuneReport.model_fields if name in Story.model_fields}
        plan = make_plan(make_facts(), Pins())
        environment = {"python": "3.11", "packages": {"torch": "2.13"}}
        values = {"state": RunState.FINISHED, "plan": plan, "environment": environment, **told, **others}
        return Story.model_validate(values)

    return build


@pytest.fixture
def page_of(story_of_report: Any) -> Any:
    """``page_of(report, **others)``: its page."""
    return lambda report, **others: report_page(story_of_report(report, **others))
