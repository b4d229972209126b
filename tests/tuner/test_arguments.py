"""Arguments from Python that are of another kind, or out of bounds, are refused by rule, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from techniques.errors import InputError, OptionError
from techniques.facts import Goal
from tuner import measure, run, tune
from tuner.folder import RunFolder


def test_goals_and_pins_of_another_kind_are_refused() -> None:
    counts = from_counts(1_000, 5_000, 16, 4, directed=False)
    wrong: tuple[Any, ...] = (
        ({"goal": {"optimize": "memory"}}, "must be a planner.Goal, got a dict"),
        ({"fix": ["sampling=neighbor"]}, "fix must be a mapping, got a list"),
    )
    for asked, words in wrong:
        with pytest.raises(OptionError, match=words):
            plan(counts, **asked)
    with pytest.raises(OptionError, match="nodes must be 1 or more, got -5"):
        from_counts(-5, 10, 3, 2, directed=False)


@pytest.mark.parametrize("name", ["target", "grow", "host_memory_bytes", "deadline_seconds", "context_hops"])
def test_a_goal_has_bounds(name: str) -> None:
    asked: dict[str, Any] = {name: -1}
    with pytest.raises(ValueError, match=name):
        Goal(**asked)


def test_budgets_trials_and_epochs_are_positive() -> None:
    wrong: tuple[Any, ...] = (
        (tune, {"budget_seconds": "10m"}, "budget_seconds must be seconds above 0"),
        (tune, {"budget_seconds": -3}, "got -3"),
        (tune, {"trials": 0}, "trials must be a whole number of at least 1, got 0"),
        (measure, {"epochs": 0}, "epochs must be"),
        (run, {"epochs": -1}, "epochs must be"),
    )
    for call, asked, words in wrong:
        with pytest.raises(OptionError, match=words):
            call("nowhere.npz", **asked)


def test_a_training_by_a_plan_alone_is_no_search(tmp_path: Path) -> None:
    for name in ("run.lock", "plan.json"):
        (tmp_path / name).touch()
    for look in (RunFolder.existing, run):
        with pytest.raises(InputError, match="a training without a search"):
            look(tmp_path)
