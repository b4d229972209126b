"""plan.json: what is written is what is read, and damage is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.api import make_plan
from planner.convergence import convergence_seconds
from planner.pins import Pins
from planner.records import SCHEMA_VERSION, Plan
from techniques.base import Slot
from techniques.errors import InputError
from techniques.forecast import Range

PINS = Pins({Slot.SAMPLING: "neighbor"}, {"fanouts": (4, 3), "trim": False, "learning_rate": 0.003})


@pytest.fixture
def made(make_facts: Any) -> Plan:
    return make_plan(make_facts(device=2**34), PINS)


def test_a_plan_survives_the_trip(made: Plan, tmp_path: Path) -> None:
    made.save(tmp_path / "plan.json")
    back = Plan.load(tmp_path / "plan.json")
    assert back == made
    assert back.best is not None and made.best is not None
    assert back.best.settings["fanouts"] == (4, 3) and back.best.settings["trim"] is False
    assert back.best.spec == made.best.spec
    assert [one.name for one in back.candidates] == [one.name for one in made.candidates]
    assert str(back) == str(made)


def test_a_plan_where_nothing_fits_survives_too(make_facts: Any, tmp_path: Path) -> None:
    made = make_plan(make_facts(host=10), Pins())
    made.save(str(tmp_path / "plan.json"))
    assert Plan.load(str(tmp_path / "plan.json")) == made


def test_the_document_has_the_public_shape(made: Plan) -> None:
    document = json.loads(made.model_dump_json())
    assert document == made.to_json()
    assert {"schema_version", "facts", "rules", "verdict", "best", "alternatives", "rejected"} <= set(document)
    best = document["best"]
    assert set(best) == {"name", "options", "settings", "training", "forecast", "reasons", "warnings"}
    figures = {"peak_host_bytes", "peak_device_bytes", "epoch_seconds", "flops_per_epoch"}
    assert {"level", "peak_phase", "phases", *figures} <= set(best["forecast"])
    for name in figures:
        assert set(best["forecast"][name]) == {"low", "expected", "high"}
    assert set(best["forecast"]["phases"]) == {"load", "prepare", "train", "evaluate"}
    assert set(best["reasons"][0]) == {"fact", "value", "rule", "source", "text"}
    assert {"name", "options", "reason", "needs_bytes", "has_bytes"} == set(document["rejected"][0])
    assert "remote.features" in best["options"]


def test_saving_is_all_or_nothing(made: Plan, tmp_path: Path) -> None:
    made.save(tmp_path / "plan.json")
    made.save(tmp_path / "plan.json")
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("where", ["no/such/folder/plan.json", "."])
def test_a_place_that_cannot_be_written_is_one_line(where: str, made: Plan, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        made.save(tmp_path / where)
    assert "\n" not in str(caught.value) and caught.value.remedy
    assert list(tmp_path.iterdir()) == [], "nothing written"


DAMAGED = {
    "empty": "",
    "no json": "candidate: best",
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "another document": '{"schema_version": 1}',
    "deep": "[" * 100_000,
    "not text": "\x00\x01",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_one_line(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(DAMAGED[kind], encoding="utf-8")
    one_line(file)


def one_line(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        Plan.load(file)
    message = str(caught.value)
    assert "\n" not in message and str(file) in message and caught.value.remedy
    assert len(message) < 500
    return message


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(b"\xff\xfe\x80" * 10)
    one_line(file)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_plan_is_one_line(share: float, made: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    made.save(file)
    text = file.read_text()
    file.write_text(text[: int(share * len(text))])
    one_line(file)


@pytest.mark.parametrize("missing", ["none.json", "."])
def test_no_file_is_one_line(missing: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a plan must be a file"):
        Plan.load(tmp_path / missing)


def edited(made: Plan, tmp_path: Path, change: Any) -> Path:
    document = json.loads(made.model_dump_json())
    change(document)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "one", None])
def test_another_schema_is_refused(version: Any, made: Plan, tmp_path: Path) -> None:
    file = edited(made, tmp_path, lambda document: document.update(schema_version=version))
    assert "schema" in one_line(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(surprise=1),
        lambda document: document["best"].update(forecast=None),
        lambda document: document["best"]["options"].update(sauna="hot"),
        lambda document: document["best"]["forecast"]["peak_host_bytes"].pop("low"),
        lambda document: document["facts"]["graph"].update(num_nodes="many"),
        lambda document: document["best"]["training"].update(dropout=7),
    ],
)
def test_an_edited_plan_is_validated(change: Any, made: Plan, tmp_path: Path) -> None:
    one_line(edited(made, tmp_path, change))


def test_plans_are_frozen(made: Plan) -> None:
    with pytest.raises(ValueError, match="frozen"):
        made.best = None  # type: ignore[misc]


def test_notebooks_get_escaped_text(made: Plan) -> None:
    html = made._repr_html_()
    assert html.startswith("<pre>") and html.endswith("</pre>")
    assert (
        "<script>"
        not in made.model_copy(
            update={
                "facts": made.facts.model_copy(
                    update={"graph": made.facts.graph.model_copy(update={"name": "<script>"})}
                )
            }
        )._repr_html_()
    )


def test_time_to_converge_counts_evaluations_and_is_no_wider_than_both_ranges() -> None:
    found = convergence_seconds(Range(50, 100, 200), Range(0.5, 1.0, 2.0), Range.exact(0.5))
    assert found.expected == 150.0
    assert 25.0 < found.low < found.expected < found.high < 600.0
    exact = convergence_seconds(Range.exact(10), Range.exact(2.0), Range.exact(0.0))
    assert (exact.low, exact.high) == pytest.approx((20.0, 20.0))


def test_slow_evaluations_are_made_less_often() -> None:
    found = convergence_seconds(Range.exact(100), Range.exact(1.0), Range.exact(5.0))
    assert found.expected == pytest.approx(200.0)
