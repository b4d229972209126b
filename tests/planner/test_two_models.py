"""One model at a time: a name, a module of one's own, or the architecture that is fixed."""

from __future__ import annotations

import pytest

from planner import plan
from planner.api import make_plan, pins_of
from planner.catalog import machine
from planner.doctor import diagnose
from planner.inspect.estimate import from_counts
from techniques.errors import OptionError
from techniques.facts import Facts, ModelFacts

COUNTS = from_counts(1_000, 5_000, 16, 4, directed=False)


@pytest.mark.parametrize(
    ("model", "fix", "words"),
    [
        ("gcn", {"architecture": "sage"}, "two models"),
        ("mine:build", {"architecture": "sage"}, "two models"),
        (None, {"architecture": "custom"}, "needs a module of your own"),
        (print, {}, "got a builtin_function"),
    ],
)
def test_contradictions_are_errors(model: object, fix: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        plan(COUNTS, model=model, fix=fix)  # type: ignore[arg-type]


def test_they_are_errors_wherever_facts_and_pins_meet() -> None:
    facts = Facts(graph=COUNTS, model=ModelFacts(architecture="gcn"), hardware=machine("colab-t4"))
    for ask in (make_plan, lambda facts, pins: diagnose(facts, "slow-epoch", pins)):
        with pytest.raises(OptionError, match="two models"):
            ask(facts, pins_of({"architecture": "gat"}, None))


def test_saying_it_twice_is_fine() -> None:
    found = plan(COUNTS, model="gcn", fix={"architecture": "gcn"})
    assert found.best is not None and found.best.name.startswith("gcn/")
