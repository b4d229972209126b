"""A symptom leads to checks and to changes that help, with numbers of real forecasts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.api import pins_of
from planner.catalog import machine
from planner.costing import cost, fits
from planner.doctor import Diagnosis, current_spec, diagnose
from planner.doctor_changes import Idea, applied
from planner.doctor_growth import grown
from planner.doctor_text import diagnosis_lines
from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.ranges import range_bytes
from planner.symptoms import Symptom
from techniques.base import Slot
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.forecast import Phase
from tuner.cli import main

PRODUCTS = ["--nodes", "2.4M", "--edges", "61.9M", "--features", "100", "--classes", "47", "--on", "colab-t4"]
FULL_BATCH = {"sampling": "full_batch"}


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts(graph=from_counts(2_400_000, 61_900_000, 100, 47, directed=False), hardware=machine("colab-t4"))


def test_out_of_memory_names_a_change_that_fits(facts: Facts) -> None:
    found = diagnose(facts, "oom-train", pins_of(FULL_BATCH, None))
    assert not found.fits and found.checks[0].state == "look"
    best = found.changes[0]
    assert best.fits and best.flag == "--fix sampling=neighbor" and best.saves > 0.9
    spec = current_spec(facts, pins_of(FULL_BATCH, None))
    sampled = cost(facts, applied(facts, spec, Idea("", "", "", 0, options=((Slot.SAMPLING, "neighbor"),))))
    assert fits(facts, sampled) and sampled.epoch_seconds == best.epoch_seconds, "a real forecast"


@pytest.mark.parametrize("symptom", list(Symptom))
def test_changes_are_ranked_and_every_one_helps_and_texts_fit_the_screen(facts: Facts, symptom: str) -> None:
    found = diagnose(facts, symptom, pins_of(FULL_BATCH, None))
    for width in (60, 80, 200):
        assert max(map(len, diagnosis_lines(found, width))) <= width
    order = [(not one.fits, one.loss) for one in found.changes]
    assert order == sorted(order)
    if symptom.startswith("oom"):
        assert all(one.saves >= 0.03 for one in found.changes)
    assert Diagnosis.model_validate_json(found.model_dump_json()) == found


def test_without_pins_the_defaults_of_pyg_are_looked_at(facts: Facts) -> None:
    assert diagnose(facts, "slow-epoch", Pins()).current == "pyg-default"


def test_where_no_single_change_is_enough_the_plan_is_told(facts: Facts) -> None:
    pinned = pins_of({"sampling": "full_batch", "architecture": "gat"}, {"hidden": 512, "layers": 4})
    found = diagnose(facts, "oom-evaluate", pinned)
    assert found.changes[0].fits


def test_growth_says_until_when_it_fits(facts: Facts) -> None:
    sizes = diagnose(facts, "growth", Pins()).grown
    assert [one.factor for one in sizes] == [2, 5, 10, 100]
    peaks = [one.host_bytes.expected for one in sizes]
    assert peaks == sorted(peaks) and sizes[0].fits and not sizes[-1].fits
    assert sizes[-1].best is None and sizes[-1].changes, "what would hold it is named"


def test_a_grown_graph_is_more_of_the_same(facts: Facts) -> None:
    graph = facts.graph
    later = grown(graph, 10)
    assert (later.num_nodes, later.num_edges) == (10 * graph.num_nodes, 10 * graph.num_edges)
    assert later.mean_degree == graph.mean_degree and later.features.density(later.num_nodes) == pytest.approx(1.0)
    assert sum(later.degrees.histogram) == pytest.approx(later.num_nodes, rel=1e-3)
    assert later.dataset_bytes == 10 * graph.dataset_bytes and later.labels.train == 10 * (graph.labels.train or 0)


def test_a_change_changes_what_it_says_and_nothing_else(facts: Facts) -> None:
    spec = current_spec(facts, Pins())
    changed = applied(facts, spec, Idea("", "", "", 0, settings=(("batch_size", 7),)))
    assert changed.settings == {**spec.settings, "batch_size": 7} and changed.options == spec.options
    other = applied(facts, spec, Idea("", "", "", 0, options=((Slot.REPRESENTATION, "csr"),)))
    assert other.options == {**spec.options, Slot.REPRESENTATION: "csr"} and other.training == spec.training
    assert other.settings == spec.settings, "fan-outs too"


def test_an_idle_gpu_on_a_machine_without_one_is_the_first_thing_said(facts: Facts) -> None:
    here = facts.model_copy(update={"hardware": machine("laptop-16gb")})
    first = diagnose(here, "gpu-idle", Pins()).checks[0]
    assert first.name == "GPU" and first.value == "none in laptop-16gb" and first.state == "look"
    found = diagnose(facts, "gpu-idle", Pins())
    assert any(one.name == "batches" and one.state == "look" for one in found.checks), "PyG's defaults make none ahead"
    assert any(one.flag == "--set prefetch=2" for one in found.changes)


def test_the_headline_is_about_the_phase_of_the_symptom(facts: Facts) -> None:
    pinned = pins_of({"sampling": "full_batch", "representation": "coo"}, None)
    figures = diagnose(facts, "oom-evaluate", pinned).figures
    evaluated, trained = (
        diagnosis_lines(diagnose(facts, symptom, pinned), 500)[1] for symptom in ("oom-evaluate", "oom-train")
    )
    host = figures.baseline_host_bytes + figures.phases[Phase.EVALUATE].host_peak_bytes
    assert f"host memory to evaluate {range_bytes(host)}" in evaluated and "DOES NOT FIT" in trained
    assert range_bytes(figures.phases[Phase.TRAIN].device_peak_bytes) in trained


def test_the_command_prints_text_and_json(capsys: Any) -> None:
    assert main(["doctor", *PRODUCTS, "--symptom", "oom-train", "--fix", "sampling=full_batch"]) == 0
    text = capsys.readouterr().out
    assert "DOES NOT FIT" in text and "1. --fix sampling=neighbor  (fits" in text
    assert main(["doctor", *PRODUCTS, "--symptom", "oom-train", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["symptom"] == "oom-train" and document["schema_version"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--symptom", "oom-train"], "needs a GRAPH"),
        (PRODUCTS, "Add --symptom, one of oom-train"),
        (["--on", "colab-t4"], "got --on beside it"),
        ([*PRODUCTS, "--symptom", "oom"], "invalid choice"),
        ([*PRODUCTS, "--symptom", "slow-epoch", "--fix", "sampling=rows"], "cannot be used"),
    ],
)
def test_what_is_missing_is_said(capsys: Any, arguments: list[str], told: str) -> None:
    assert main(["doctor", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_it_leaves_a_calibration_out_where_it_shall(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("planner.api._hardware_facts", lambda on, calibration: asked.append(calibration) or machine(on))
    assert main(["doctor", *PRODUCTS, "--symptom", "oom-train", "--no-calibration"]) == 0
    assert asked == [False]


def test_unknown_symptoms_are_refused(facts: Facts) -> None:
    with pytest.raises(OptionError, match="no symptom 'sad'"):
        diagnose(facts, "sad", Pins())
