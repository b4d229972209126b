"""``gnnfit plan`` and ``gnnfit doctor``: what is printed, exit codes, and bad input as one clear line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.cli import EXIT_NOTHING_FITS, add_plan, pairs, setting_value
from planner.doctor_cli import add_doctor
from planner.flags import Parser
from planner.records import Plan
from techniques.errors import GnnfitError, GraphError, InputError, OptionError

COUNTS = ["--nodes", "10k", "--edges", "50k", "--features", "64"]
ON = ["--on", "colab-t4"]


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="gnnfit")
    commands = parser.add_subparsers(dest="command", required=True)
    add_plan(commands)
    add_doctor(commands)
    return parser.parse_args(list(arguments))


def run(*arguments: str) -> int:
    found = parsed(*arguments)
    code: int = found.run(found)
    return code


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    file = tmp_path / "graph.npz"
    np.savez(
        file,
        num_nodes=np.array(50),
        edge_index=rng.integers(0, 50, (2, 200)),
        x=rng.normal(size=(50, 4)).astype(np.float32),
        y=np.arange(50) % 3,
    )
    return file


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


# Bad input


def refused(*arguments: str) -> InputError:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    error = caught.value
    assert isinstance(error, GnnfitError) and error.exit_code == 2
    message = str(error)
    assert "\n" not in message and error.problem and error.remedy
    assert len(message) < 900
    return error


BAD_COUNTS = ["-5", "1e99", "abc", "0", "", "2.5", "1/2", "inf", "nan", "١", "9" * 50]


@pytest.mark.parametrize("value", BAD_COUNTS)
@pytest.mark.parametrize("flag", ["--nodes", "--edges", "--features", "--classes", "--context-hops", "--edge-features"])
def test_bad_counts(flag: str, value: str) -> None:
    if (flag, value) == ("--features", "0"):
        return  # none, next test
    error = refused("plan", *COUNTS, *ON, f"{flag}={value}")
    assert flag in error.problem


def test_counts_of_a_graph_without_features(capsys: Any) -> None:
    assert run("plan", "--nodes", "10k", "--edges", "50k", "--features", "0", *ON) == 0
    assert "no features (log-degree and a constant stand in)" in capsys.readouterr().out.replace("\n    ", " ")


@pytest.mark.parametrize("value", ["0", "-1", "0GiB", "lots", "13XB", "", "1e99"])
@pytest.mark.parametrize("flag", ["--host-memory", "--device-memory", "--dataset-bytes"])
def test_bad_sizes(flag: str, value: str) -> None:
    assert flag in refused("plan", *COUNTS, *ON, f"{flag}={value}").problem


BAD_FLAGS: dict[str, tuple[list[str], str]] = {
    "machine": (["--on", "colab-t5"], "colab-t4"),
    "empty machine": (["--on", ""], "machine"),
    "model": (["--model", "gnc"], "gcn"),
    "own model": (["--model", "no_such_module:factory"], "no module named"),
    "option": (["--fix", "sampling=nieghbor"], "full_batch, neighbor"),
    "slot": (["--fix", "smapling=neighbor"], "sampling"),
    "knob": (["--set", "batchsize=3"], "batch_size"),
    "knob value": (["--set", "batch_size=big"], "batch_size"),
    "knob zero": (["--set", "batch_size=0"], "at least 1"),
    "list": (["--set", "fanouts=10,x"], "15,10,5"),
    "list of nothing": (["--set", "fanouts=,"], "15,10,5"),
    "list of fractions": (["--set", "fanouts=1.5,2"], "15,10,5"),
    "training": (["--set", "dropout=2"], "dropout"),
    "no equals": (["--set", "batch_size"], "NAME=VALUE"),
    "no value": (["--fix", "sampling="], "NAME=VALUE"),
    "no name": (["--fix", "=neighbor"], "NAME=VALUE"),
    "objective": (["--optimize", "speed"], "time"),
    "task": (["--task", "nodes"], "did you mean node"),
    "unknown flag": (["--nodse", "3"], "did you mean --nodes"),
    "abbreviation": (["--host", "3GiB"], "--host"),
    "growth": (["--grow", "-3x"], "--grow"),
    "growth of nothing": (["--grow", "x"], "--grow"),
    "shrinking": (["--grow", "0.5"], "--grow"),
    "deadline": (["--deadline", "soon"], "--deadline"),
    "deadline of nothing": (["--deadline", "0"], "--deadline"),
    "detail": (["--detail", "some"], "local"),
}


@pytest.mark.parametrize("kind", BAD_FLAGS)
def test_bad_flags(kind: str) -> None:
    flags, words = BAD_FLAGS[kind]
    assert words in str(refused("plan", *COUNTS, *ON, *flags))


def test_an_unknown_command_is_suggested() -> None:
    assert "did you mean plan" in str(refused("paln"))


@pytest.mark.parametrize("left_out", [0, 2, 4])
def test_missing_counts_are_named(left_out: int) -> None:
    counts = COUNTS[:left_out] + COUNTS[left_out + 2 :]
    assert COUNTS[left_out] in refused("plan", *counts, *ON).problem


def test_no_graph_at_all() -> None:
    assert "GRAPH" in refused("plan", *ON).problem


ABOUT_COUNTS = [
    ["--nodes", "5"],
    ["--classes", "3"],
    ["--directed"],
    ["--dataset-bytes", "10GB"],
    ["--edge-features", "4"],
]


@pytest.mark.parametrize("flags", ABOUT_COUNTS, ids=lambda flags: flags[0])
def test_a_graph_and_counts_exclude_each_other(flags: list[str], graph_file: Path) -> None:
    """Rather than being dropped without a word."""
    error = refused("plan", str(graph_file), *ON, *flags)
    assert "exclude each other" in error.problem and flags[0] in error.problem


BAD_FILES: dict[str, bytes] = {
    "empty.npz": b"",
    "garbage.npz": b"PK\x03\x04 no zip at all",
    "empty.pt": b"",
    "text.csv": b"not,an,edge\nlist,at,all\n",
    "empty.csv": b"",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(BAD_FILES[name])
    error = refused("plan", str(file), *ON)
    assert isinstance(error, GraphError)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_archive(share: float, graph_file: Path) -> None:
    whole = graph_file.read_bytes()
    graph_file.write_bytes(whole[: int(share * len(whole))])
    assert isinstance(refused("plan", str(graph_file), *ON), GraphError)


@pytest.mark.parametrize(
    "name",
    [
        "missing.npz",
        "missing.pt",
        "missing.csv",
        "graph.xyz",
        "no such folder/",
        ":",
        "::",
        "like:nothing",
        "like:cora@0",
        "like:cora@x",
        "pyg:Nothing",
    ],
)
def test_missing_graphs(name: str, tmp_path: Path) -> None:
    refused("plan", name if ":" in name else str(tmp_path / name), *ON)


def test_a_near_miss_is_suggested(graph_file: Path) -> None:
    error = refused("plan", str(graph_file.with_name("grpah.npz")), *ON)
    assert "graph.npz" in error.remedy


def saved(graph_file: Path, **changes: Any) -> str:
    arrays = dict(np.load(graph_file))
    for key, value in changes.items():
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value
    np.savez(graph_file, **arrays)
    return str(graph_file)


BAD_ARRAYS: dict[str, dict[str, Any]] = {
    "out of range": {"edge_index": np.array([[0, 50], [1, 2]])},
    "negative": {"edge_index": np.array([[0, -1], [1, 2]])},
    "float ids": {"edge_index": np.array([[0.0, 1.0], [1.0, 2.0]])},
    "three rows": {"edge_index": np.zeros((3, 4), dtype=np.int64)},
    "no edges": {"edge_index": np.zeros((2, 0), dtype=np.int64)},
    "no nodes": {"num_nodes": np.array(0)},
    "short labels": {"y": np.arange(49) % 2},
    "short features": {"x": np.zeros((49, 4), dtype=np.float32)},
    "one class": {"y": np.zeros(50, dtype=np.int64)},
    "no training nodes": {"train_mask": np.zeros(50, dtype=bool)},
    "no structure": {"edge_index": None},
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_arrays(kind: str, graph_file: Path) -> None:
    assert isinstance(refused("plan", saved(graph_file, **BAD_ARRAYS[kind]), *ON), GraphError)


def test_several_splits_side_by_side_are_planned_with_the_first(graph_file: Path, capsys: Any) -> None:
    masks = np.zeros((50, 3), dtype=bool)
    masks[:7, 0] = masks[:20, 1] = True
    assert run("plan", saved(graph_file, train_mask=masks), *ON, "--json") == 0
    assert json.loads(capsys.readouterr().out)["facts"]["graph"]["labels"]["train"] == 7


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    refused("plan", *COUNTS, *ON, "--set", "batch_size=0", "--out", str(tmp_path / "plan.json"))
    refused("plan", *COUNTS, *ON, "--out", str(tmp_path / "no" / "folder" / "plan.json"))
    assert list(tmp_path.iterdir()) == []


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


def test_errors_do_not_print(capsys: Any) -> None:
    refused("plan", "--nope")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
