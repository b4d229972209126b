"""Hierarchies that users give: both file forms, what belongs to a level, and clear refusals of what makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techniques.coarsening.hierarchy import checked_hierarchy, read_hierarchy, split_name
from techniques.errors import InputError

LEVELS = {"country": [0, 0, 0, 0, 0], "state": [0, 0, 1, 1, -1], "city": [-1, 0, -1, 2, -1]}
TEXT = "id,country,state,city\n0,at,tyrol,\n1,at,tyrol,innsbruck\n2,at,styria,-1\n3,at,styria,graz\n4,at,,\n"


def written(folder: Path, name: str = "h.npz", **levels: Any) -> str:
    np.savez(folder / name, **{key: np.array(value) for key, value in (levels or LEVELS).items()})
    return str(folder / name)


@pytest.fixture(params=["npz", "csv"])
def file(request: Any, tmp_path: Path) -> str:
    if request.param == "npz":
        return written(tmp_path)
    (tmp_path / "h.csv").write_text(TEXT, encoding="utf-8")
    return str(tmp_path / "h.csv")


def test_a_node_belongs_to_its_finest_level(file: str) -> None:
    found = read_hierarchy(file)
    assert found.names == ("country", "state", "city") and found.middle == "state"
    assert found.counts() == {"country": 1, "state": 2, "city": 2}
    own = found.own("state")
    assert (own[[1, 3, 4]] == -1).all(), "cities and what is in no state are others'"
    assert own[0] >= 0 and own[2] >= 0 and own[0] != own[2]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    import os

    name = written(tmp_path)
    read_hierarchy(name)
    written(tmp_path, country=[0, 0], state=[0, -1])
    os.utime(name, ns=(1, 1))
    assert read_hierarchy(name).num_nodes == 2


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"country": [0, 0]}, "two levels or more"),
        ({"country": [0, 0], "state": [0, 0, 0]}, "one id per node"),
        ({"country": [0, 1], "state": [3, 3]}, "must lie in one country"),
        ({"country": [0, -1], "state": [0, 1]}, "has a state but no country"),
        ({"country": [0.5, 1.5], "state": [0, 1]}, "whole numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_rule(levels: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_hierarchy(written(tmp_path, **levels))


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "name and a value"), ("a,b\n1\n", "line 2 has 1"), ("a,a\n1,2\n", "header"), ("a\n1\n", "two levels")],
)
def test_damaged_tables_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_hierarchy(str(tmp_path / "h.csv"))


def test_a_missing_file_another_graph_and_an_unknown_level_are_refused(file: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a file"):
        read_hierarchy(str(tmp_path / "none.npz"))
    (tmp_path / "bad.npz").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match="readable"):
        read_hierarchy(str(tmp_path / "bad.npz"))
    with pytest.raises(InputError, match="one row per node"):
        checked_hierarchy(file, 6)
    with pytest.raises(InputError, match="no level 'town'"):
        read_hierarchy(file).own("town")


def test_a_level_without_nodes_of_its_own_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path, country=[0, 0], state=[0, 1], city=[0, 1])
    with pytest.raises(InputError, match="nodes of its own"):
        read_hierarchy(name).own("state")


def test_a_level_is_named_after_a_colon(file: str) -> None:
    assert split_name(f"{file}:city") == (str(Path(file).resolve()), "city")
    assert split_name(file) == (str(Path(file).resolve()), None)
