"""Exported scripts of sets of graphs: the run's labels, splits and batches, its judgement, and what it learns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, InMemoryDataset

from planner import plan
from planner.inspect.opened import open_any
from techniques.facts import Task
from techniques.remote.graphs import read_graphs
from techniques.remote.read_data import read_data
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import spill
from techniques.sampling.graph_cuts import even_cuts
from tests.exported import give, last_line, scripted, searched, stored_as_npz
from tests.graphs import tiny_set
from tests.recipe_cases import spec_of
from tuner.export import export_run
from tuner.export.plain.even_batches import EvenBatches
from tuner.export.plain.graph_set import graph_set_of, graphs_of
from tuner.export.script import Exported, script_of
from tuner.judge import judge
from tuner.training import train_epoch


def labels_of(kind: str) -> Any:
    """``y`` of 40 graphs, or of fewer."""
    rng = np.random.default_rng(2)
    if kind == "gaps, unknown":
        return np.where(np.arange(40) % 9 == 0, -1, 3 * rng.integers(0, 3, 40))
    if kind == "floats, unknown":
        return np.where(np.arange(40) % 9 == 0, np.nan, rng.integers(0, 3, 40)).astype(np.float64)
    if kind == "targets, unknown":
        return np.where(np.arange(40)[:, None] % 9 == 0, np.nan, rng.normal(size=(40, 2)))
    if kind == "rare":
        return np.append(np.zeros(37, np.int64), [1, 2, 2])
    return rng.integers(0, 2, int(kind))


@pytest.mark.parametrize("masks", [(), ("train_mask",), ("train_mask", "val_mask", "test_mask")], ids=len)
@pytest.mark.parametrize(
    "kind",
    ["classes", "multi", "target", "gaps, unknown", "floats, unknown", "targets, unknown", "rare", "2", "3", "7"],
)
def test_labels_and_splits_are_the_runs(kind: str, masks: tuple[str, ...]) -> None:
    plain = kind in ("classes", "multi", "target")
    y = tiny_set(labels=kind).read("y") if plain else labels_of(kind)
    stored = tiny_set(num_graphs=max(len(y), 8))
    pointer = stored.arrays["graph_ptr"][: len(y) + 1]
    edges = stored.arrays["edge_index"][:, stored.arrays["edge_index"][0] < pointer[-1]]
    arrays = {"num_nodes": np.array(pointer[-1]), "edge_index": edges, "graph_ptr": pointer, "y": y}
    arrays |= {name: np.arange(len(y)) % 3 == place for place, name in enumerate(masks)}
    labels, wanted, scale = read_graphs(ArrayGraph("set", arrays))
    found = graph_set_of(arrays)
    for split, mask in wanted.items():
        assert torch.equal(found[f"{split}_mask"], mask), split
    held = sum(wanted.values()) > 0
    torch.testing.assert_close(found.y[held], (labels if scale is None else scale.restored(labels))[held])


@pytest.mark.parametrize("steps", [1, 4, 30, 50])
def test_batches_are_cut_as_the_runs(steps: int) -> None:
    costs = np.random.default_rng(0).integers(0, 13, 50)
    costs[7] = 200
    batches = EvenBatches(costs.tolist(), steps)
    torch.manual_seed(1)
    found = list(batches)
    torch.manual_seed(1)
    wanted = even_cuts(torch.randperm(50).numpy(), costs, steps)
    assert found == [part.tolist() for part in wanted]


def test_graphs_are_those_of_the_set() -> None:
    stored = tiny_set(undirected=False, edge_columns=2)
    data = graph_set_of({name: stored.read(name) for name in stored.headers})
    graphs = graphs_of(data, torch.arange(40) < 20)
    assert [graph.num_nodes for graph in graphs] == data.ptr[:21].diff().tolist()
    first, last = int(data.ptr[2]), int(data.ptr[3])
    inside = (data.edge_index[0] >= first) & (data.edge_index[0] < last)
    assert torch.equal(graphs[2].edge_index, data.edge_index[:, inside] - first)
    assert torch.equal(graphs[2].edge_attr, data.edge_attr[inside]) and torch.equal(graphs[2].x, data.x[first:last])


@pytest.mark.parametrize(
    ("chosen", "graph", "settings", "slots"),
    [
        (("full_batch", "gin", "csr"), {}, {}, {}),
        (("full_batch", "gcn", "coo"), {"features": "sparse"}, {"norm": "none"}, {"representation_features": "csr"}),
        (("graph_batch", "gcn", "csr"), {"weights": True}, {"pool": "mean"}, {}),
        (("graph_batch", "gat", "coo"), {"labels": "multi", "edge_columns": 2}, {}, {"remote_features": "memmap"}),
        (("dynamic_batch", "sage", "coo"), {"labels": "targets", "features": "none"}, {"pool": "max"}, {}),
        (("dynamic_batch", "gin", "csr"), {"labels": "target"}, {"cost": "edges"}, {"representation_features": "half"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_graphs_are_judged_as_the_run_does(
    chosen: Any, graph: Any, settings: Any, slots: Any, profiled: Any, make_job: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """With the job's weights a script says the same of every split, and loses as much in its next epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    settings = {"layers": 2, "batch_size": 8, "batch_cost": 60, "dropout": 0.0, "max_epochs": 1, **settings}
    stored = tiny_set(**graph)
    facts = profiled(stored)
    spec = spec_of(facts, chosen, settings, **slots)
    job = make_job(facts, stored, spec)
    one = judge(job)
    names = scripted(script_of(Exported(facts, spec, str(tmp_path / "graph"), "t", one.metric, 1, None, None)))
    give(names, list(job.model.parameters()))
    names["model"].load_state_dict({**names["model"].state_dict(), **fresh_statistics(names["model"])})
    for split in ("val", "test"):
        found = names[one.metric](*names["answers"](split))
        assert found == pytest.approx(one.scores(split)[one.metric], abs=1e-5)
    if chosen[0] == "full_batch":
        assert names["epoch"]() == pytest.approx(train_epoch(job)[0], rel=1e-5)
    else:
        assert len(names["loader"]) == len(list(job.batches()))


def test_a_target_that_does_not_vary_is_learnt_beside_one_that_does(
    profiled: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Its deviation is 0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    stored = tiny_set(labels="targets")
    stored.arrays["y"][:, 1] = 2.0
    spill(stored, tmp_path / "graph")
    facts = profiled(stored)
    spec = spec_of(facts, ("graph_batch", "gcn", "coo"), {"max_epochs": 1})
    names = scripted(script_of(Exported(facts, spec, str(tmp_path / "graph"), "t", "R2", 1, None, None)))
    assert np.isfinite(names["best"])


def fresh_statistics(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What batch normalisation knows before the first batch, as the job's does."""
    state = model.state_dict()
    ones = {name: torch.ones_like(one) for name, one in state.items() if name.endswith("running_var")}
    return ones | {name: torch.zeros_like(one) for name, one in state.items() if name.endswith("running_mean")}


@pytest.fixture
def forms(tmp_path: Path, monkeypatch: Any) -> Any:
    """``forms(kind)``: one set in a form."""
    stored = tiny_set(labels="target", edge_columns=2)
    whole = graph_set_of({name: stored.read(name) for name in stored.headers})
    graphs = graphs_of(whole, torch.ones(40, dtype=torch.bool))

    def build(kind: str) -> str:
        file = tmp_path / "set.pt"
        if kind == "list":
            torch.save(graphs, file)
        elif kind == "collated":
            InMemoryDataset.save(graphs, str(file))
        elif kind == "factory":
            torch.save(graphs, file)
            text = f"import torch\n\ndef load():\n    return torch.load({str(file)!r}, weights_only=False)\n"
            (tmp_path / "molecules_of_tests.py").write_text(text)
            monkeypatch.syspath_prepend(tmp_path)
            return "molecules_of_tests:load"
        return str(file)

    return build


@pytest.mark.parametrize("kind", ["list", "collated", "factory"])
def test_every_form_of_a_set_is_read_as_it_was_tuned(kind: str, forms: Any, monkeypatch: Any) -> None:
    graph = forms(kind)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    made = plan(graph, fix={"architecture": "gat"})
    assert made.best is not None and made.facts.task is Task.GRAPH
    text = script_of(Exported(made.facts, made.best.spec, "", "t", "R2", 1, None, None))
    names = scripted(text.partition("torch.set_num_threads")[0])
    found, wanted = names["graph_set_of"](names["read"]()), read_data(graph, task="graph")
    for name in ("x", "y", "ptr", "edge_index", "edge_attr", "train_mask", "val_mask", "test_mask"):
        torch.testing.assert_close(found[name], wanted[name], msg=name)


def test_a_script_of_a_set_reaches_what_the_run_reaches(tmp_path: Path, one_server: None) -> None:
    """Small and large paths and rings."""
    from tuner.api import run

    shapes = [shape(4 + place % 3 + 8 * (place % 2), ring=place % 5 == 0) for place in range(200)]
    file = stored_as_npz(shapes, tmp_path / "shapes.npz")
    made = plan(file, fix={"architecture": "gin", "sampling": "graph_batch"}, set={"max_epochs": 20, "norm": "none"})
    folder = searched(made, file, tmp_path / "run")
    measured = run(folder.path)
    script = export_run(folder, tmp_path / "train.py")
    assert measured.test_metric is not None and measured.test_metric > 0.9
    assert abs(float(last_line(script).split()[-1]) - measured.test_metric) <= 0.05


def shape(size: int, ring: bool) -> Data:
    """A ring or a path, small or large."""
    edges = torch.stack([torch.arange(size), (torch.arange(size) + 1) % size])[:, : size if ring else size - 1]
    both = torch.cat([edges, edges.flip(0)], dim=1)
    return Data(edge_index=both, num_nodes=size, x=torch.ones(size, 1), y=torch.tensor([int(size > 7)]))


def test_a_generated_set_is_read_where_it_was_made(tmp_path: Path, monkeypatch: Any) -> None:
    """A run keeps no copy of its own."""
    graph = "like:proteins@0.02"
    monkeypatch.setattr(sys, "argv", ["train.py"])
    folder = searched(plan(graph, fix={"sampling": "graph_batch"}), graph, tmp_path / "run")
    names = scripted(export_run(folder).read_text().partition("torch.set_num_threads")[0])
    assert names["graph_set_of"](names["read"]()).num_nodes == int(open_any(graph).read("num_nodes").item())
