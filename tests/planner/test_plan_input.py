"""Bad input of ``gnnfit plan`` as one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techniques.errors import GraphError
from tests.planner.plan_command import COUNTS, ON, refused, run

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


def test_a_graph_without_edges_to_read(graph_file: Path) -> None:
    """Other arrays that are wrong: ``tests/tuner/test_bad_graphs.py``."""
    assert isinstance(refused("plan", saved(graph_file, edge_index=None), *ON), GraphError)


def test_several_splits_side_by_side_are_planned_with_the_first(graph_file: Path, capsys: Any) -> None:
    masks = np.zeros((50, 3), dtype=bool)
    masks[:7, 0] = masks[:20, 1] = True
    assert run("plan", saved(graph_file, train_mask=masks), *ON, "--json") == 0
    assert json.loads(capsys.readouterr().out)["facts"]["graph"]["labels"]["train"] == 7


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    refused("plan", *COUNTS, *ON, "--set", "batch_size=0", "--out", str(tmp_path / "plan.json"))
    refused("plan", *COUNTS, *ON, "--out", str(tmp_path / "no" / "folder" / "plan.json"))
    assert list(tmp_path.iterdir()) == []


def test_errors_do_not_print(capsys: Any) -> None:
    refused("plan", "--nope")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
