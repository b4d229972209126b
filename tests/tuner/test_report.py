"""Reports: they fit a terminal, a browser and a program, whatever the graph is called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from planner.api import make_plan
from planner.proposal import BASELINE_NAME, Pins
from tuner.records import PhaseMeasurement, Trial, TrialState, TuneReport, Winner
from tuner.report import final_text, measurement_text, report_html, report_text

HOSTILE = "<script>alert('x')</script> & \"friends\" http://evil.example/x.js"
WIDEST = 200


@pytest.fixture
def report(make_facts: Any, measured: Any) -> Any:
    """``report(graph name)``: a finished run of a dozen trials, some of them failed."""

    def build(graph: str = "cora", count: int = 15) -> TuneReport:
        plan = make_plan(make_facts(), Pins())
        trials = []
        for number in range(1, count + 1):
            candidate = plan.baseline if number % 4 == 0 else plan.candidates[number % len(plan.candidates)]
            failed = number % 5 == 0
            result = (
                measured(state=TrialState.OUT_OF_MEMORY, reason="used 1,000 bytes of host memory, limit 900, in train")
                if failed
                else measured(0.5, 0.7 + number / 100, every=float(number), epoch_seconds=0.5, peak_host_bytes=2**20)
            )
            purpose = "verify" if number > count - 3 else "search"
            family = BASELINE_NAME if number % 4 == 0 else candidate.name
            value = None if failed else float(number)
            trials.append(
                Trial(
                    number=number,
                    purpose=purpose,
                    family=family,
                    spec=candidate.spec,
                    predicted=candidate,
                    measured=result,
                    score=value,
                )
            )
        best = plan.best
        phases = {
            phase: PhaseMeasurement(host_peak_bytes=2**21, device_peak_bytes=0, seconds=1.0)
            for phase in best.forecast.phases
        }
        final = measured(
            0.8,
            reason="stopped by patience",
            test_metric=0.79,
            epochs=31,
            epoch_seconds=0.1,
            flops_per_epoch=3e9,
            peak_host_bytes=2**22,
            convergence_seconds=4.0,
            phases=phases,
        )
        winner = Winner(family=best.name, spec=best.spec, reason="reaches validation 0.800 in 1.2 s")
        last = Trial(number=0, purpose="final", family=best.name, spec=best.spec, predicted=best, measured=final)
        return TuneReport(
            graph=graph,
            metric_name="accuracy",
            budget_seconds=60,
            elapsed_seconds=58.3,
            stopped_by_budget=False,
            target=0.8,
            winner=winner,
            baseline=trials[3],
            final=last,
            trials=tuple(trials),
            subsample={
                "whole_num_nodes": 1000.0,
                "part_num_nodes": 100.0,
                "whole_homophily": 0.81,
                "part_homophily": 0.8,
            },
        )

    return build


def test_the_text_says_what_won_and_fits(report: Any) -> None:
    text = report_text(report())
    lines = text.splitlines()
    assert all(len(line) <= WIDEST for line in lines), max(lines, key=len)
    assert all(line == line.rstrip() for line in lines)
    for part in ("won after 58.3 s", "validation accuracy: 0.800", "peak host memory", "FLOPs per epoch", "0.790"):
        assert part in text
    assert "(+3 more in the run folder)" in text
    assert "searched on a part" in text.lower()


def test_the_html_is_one_page_without_script_or_network(report: Any) -> None:
    page = report_html(report())
    found = _Page()
    found.feed(page)
    found.close()
    assert not found.open
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(found.tags)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", page)
    assert "prefers-color" in page or "background" in page


def test_a_hostile_name_stays_text(report: Any) -> None:
    page = report_html(report(HOSTILE))
    found = _Page()
    found.feed(page)
    assert "script" not in found.tags
    assert not found.open
    assert HOSTILE in "".join(found.text)
    assert not any("evil" in value for value in found.values)


def test_the_json_comes_back(report: Any) -> None:
    before = report(HOSTILE)
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


class _Page(HTMLParser):
    VOID = {"meta", "br", "hr", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.values += [value or "" for _, value in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
