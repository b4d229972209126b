"""Which parts of a graph a run searches on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.inspect.opened import profiled
from planner.records import Plan
from techniques.remote.source.arrays import ArrayGraph
from tuner.ingest import ingest
from tuner.metric_names import metric_of
from tuner.parts import TRIALS_TO_CONVERGE, ladder, part_of, parts_of
from tuner.planning import Wanted, planned


@pytest.fixture
def run(communities: Any, tmp_path: Path) -> tuple[Any, Plan]:
    file = tmp_path / "graph.npz"
    np.savez(file, **communities(nodes=900))
    stored = ingest(str(file), tmp_path / "graph")
    return stored, planned(stored, str(file), Wanted())


def test_a_quick_graph_is_searched_whole(run: Any, tmp_path: Path) -> None:
    stored, plan = run
    converge = plan.best.forecast.seconds_to_converge
    assert parts_of(stored, plan, 1.01 * converge / TRIALS_TO_CONVERGE, tmp_path, lambda kind, **_: None) == []


def test_a_slow_one_on_parts_that_can_still_tell_models_apart(run: Any, tmp_path: Path) -> None:
    """A ninth of 225 validation nodes is too few."""
    stored, plan = run
    told: list[Any] = []
    seconds = 0.9 * plan.best.forecast.seconds_to_converge / TRIALS_TO_CONVERGE
    parts = parts_of(stored, plan, seconds, tmp_path, lambda kind, **values: told.append((kind, values)))
    assert [part.share for part in parts] == [1 / 3]
    assert parts[0].facts.graph.num_nodes == 300
    assert parts[0].facts.graph.labels.num_classes == plan.facts.graph.labels.num_classes
    assert [kind for kind, _ in told] == ["part_left_out", "subsample"]
    assert "50 to validate on" in told[0][1]["reason"]
    assert {"share", "whole_homophily", "part_homophily", "part_degree_distance", "part_class_distance"} <= set(
        told[1][1]
    )


def test_a_part_knows_the_classes_of_the_whole(communities: Any, tmp_path: Path, run: Any) -> None:
    """Models of a part and of the whole have the same last layer, whatever classes the part holds."""
    _, plan = run
    arrays = communities(nodes=900)
    arrays["y"] = np.where(np.arange(900) < 895, arrays["y"], 7)
    facts = plan.facts.model_copy(
        update={
            "graph": plan.facts.graph.model_copy(
                update={"labels": plan.facts.graph.labels.model_copy(update={"num_classes": 8})}
            )
        }
    )
    part = part_of(ArrayGraph("rare", arrays), facts, 1 / 9, tmp_path / "part")
    assert part.facts.graph.labels.num_classes == 8


def test_a_part_is_judged_by_the_metric_of_the_whole(communities: Any, tmp_path: Path, run: Any) -> None:
    """Three quarters of the whole are of one class, fewer of what has edges: a part of that alone would count hits."""
    _, plan = run
    arrays = communities(nodes=900, classes=2)
    arrays["y"] = (np.arange(900) % 4 == 0).astype(np.int64)
    whole = ArrayGraph("dominated", arrays)
    facts = plan.facts.model_copy(update={"graph": profiled(whole, None, None, True)})
    assert metric_of(facts) == "auroc"
    fewer = dict(arrays, y=np.where(np.arange(900) % 12 == 2, 1, arrays["y"]))
    part = part_of(ArrayGraph("dominated", fewer), facts, 1 / 3, tmp_path / "part")
    assert (metric_of(part.facts), part.lacks) == ("auroc", None)


def test_a_part_with_nothing_to_rank_is_left_out_and_says_why(communities: Any, tmp_path: Path, run: Any) -> None:
    """One of 225 validation nodes is of the rarer class, and no neighbour of anyone."""
    _, plan = run
    arrays = communities(nodes=900, classes=2)
    last = int(np.flatnonzero(arrays["val_mask"])[-1])
    arrays["y"] = (np.arange(900) % 5 == 0) & ~arrays["val_mask"] | (np.arange(900) == last)
    arrays["y"] = arrays["y"].astype(np.int64)
    whole = ArrayGraph("rare", arrays)
    facts = plan.facts.model_copy(update={"graph": profiled(whole, None, None, True)})
    assert (metric_of(facts), facts.graph.labels.val_classes) == ("auroc", 2)
    slow = plan.model_copy(update={"facts": facts})
    told: list[Any] = []
    assert parts_of(whole, slow, 1e-9, tmp_path, lambda kind, **values: told.append((kind, values))) == []
    assert [(kind, values["share"]) for kind, values in told] == [("part_left_out", 1 / 9), ("part_left_out", 1 / 3)]
    assert "both classes" in told[1][1]["reason"]


def test_rungs_are_parts_of_the_graph() -> None:
    assert [(one.share, one.seconds) for one in ladder(9.0)] == [(1.0, 9.0)]
    assert [(one.share, one.seconds) for one in ladder(9.0, [1 / 3, 1 / 90])] == [
        (1 / 90, 0.5),
        (1 / 3, 3.0),
        (1.0, 9.0),
    ]
