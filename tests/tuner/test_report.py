"""Reports: they fit a terminal, a browser and a program, whatever the graph is called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from planner.proposal import BASELINE_NAME
from planner.records import Candidate, Plan
from techniques.forecast import Phase
from tuner.cli import main
from tuner.events import EventLog
from tuner.folder import RunFolder
from tuner.records import PhaseMeasurement, Trial, TrialState, TuneReport, Winner
from tuner.report import (
    RunState,
    Story,
    final_text,
    measurement_text,
    report_page,
    report_text,
    story_of,
    story_text,
    write_page,
)
from tuner.report.compared import unmeasured
from tuner.report.sections import reasons

HOSTILE = "<script>alert('x')</script> & \"friends\" http://evil.example/x.js"
WIDEST = 200


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


def test_the_text_says_what_won_and_fits(report: Any) -> None:
    text = report_text(report())
    lines = text.splitlines()
    assert all(len(line) <= WIDEST for line in lines), max(lines, key=len)
    assert all(line == line.rstrip() for line in lines)
    for part in ("won after 58.3 s", "validation accuracy: 0.800", "peak host memory", "FLOPs per epoch", "0.790"):
        assert part in text
    assert "(+3 more in the run folder)" in text


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


def test_the_html_is_one_page_without_script_or_network(page_of: Any, report: Any) -> None:
    page = page_of(report())
    found = _Page()
    found.feed(page)
    found.close()
    assert not found.open
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(found.tags)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|javascript:", page)
    assert "prefers-color-scheme:dark" in page
    assert 'name="viewport"' in page


SECTIONS = (
    *("What won, and why", "Predicted against measured", "Memory by phase", "Where the time went", "Time and memory"),
    *("History of the search", "Trials", "Refused options", "Environment", "Verified on the whole graph"),
)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_page_tells(title: str, page_of: Any, report: Any) -> None:
    assert f"<h2>{title}</h2>" in page_of(report())


def test_a_part_that_nothing_was_measured_on_is_not_said_to_have_been_searched(page_of: Any, report: Any) -> None:
    plain = report()
    part = plain.trials[0].model_copy(update={"share": 0.1})
    on_part = plain.model_copy(update={"trials": (part, *plain.trials[1:])})
    said = [
        ("Searched on a part" in page_of(one), "Searched on a part" in report_text(one)) for one in (plain, on_part)
    ]
    assert said == [(False, False), (True, True)]


def test_every_picture_says_in_words_what_it_shows(page_of: Any, report: Any) -> None:
    """Pictures are named, or hidden from screen readers because the words beside them say the same."""
    found = _Page()
    found.feed(page_of(report(), subsample={}))
    pictures = [dict(attributes) for tag, attributes in found.all if tag == "svg"]
    assert len(pictures) > 8
    for one in pictures:
        assert one.get("aria-hidden") == "true" or (one["role"], bool(one["aria-label"])) == ("img", True)
    text = " ".join(found.text)
    for words in ("4.00 MiB measured", "inside", "limit 900", "winner", "PyG default"):
        assert words in text


def test_marks_differ_in_shape_not_in_colour_alone(page_of: Any, report: Any) -> None:
    found = _Page()
    found.feed(page_of(report(), subsample={}))
    shapes = {dict(attributes)["class"]: dict(attributes)["d"] for tag, attributes in found.all if tag == "path"}
    assert len(shapes) >= 3
    assert len(set(shapes.values())) == len(shapes)


UNFINISHED = {"winner": None, "final": None, "baseline": None, "target": None}


@pytest.mark.parametrize(
    "state, others, words",
    [
        (RunState.STOPPED, {}, "--resume goes on"),
        (RunState.RUNNING, {}, "still running"),
        (RunState.FAILED, {"reason": "no space left"}, "no space left"),
        (RunState.STOPPED, {"trials": ()}, "no trial has been measured"),
        (RunState.FAILED, {"trials": (), "plan": None, "environment": {}, "reason": "bad"}, "bad"),
    ],
)
def test_an_unfinished_run_says_so(state: RunState, others: Any, words: str, report: Any, story_of_report: Any) -> None:
    story = story_of_report(report(), state=state, **{**UNFINISHED, **others})
    assert words in story_text(story)
    page = report_page(story)
    assert {"running": "Still running", "failed": "Failed", "stopped": "Not finished"}[state.value] in page
    found = _Page()
    found.feed(page)
    assert not found.open
    assert ("History of the search" in page) == bool(story.trials)
    assert Story.model_validate_json(story.model_dump_json()) == story


def test_a_hostile_name_stays_text(page_of: Any, report: Any) -> None:
    page = page_of(report(HOSTILE))
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


def test_what_has_no_figure_has_a_reason(measured: Any) -> None:
    short = measured(0.5, reason="stopped by epochs", convergence_seconds=None, test={})
    first, second = unmeasured(short)
    assert "stopped by epochs" in first and "--epochs all" in first and "gnnfit run" in second
    assert unmeasured(short.model_copy(update={"test": {"accuracy": 0.5}, "convergence_seconds": 1.0})) == ()
    assert unmeasured(measured(state=TrialState.OUT_OF_MEMORY)) == ()


class _Page(HTMLParser):
    VOID = {"meta", "br", "hr", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.all: list[tuple[str, Any]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self.all.append((tag, attributes))
        self.values += [value or "" for _, value in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def begun(tmp_path: Any, make_facts: Any, report: Any) -> Any:
    """A run folder with a plan, two events and a finished trial."""
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": "cora.npz", "budget_seconds": 60.0}, "gnnfit tune cora.npz", resume=False)
    make_plan(make_facts(), Pins()).save(folder.plan)
    log = EventLog(folder.events)
    log.add("started", graph="cora.npz")
    folder.new_trial_folder(1)
    folder.keep_trial(report().trials[0])
    return folder, log


def test_a_run_that_was_killed_is_told_from_its_folder(begun: Any, capsys: Any) -> None:
    folder, _ = begun
    story = story_of(folder)
    assert (story.state, story.graph, len(story.trials)) == (RunState.STOPPED, "cora", 1)
    assert main(["report", str(folder.path)]) == 0
    captured = capsys.readouterr()
    assert "--resume goes on" in captured.out
    assert "report.html" in captured.err
    assert "Not finished" in (folder.path / "report.html").read_text()
    assert main(["report", str(folder.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_a_run_that_failed_or_still_runs_says_so(begun: Any) -> None:
    folder, log = begun
    with folder.locked():
        assert story_of(folder).state is RunState.RUNNING
    log.add("failed", reason="no trial succeeded")
    story = story_of(folder)
    assert (story.state, story.reason) == (RunState.FAILED, "no trial succeeded")
    assert "no trial succeeded" in story_text(story)


def test_a_run_without_a_plan_yet_has_a_page_too(tmp_path: Any) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": "cora.npz"}, "gnnfit tune cora.npz", resume=False)
    assert "Not finished" in write_page(folder).read_text()
