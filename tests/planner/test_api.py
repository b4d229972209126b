"""``plan`` from every kind of graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner import Goal, Verdict, plan
from planner.inspect.estimate import from_counts
from planner.proposal import BASELINE_NAME
from techniques.base import Slot
from techniques.errors import GraphError, InputError, OptionError
from techniques.facts import ModelFacts, Objective
from techniques.forecast import Level

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
GRAPHS = sorted(path.name for path in DATA.glob("*.npz")) or ["absent"]
COUNTS = from_counts(10_000, 50_000, 64, 5, directed=False)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_shared_graph_has_a_plan(name: str, make_machine: Any) -> None:
    if not (DATA / name).is_file():
        pytest.skip(f"no shared data in {DATA}")
    found = plan(str(DATA / name), on=make_machine())
    assert found.verdict is not Verdict.DOES_NOT_FIT and found.best is not None
    assert found.best.forecast.level is Level.GRAPH
    assert found.baseline is not None and found.baseline.name == BASELINE_NAME
    assert found.facts.graph.num_nodes > 0 and found.facts.graph.source == str(DATA / name)
    assert json.loads(found.model_dump_json())["verdict"] == found.verdict.value
    assert found.best.name in str(found)
    assert len({one.name for one in found.candidates}) == len(found.candidates)
    if found.facts.graph.heterogeneous:
        assert found.best.warnings


@pytest.mark.parametrize("name", [name for name in GRAPHS if name.startswith(("cora", "karate", "absent"))])
def test_a_graph_at_hand_is_forecast_from_drawn_batches(name: str, make_machine: Any) -> None:
    if not (DATA / name).is_file():
        pytest.skip(f"no shared data in {DATA}")
    found = plan(str(DATA / name), on=make_machine(), fix={"sampling": "neighbor"})
    assert found.best is not None
    assert found.best.forecast.input_nodes_per_step <= found.facts.graph.num_nodes
    assert found.best.forecast.input_edges_per_step <= found.facts.graph.num_edges


def test_counts_alone() -> None:
    found = plan(COUNTS, on="colab-t4")
    assert found.best is not None
    assert found.best.forecast.level is Level.COUNTS
    assert found.facts.hardware.name == "colab-t4"
    assert found.inspect_seconds >= 0 and found.planning_seconds > 0 and found.compile_seconds >= 0


def test_the_machine_at_hand_is_the_default() -> None:
    assert plan(COUNTS).facts.hardware.name == "this machine"


def test_objects_in_memory() -> None:
    import torch
    from torch_geometric.data import Data

    edges = torch.randint(0, 50, (2, 300))
    data = Data(x=torch.randn(50, 4), edge_index=edges, y=torch.arange(50) % 3)
    found = plan(data, on="laptop-16gb")
    assert found.best is not None
    assert (found.facts.graph.num_nodes, found.facts.graph.num_edges) == (50, 300)
    assert found.facts.graph.labels.num_classes == 3


def test_catalog_graphs_too_large_to_generate_are_planned_from_their_counts() -> None:
    found = plan("like:ogbn-papers100m", on="a100-80gb")
    assert found.facts.graph.num_nodes > 10**8
    assert found.facts.graph.origin.value == "estimated"


@pytest.mark.parametrize("architecture", ["gcn", "sage", "gat", "gin"])
def test_a_named_model_is_the_only_one(architecture: str) -> None:
    found = plan(COUNTS, on="laptop-16gb", model=architecture)
    assert {one.options[Slot.ARCHITECTURE] for one in found.candidates} == {architecture}


def test_model_facts_set_depth_and_width() -> None:
    found = plan(COUNTS, on="laptop-16gb", model=ModelFacts(architecture="sage", layers=3, hidden=48))
    assert found.best is not None
    assert (found.best.settings["layers"], found.best.settings["hidden"]) == (3, 48)


def test_pins_reach_every_candidate() -> None:
    found = plan(COUNTS, on="colab-t4", fix={"sampling": "neighbor"}, set={"batch_size": 99, "dropout": 0.1})
    for one in found.candidates:
        assert one.options[Slot.SAMPLING] == "neighbor"
        assert one.settings["batch_size"] == 99 and one.training.dropout == 0.1


def test_the_goal_is_kept() -> None:
    goal = Goal(optimize=Objective.MEMORY, host_memory_bytes=8 * 10**9)
    found = plan(COUNTS, on="colab-t4", goal=goal)
    assert found.facts.goal == goal
    assert found.facts.host_limit_bytes == 8 * 10**9


def test_verdicts() -> None:
    assert plan(COUNTS, on="laptop-16gb").verdict is Verdict.FITS
    assert plan(COUNTS, on="laptop-16gb", goal=Goal(host_memory_bytes=1000)).verdict is Verdict.DOES_NOT_FIT
    large = from_counts(2_400_000, 61_900_000, 100, 47, directed=False)
    roomy = plan(large, on="laptop-16gb", goal=Goal(host_memory_bytes=10**12))
    assert roomy.verdict is Verdict.FITS

    def least(sampling: str) -> int:
        found = [one for one in roomy.candidates if one.options[Slot.SAMPLING] == sampling]
        return min(one.forecast.needs_host_bytes for one in found)

    assert least("neighbor") < least("full_batch")
    tight = Goal(host_memory_bytes=least("full_batch") - 1)
    assert plan(large, on="laptop-16gb", goal=tight).verdict is Verdict.FITS_WITH_CHANGES, "sampling is the change"


def test_all_that_fit_fit_and_all_that_do_not_are_refused(make_facts: Any) -> None:
    from planner.costing import fits

    found = plan(from_counts(500_000, 10_000_000, 100, 5, directed=False), on="colab-t4")
    assert found.candidates and found.rejected
    assert all(fits(found.facts, one.forecast) for one in found.candidates)
    for one in found.rejected:
        assert one.needs_bytes is None or (one.has_bytes is not None and one.needs_bytes > one.has_bytes)


BAD_CALLS: dict[str, dict[str, Any]] = {
    "slot": {"fix": {"samplng": "neighbor"}},
    "option": {"fix": {"sampling": "nieghbor"}},
    "knob": {"set": {"batchsize": 3}},
    "machine": {"on": "colab-t5"},
    "model": {"model": "gcnn"},
    "own model": {"model": "mine:factory"},
}


@pytest.mark.parametrize("kind", BAD_CALLS)
def test_bad_calls_are_one_line(kind: str) -> None:
    with pytest.raises(OptionError) as caught:
        plan(COUNTS, **{"on": "colab-t4", **BAD_CALLS[kind]})
    assert "\n" not in str(caught.value) and caught.value.remedy and len(str(caught.value)) < 600


@pytest.mark.parametrize("graph", [None, 3, object(), [1, 2], {"edges": 3}, ""])
def test_what_is_no_graph_is_one_line(graph: Any) -> None:
    with pytest.raises(InputError) as caught:
        plan(graph, on="colab-t4")
    assert isinstance(caught.value, GraphError) and "\n" not in str(caught.value)


def test_planning_for_a_file_looks_at_few_values_without_torch(tmp_path: Path) -> None:
    ring = np.arange(40)
    arrays = {"num_nodes": np.array(40), "edge_index": np.stack([ring, (ring + 1) % 40]), "y": ring % 2}
    np.savez(tmp_path / "ring.npz", x=np.full((40, 3), 1e6, np.float32), **arrays)
    code = f"""
import sys
from planner import plan
found = plan({str(tmp_path / "ring.npz")!r}, fix={{"representation.features": "half"}})
assert found.facts.graph.features.fits_half is False and found.best is None, found
sys.exit("loaded torch" if "torch" in sys.modules else 0)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr


def test_planning_from_counts_imports_nothing_heavy() -> None:
    code = """
import sys
from planner import plan
from planner.inspect.estimate import from_counts
from planner.catalog import machine
found = plan(from_counts(2_400_000, 61_900_000, 100, 47, directed=False), on=machine("colab-t4"))
print(found.model_dump_json(indent=2))
str(found)
heavy = ("torch", "numpy", "optuna", "textual", "rich", "psutil", "numba", "scipy", "torch_geometric", "pandas")
loaded = [name for name in heavy if name in sys.modules]
sys.exit(f"loaded {loaded}" if loaded else 0)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["best"]["name"]
