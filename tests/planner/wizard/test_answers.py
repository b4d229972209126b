"""Answers are command lines, files and nothing else."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.config import parse
from planner.wizard.answers import Answers, command_text, from_toml, plan_arguments, problems, toml_text, tune_arguments
from tuner.cli import parser

FULL = Answers(
    graph="g.npz",
    task="node",
    model="sage",
    layers="3",
    hidden="64",
    precision="bf16",
    on="colab-t4",
    host_memory="8GiB",
    optimize="memory",
    grow="10x",
    budget="2h",
    trials="7",
    target="0.8",
    out="my run",
    fix=(("sampling", "neighbor"),),
    set=(("fanouts", "15,10,5"), ("batch_size", "512")),
)


def test_the_command_says_what_was_answered_and_nothing_else() -> None:
    assert plan_arguments(Answers(graph="g.npz")) == ["g.npz"]
    assert tune_arguments(Answers(graph="g.npz")) == ["g.npz"], "defaults go without saying"
    counted = Answers(from_counts=True, graph="hidden.npz", nodes="10k", edges="5k", features="4", directed=True)
    assert plan_arguments(counted) == ["--nodes", "10k", "--edges", "5k", "--features", "4", "--directed"]
    assert "--on" in plan_arguments(FULL) and "--on" not in tune_arguments(FULL), "tuning happens here"


def test_the_command_is_one_that_gnnfit_takes() -> None:
    words = shlex.split(command_text("tune", tune_arguments(FULL)))
    found = parse(*parser(), words[1:], {})
    assert (found.out, found.budget, found.trials, found.host_memory) == ("my run", "2h", "7", "8GiB")
    assert found.set == ["layers=3", "hidden=64", "precision=bf16", "fanouts=15,10,5", "batch_size=512"]


def test_a_saved_file_says_to_tune_and_plan_what_the_command_says(tmp_path: Path) -> None:
    file = tmp_path / "saved.toml"
    file.write_text(toml_text(FULL))
    for command, arguments in (("tune", tune_arguments(FULL)), ("plan", plan_arguments(FULL))):
        saved, typed = (vars(parse(*parser(), [command, *words], {})) for words in (["--config", str(file)], arguments))
        saved.pop("config"), typed.pop("config")
        assert {name: value for name, value in saved.items() if name not in ("run", "command_parser")} == {
            name: value for name, value in typed.items() if name not in ("run", "command_parser")
        }


@pytest.mark.parametrize(
    "answers", [FULL, Answers(from_counts=True, nodes="10k", edges="5k", features="4", directed=True)]
)
def test_a_saved_file_is_read_back(answers: Answers) -> None:
    assert from_toml(tomllib.loads(toml_text(answers))) == answers


def test_quotes_and_backslashes_survive() -> None:
    odd = Answers(graph='a "b"\\c.npz', out="x\ty")
    assert from_toml(tomllib.loads(toml_text(odd))) == odd


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes", "2.4X"),
        ("host_memory", "lots"),
        ("budget", "soon"),
        ("trials", "0"),
        ("grow", "0.5x"),
        ("context_hops", "x"),
        ("target", "90"),
    ],
)
def test_what_cannot_be_used_is_named_with_a_remedy(name: str, text: str) -> None:
    changed: dict[str, Any] = {name: text}
    answers = replace(Answers(from_counts=True, nodes="5", edges="5", features="5"), **changed)
    assert text in problems(answers)[name] and "Write it like" in problems(answers)[name]
    assert problems(Answers(graph="g", nodes="2.4X")) == {}, "counts that are hidden do not matter"


def test_pins_of_the_models_fields_stand_in_the_fields() -> None:
    pinned = Answers(graph="g").pinned(hidden="32", batch_size="64")
    assert (pinned.hidden, pinned.set) == ("32", (("batch_size", "64"),))
    assert pinned.pinned(batch_size="").set == ()
