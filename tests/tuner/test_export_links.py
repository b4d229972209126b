"""Exported scripts of link prediction: the run's split, its random pairs, its judgement, and what it learns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from planner import plan
from techniques.facts import Goal, Task
from techniques.remote.links import read_links
from techniques.remote.source.arrays import ArrayGraph
from tests.exported import give, scripted, searched
from tests.graphs import tiny
from tests.recipe_cases import spec_of
from tuner.export import export_run
from tuner.export.plain.link_neighbor_loader import LinkNeighborLoader
from tuner.export.plain.links import link_graph_of
from tuner.export.script import Exported, script_of
from tuner.judge import judge


def link_arrays(**others: Any) -> dict[str, Any]:
    """Isolated nodes, loops, weights; parallel edges where it is directed."""
    stored = tiny(**{"labels": "none", "weights": "random", **others})
    return {name: stored.read(name) for name in stored.headers}


@pytest.mark.parametrize("kind", ["undirected", "directed", "its own split", "nearly complete"])
def test_the_split_is_the_runs(kind: str) -> None:
    arrays = link_arrays(undirected=kind == "undirected")
    if kind == "its own split":
        arrays["edge_split"] = np.random.default_rng(3).integers(0, 3, arrays["edge_index"].shape[1])
    if kind == "nearly complete":
        edges = np.stack(np.nonzero(np.random.default_rng(3).random((60, 60)) < 0.85))
        arrays |= {"edge_index": edges, "edge_weight": np.ones(edges.shape[1], np.float32)}
    ours = read_links(ArrayGraph("links", arrays), kind == "undirected")
    data, held_out = link_graph_of(arrays, kind == "undirected")
    assert torch.equal(data.train_edge_index, torch.from_numpy(ours.train).long())
    assert torch.equal(data.edge_index, torch.from_numpy(ours.message_edges).long())
    assert ours.message_mask is not None
    assert torch.equal(data.edge_weight, torch.from_numpy(arrays["edge_weight"][ours.message_mask]))
    for split, pairs in (("val", (ours.val, ours.val_negative)), ("test", (ours.test, ours.test_negative))):
        for found, wanted in zip(held_out[split], pairs, strict=True):
            assert wanted.shape[1] and torch.equal(found, torch.from_numpy(wanted).long())


def test_a_batch_has_edges_and_random_pairs() -> None:
    data, _ = link_graph_of(link_arrays(undirected=False), undirected=False)
    train = data.train_edge_index
    del data.train_edge_index
    loader = LinkNeighborLoader(data, [-1, 2], train, {"mode": "binary", "amount": 2}, batch_size=32, shuffle=True)
    edges, pairs = [], []
    for batch in loader:
        ends, is_edge = batch.n_id[batch.edge_label_index], batch.edge_label > 0
        assert int((~is_edge).sum()) == 2 * int(is_edge.sum())
        assert batch.num_sampled_nodes[0] == ends.unique().numel()
        edges.append(ends[:, is_edge])
        pairs.append(ends[:, ~is_edge])
    assert sorted(torch.cat(edges, 1).T.tolist()) == sorted(train.T.tolist()), "each of them once"
    drawn = torch.cat(pairs, 1)
    assert drawn.unique().numel() > 55 and not torch.equal(drawn[0], drawn[1]), "isolated nodes, too"


@pytest.mark.parametrize(
    ("architecture", "graph", "slots"),
    [
        ("sage", {"features": "sparse"}, {"representation_features": "csr"}),
        ("gcn", {"features": "none"}, {}),
        ("gat", {"edge_columns": 2}, {}),
        ("gin", {"undirected": False}, {"representation_features": "half"}),
        ("gatv2", {"features": "float16", "unit_rows": True}, {"remote_features": "memmap"}),
        ("appnp", {"features": "none", "undirected": False}, {"representation_features": "embedding"}),
    ],
)
def test_links_are_judged_as_the_run_does(
    architecture: str, graph: Any, slots: Any, profiled: Any, make_job: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """With the job's weights a script says the same of every split."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    settings = {"fanouts": (3, 2), "batch_size": 64, "max_epochs": 1}
    settings |= {"unit_rows": True} if graph.pop("unit_rows", False) else {}
    stored = ArrayGraph("links", link_arrays(**graph))
    facts = profiled(stored, task=Task.LINK)
    spec = spec_of(facts, ("link_neighbor", architecture, "coo"), settings, **slots)
    job = make_job(facts, stored, spec)
    names = scripted(script_of(Exported(facts, spec, str(tmp_path / "graph"), "t", "AUROC", 1, None, None)))
    give(names, list(job.model.parameters()))
    for split in ("val", "test"):
        assert names["auroc"](*names["answers"](split)) == pytest.approx(judge(job).scores(split)["auroc"], abs=1e-6)


def test_a_script_of_links_reaches_what_the_run_reaches(
    real_graph: Any, tmp_path: Path, one_server: None, monkeypatch: Any, capsys: Any
) -> None:
    """polblogs: directed, without features; the script with the run's weights, and with those that it learns itself."""
    from tuner.api import run

    settings = {"max_epochs": 6, "fanouts": (5, 5), "batch_size": 1024}
    graph = str(real_graph("polblogs"))
    made = plan(graph, goal=Goal(task=Task.LINK), fix={"architecture": "sage"}, set=settings)
    folder = searched(made, graph, tmp_path / "run")
    measured = run(folder.path)
    assert measured.test_metric is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    names = scripted(export_run(folder).read_text())
    reached = float(capsys.readouterr().out.split()[-1])
    assert abs(reached - measured.test_metric) < 0.03
    state = torch.load(folder.final / "model.pt", weights_only=True)["state_dict"]
    give(names, list(state.values()))
    assert names["auroc"](*names["answers"]("test")) == pytest.approx(measured.test_metric, abs=1e-5)
