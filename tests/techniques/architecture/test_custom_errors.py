"""The user's own module: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from planner.inspect.own_model import inspect_own_model
from techniques.architecture.user_module import check_output, load_factory
from techniques.errors import OptionError


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("value", "must be callable as factory.* got int"),
        ("nothing", "must return a torch.nn.Module, got NoneType"),
        ("a_class", "must return a torch.nn.Module, got Net"),
        ("fails", "failed at my_gnns.py:[0-9]+ in fails, got ValueError: no good"),
        ("of_types", r"must take x and edge_index, got \(x_dict, edge_index_dict\).*hetero_sage, rgcn and hgt"),
        ("no_edges", r"must take x and edge_index, got \(input\)"),
        ("three_columns", r"must return \[8, 5\], got \[8, 17\]"),
        ("no_argument", "must take the facts, got no argument"),
        ("no_default", "need a default, got none for hidden"),
        ("taken", "batch_size of my_gnns:taken is one of gnnfit's"),
        ("training", "learning_rate of my_gnns:training is one of gnnfit's"),
        ("breaks", "failed at my_gnns.py:[0-9]+ in forward, got RuntimeError: inside"),
        ("a_tuple", "must return a tensor.* got tuple"),
        ("asks", "got colour"),
        ("absent", "must define 'absent', got no such name"),
    ],
)
def test_errors_name_rule_value_and_remedy(name: str, rule: str, looked_at: Any) -> None:
    with pytest.raises(OptionError, match=rule) as caught:
        looked_at(name)
    assert caught.value.remedy


def test_the_module_must_be_there(folder: str) -> None:
    with pytest.raises(OptionError, match="no module named 'no_such_module'"):
        load_factory("no_such_module:build", folder)
    with pytest.raises(OptionError, match="must be a name or module:factory"):
        load_factory("my_gnns:", folder)


@pytest.mark.parametrize("rows", [10, 4])
def test_one_row_per_node_or_per_seed(rows: int) -> None:
    check_output(torch.zeros(rows, 3), nodes=10, seeds=4, columns=3, factory="a:b")
    check_output(torch.zeros(rows, 7), nodes=10, seeds=4, columns=None, factory="a:b")
    for wrong in (torch.zeros(5, 3), torch.zeros(rows, 2), torch.zeros(rows), torch.zeros(rows, 3, 1)):
        with pytest.raises(OptionError, match=r"must return \[10, 3\]"):
            check_output(wrong, nodes=10, seeds=4, columns=3, factory="a:b")


def test_a_child_looks_and_may_not_take_forever(folder: str, make_facts: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    facts = make_facts()
    found = inspect_own_model("my_gnns:build", facts, {"hidden": 16, "fanouts": (5, 5)})
    assert found.architecture == "custom" and found.custom is not None
    assert (
        found.custom.traces[0].values == {"hidden": 16, "deep": False, "kind": "gcn"} and found.custom.folder == folder
    )
    with pytest.raises(OptionError, match="status 3"):
        inspect_own_model("my_gnns:ends", facts, {})
    with pytest.raises(OptionError, match="must take at most 1 s"):
        inspect_own_model("my_gnns:sleeps", facts, {}, seconds=1)
    with pytest.raises(OptionError, match="__main__"):
        inspect_own_model("__main__:build", facts, {})
