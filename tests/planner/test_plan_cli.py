"""``gnnfit plan`` and ``gnnfit doctor``: what is printed, exit codes, and how flags are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.cli import EXIT_NOTHING_FITS, pairs, setting_value
from planner.records import Plan
from techniques.errors import OptionError
from tests.planner.plan_command import COUNTS, ON, parsed, refused, run


def test_text_is_for_people_and_json_for_programs(capsys: Any) -> None:
    assert run("plan", *COUNTS, *ON) == 0
    text = capsys.readouterr()
    assert "FITS" in text.out and text.err == ""
    assert run("plan", *COUNTS, *ON, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "fits"
    assert document["facts"]["graph"]["num_edges"] == 100_000, "undirected pairs are stored twice"


def test_a_plan_is_written_and_read_back(capsys: Any, tmp_path: Path, graph_file: Path) -> None:
    out = tmp_path / "plan.json"
    assert run("plan", str(graph_file), *ON, "--out", str(out), "--json") == 0
    captured = capsys.readouterr()
    assert str(out) in captured.err, "words go to stderr"
    assert Plan.load(out).to_json() == json.loads(captured.out)


def test_a_recipe_is_the_script_of_the_best_candidate(capsys: Any, tmp_path: Path) -> None:
    from techniques.recipe import recipe

    out = tmp_path / "plan.json"
    assert run("plan", *COUNTS, *ON, "--recipe", "--out", str(out)) == 0
    text, best = capsys.readouterr().out, Plan.load(out).best
    assert best is not None
    assert text == f"# {best.name}\n" + recipe(best.spec, Plan.load(out).facts)
    assert run("plan", *COUNTS, *ON, "--host-memory", "1kB", "--recipe") == EXIT_NOTHING_FITS
    assert "DOES NOT FIT" in capsys.readouterr().out, "nothing fits: there is no recipe, but a reason"
    assert "--recipe" in refused("plan", *COUNTS, *ON, "--recipe", "--json").problem


def test_nothing_fits_is_an_exit_code_and_an_answer(capsys: Any) -> None:
    assert run("plan", *COUNTS, *ON, "--host-memory", "1kB", "--json") == EXIT_NOTHING_FITS == 3
    document = json.loads(capsys.readouterr().out)
    assert document["best"] is None and document["nearest"]["change"]


def test_flags_become_facts() -> None:
    from planner.cli import plan_from

    flags = [*COUNTS, *ON, "--classes", "7", "--directed", "--dataset-bytes", "10GB", "--edge-features", "3"]
    flags += ["--edge-weights"]
    flags += ["--task", "link", "--host-memory", "13GiB", "--device-memory", "8GiB", "--optimize", "memory"]
    flags += ["--grow", "2x", "--context-hops", "2", "--deadline", "2h", "--detail", "local", "--ddp-tried"]
    facts = plan_from(parsed("plan", *flags)).facts
    assert (facts.graph.num_edges, facts.graph.labels.num_classes) == (50_000, 0), "links have no classes"
    assert (facts.graph.dataset_bytes, facts.graph.edge_features) == (10**10, 3)
    assert facts.graph.edge_weighted
    goal = facts.goal
    assert (goal.task, goal.optimize, goal.grow, goal.context_hops) == ("link", "memory", 2.0, 2)
    assert (goal.host_memory_bytes, goal.device_memory_bytes) == (13 * 2**30, 8 * 2**30)
    assert (goal.deadline_seconds, goal.detail, goal.ddp_tried) == (7200.0, "local", True)


def test_fix_and_set(capsys: Any) -> None:
    flags = [
        "--fix",
        "sampling=neighbor",
        "--fix",
        "architecture=gat",
        "--set",
        "batch_size=64",
        "--set",
        "fanouts=3,2",
    ]
    assert run("plan", *COUNTS, *ON, *flags, "--json") == 0
    best = json.loads(capsys.readouterr().out)["best"]
    assert (best["options"]["sampling"], best["options"]["architecture"]) == ("neighbor", "gat")
    assert (best["settings"]["batch_size"], best["settings"]["fanouts"]) == (64, [3, 2])


def test_doctor(capsys: Any) -> None:
    assert run("doctor", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["hardware"]["cores"] >= 1 and document["torch"]
    assert run("doctor") == 0
    text = capsys.readouterr().out
    assert "cores usable" in text and "memory" in text


# Reading flags


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("-1", -1), ("0.1", 0.1), ("1e-3", 0.001), ("true", True), ("False", False), ("adam", "adam"),
     ("15,10,5", (15, 10, 5)), ("15, 10", (15, 10)), ("-1,5", (-1, 5)), ("7,", (7,))],
)  # fmt: skip
def test_setting_values(text: str, value: Any) -> None:
    found = setting_value(text)
    assert found == value and type(found) is type(value)


@given(st.text(max_size=30))
def test_any_text_is_a_setting_or_one_line(text: str) -> None:
    try:
        setting_value(text)
    except OptionError as error:
        assert error.remedy


@given(st.lists(st.text(max_size=20), max_size=3))
def test_any_pairs_are_a_mapping_or_one_line(texts: list[str]) -> None:
    try:
        found = pairs(texts, "--set")
    except OptionError as error:
        assert "--set" in str(error)
    else:
        assert all(found) and all(found.values())


def test_later_pairs_win_and_values_may_hold_equals() -> None:
    assert pairs(["a=1", "a=2", "b = c=d "], "--set") == {"a": "2", "b": "c=d"}
    assert pairs(None, "--set") == {}
