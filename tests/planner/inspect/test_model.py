"""The model argument."""

from __future__ import annotations

import pytest

from planner.inspect.model import inspect_model
from techniques.errors import OptionError


@pytest.mark.parametrize(
    ("text", "name"), [("gcn", "gcn"), ("GraphSAGE", "sage"), ("sage", "sage"), (" GAT ", "gat"), ("gin", "gin")]
)
def test_built_in_names(text: str, name: str) -> None:
    facts = inspect_model(text, 2, 64)
    assert (facts.architecture, facts.layers, facts.hidden) == (name, 2, 64)


def test_no_name_leaves_the_choice_open() -> None:
    assert inspect_model(None).architecture is None


def test_own_modules_are_looked_at_with_their_graph() -> None:
    with pytest.raises(OptionError, match="together with its graph"):
        inspect_model("mine:build")


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(OptionError, match="Did you mean 'graphsage'"):
        inspect_model("graphsag")
    with pytest.raises(OptionError, match="Use one of gcn, sage, gat, gatv2, gin"):
        inspect_model("transformer")


@pytest.mark.parametrize(("layers", "hidden"), [(0, 64), (2, -1)])
def test_counts_are_positive(layers: int, hidden: int) -> None:
    with pytest.raises(OptionError, match="must be at least 1"):
        inspect_model("gcn", layers, hidden)
