"""A saved plan is what a measurement or a run follows: its goal, its model; for the machine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from techniques.base import Slot
from techniques.errors import InputError, OptionError
from techniques.facts import Goal, Objective
from techniques.forecast import Level
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import FolderGraph, spill
from tuner.final import train_winner
from tuner.folder import RunFolder
from tuner.ingest import ingest
from tuner.planning import Wanted, planned
from tuner.records import Winner

LIMIT = 3 * 2**30


@pytest.fixture
def graph(communities: Any, tmp_path: Path) -> FolderGraph:
    return spill(ArrayGraph("communities", communities()), tmp_path / "arrays")


def test_the_goal_of_a_saved_plan_holds(graph: FolderGraph) -> None:
    saved = plan(str(graph.path), goal=Goal(optimize=Objective.MEMORY, host_memory_bytes=LIMIT))
    goal = planned(graph, str(graph.path), Wanted(plan=saved, goal=Goal(target=0.9))).facts.goal
    assert (goal.optimize, goal.host_memory_bytes, goal.target) == (Objective.MEMORY, LIMIT, 0.9)
    quickest = planned(graph, str(graph.path), Wanted(plan=saved, goal=Goal(optimize=Objective.TIME)))
    assert quickest.facts.goal.optimize is Objective.TIME, "a default may be asked for, too"
    lower = planned(graph, str(graph.path), Wanted(plan=saved, goal=Goal(host_memory_bytes=2**20)))
    assert lower.best is None, "limits are judged again"


def test_a_plan_for_another_machine_is_made_again_for_this_one(graph: FolderGraph) -> None:
    there = plan(str(graph.path), on="colab-t4")
    here = planned(graph, str(graph.path), Wanted(plan=there))
    processors = [{one.options[Slot.HARDWARE] for one in made.candidates} for made in (there, here)]
    assert processors == [{"cpu", "cuda"}, {"cpu"}]
    assert any("was for colab-t4" in note for note in here.facts.hardware.notes)
    assert planned(graph, str(graph.path), Wanted(plan=here)).best == here.best


def test_a_plan_from_counts_is_made_again_for_the_graph(graph: FolderGraph) -> None:
    counts = plan(from_counts(2_000_000, 40_000_000, 100, 47, directed=False), fix={"sampling": "neighbor"})
    here = planned(graph, str(graph.path), Wanted(plan=counts))
    assert here.best is not None and here.best.forecast.level is not Level.COUNTS
    assert here.pinned_options == counts.pinned_options


def test_another_model_beside_a_saved_plan_is_refused(graph: FolderGraph) -> None:
    saved = plan(str(graph.path), model="gat")
    assert planned(graph, str(graph.path), Wanted(plan=saved, model="gat")).best == saved.best
    with pytest.raises(OptionError, match="got gin beside it"):
        planned(graph, str(graph.path), Wanted(plan=saved, model="gin"))


def test_arrays_that_are_read_where_they_are_must_be_as_they_were(graph: FolderGraph, tmp_path: Path) -> None:
    run, made = RunFolder(tmp_path / "run"), planned(graph, str(graph.path), Wanted())
    run.path.mkdir()
    made.save(run.plan)
    assert made.best is not None
    run.best.write_text(Winner(family="sage", spec=made.best.spec, reason="best").model_dump_json())
    assert ingest(str(graph.path), run.graph).path == graph.path
    file = Path(graph.path, "edge_index.npy")
    np.save(file, np.load(file)[::-1].copy() % 7)
    with pytest.raises(InputError, match="the graph has changed since the run began"):
        train_winner(run, 1, print)
