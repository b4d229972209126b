"""Flags that are not given: flag > environment > file > default, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.config import parse
from techniques.errors import InputError, OptionError
from tuner.cli import parser

COUNTS = ["--nodes", "10k", "--edges", "50k", "--features", "64"]


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """``config(text)``: a file's path."""

    def write(text: str) -> str:
        file = tmp_path / "gnnfit.toml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def parsed(*arguments: str, **environ: str) -> Any:
    return parse(*parser(), arguments, environ)


def test_nearer_layers_win(config: Any) -> None:
    file = config('graph = "a.npz"\nhost-memory = "1GiB"\noptimize = "memory"\ngrow = 10')
    assert parsed("tune", "--config", file).host_memory == "1GiB"
    assert parsed("tune", "--config", file, GNNFIT_HOST_MEMORY="2GiB").host_memory == "2GiB"
    nearest = parsed("tune", "--config", file, "--host-memory", "3GiB", "--optimize", "time", GNNFIT_HOST_MEMORY="2GiB")
    assert (nearest.host_memory, nearest.optimize, nearest.grow) == ("3GiB", "time", "10"), "a default may be said, too"
    assert parsed("tune", GNNFIT_CONFIG=file).graph == "a.npz"
    assert parsed("tune", "g", GNNFIT_BUDGET="").budget == "10m", "an empty variable is none"


def test_pins_of_all_layers_count(config: Any) -> None:
    file = config('graph = "a"\n[fix]\nsampling = "neighbor"\n[set]\nfanouts = [15, 10]\ntrim = true')
    found = parsed("tune", "--config", file, "--set", "hidden=8", GNNFIT_FIX="architecture=sage")
    assert found.fix == ["sampling=neighbor", "architecture=sage"]
    assert found.set == ["fanouts=15,10", "trim=true", "hidden=8"]


def test_a_table_is_for_its_command(config: Any) -> None:
    file = config('graph = "a"\n[plan]\non = "colab-t4"\n[tune]\nbudget = "2h"\nout = "RUN"')
    plan, tune = parsed("plan", "--config", file), parsed("tune", "--config", file)
    assert (plan.on, plan.out) == ("colab-t4", None)
    assert (tune.on, tune.budget, tune.out) == (None, "2h", "RUN")


def test_a_nearer_graph_hides_counts_and_the_other_way_round(config: Any) -> None:
    counts, graph = config('nodes = "10k"\nedges = "20k"\nfeatures = 4'), "g.npz"
    assert parsed("plan", graph, "--config", counts).nodes is None
    assert parsed("plan", *COUNTS, GNNFIT_GRAPH=graph).graph is None
    assert parsed("plan", "--config", counts, GNNFIT_GRAPH=graph).nodes is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bugdet = '10m'", "Did you mean budget?"),
        ("optimize = 'speed'", "must be one of time, memory, accuracy"),
        ("directed = 'perhaps'", "true or false"),
        ("host-memory = [1]", "one value"),
        ("fix = 'sampling'", "NAME=VALUE"),
        ("[tune]\nfoo = 1", "unknown name 'foo'"),
        ("not toml", "must be TOML"),
    ],
)
def test_what_a_file_may_not_say(config: Any, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told.replace("?", r"\?")):
        parsed("plan", *COUNTS, "--config", config(text))


def test_missing_files_and_bad_variables_are_one_sentence() -> None:
    with pytest.raises(InputError, match=r"--config must be a file that can be read, no\.toml is none"):
        parsed("plan", "--config", "no.toml")
    with pytest.raises(OptionError, match="GNNFIT_TASK must be one of node, link, graph"):
        parsed("plan", *COUNTS, GNNFIT_TASK="nodes")
