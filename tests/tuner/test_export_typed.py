"""Exported scripts of typed graphs: the run's nodes, edges and splits by type, its judgement, and what it learns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import HeteroData

from planner import plan
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques.base import Slot
from techniques.remote.read_hetero import read_hetero
from techniques.remote.source import from_object
from techniques.remote.source.folder import spill
from tests.exported import last_line, scripted, searched, stored_as_npz
from tests.graphs import films
from tests.recipe_cases import copy_typed_parameters
from tuner.export import export_run
from tuner.export.plain.typed_neighbor_loader import NeighborLoader
from tuner.export.script import Exported, script_of
from tuner.judge import judge

KINDS: dict[str, dict[str, Any]] = {
    "classes": {},
    "sparse": {"sparse": True},
    "several labels": {"labels": "multi"},
    "own split": {"masks": True},
}


def script_for(graph: str, **fix: str) -> str:
    """The script of the plan's best for a graph of types."""
    made = plan(graph, fix={"architecture": "rgcn", **fix})
    assert made.best is not None
    return script_of(Exported(made.facts, made.best.spec, "", "t", "accuracy", 1, None, None))


@pytest.mark.parametrize("form", ["npz", "folder", "pt"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_read_as_it_was_tuned(kind: str, form: str, tmp_path: Path, monkeypatch: Any) -> None:
    data = films(**KINDS[kind])
    stored = from_object(data, "films")
    graph = str(tmp_path / {"npz": "films.npz", "folder": "films", "pt": "films.pt"}[form])
    if form == "npz":
        stored_as_npz(data, Path(graph))
    elif form == "folder":
        spill(stored, Path(graph))
    else:
        torch.save(data, graph)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    names = scripted(script_for(graph).partition("for kind in node_types:")[0].partition("loader = ")[0])
    found, wanted = names["data"], read_hetero(graph, "movie")
    for name in wanted.node_types:
        assert found[name].num_nodes == wanted[name].num_nodes
        assert ("x" in found[name]) == ("x" in wanted[name])
        if "x" in wanted[name]:
            assert torch.equal(found[name].x.to_dense(), wanted[name].x.to_dense())
    for name in ("y", "train_mask", "val_mask", "test_mask"):
        assert torch.equal(found["movie"][name].float(), wanted["movie"][name].float()), name
    for key in wanted.edge_types:
        assert torch.equal(found[key].edge_index, wanted[key].edge_index), key


@pytest.mark.parametrize("most", [-1, 1, 2])
def test_plain_sampling_draws_without_replacement_by_type(most: int) -> None:
    data = films(masks=True)
    for key in data.edge_types:
        data[key].edge_index = data[key].edge_index.unique(dim=1)
    known = {key: set(map(tuple, data[key].edge_index.T.tolist())) for key in data.edge_types}
    seen = []
    for batch in NeighborLoader(data, [most, most], ("movie", data["movie"].train_mask), batch_size=5, shuffle=True):
        count = batch["movie"].batch_size
        seen.append(batch["movie"].n_id[:count])
        for key in data.edge_types:
            source, target = batch[key].edge_index
            ids = torch.stack([batch[key[0]].n_id[source], batch[key[2]].n_id[target]])
            pairs = list(map(tuple, ids.T.tolist()))
            assert set(pairs) <= known[key] and len(set(pairs)) == len(pairs)
            if key[2] == "movie":
                full = data[key].edge_index[1].bincount(minlength=40)[batch["movie"].n_id[:count]]
                found = target.bincount(minlength=count)[:count]
                assert torch.equal(found, full if most < 0 else full.clamp(max=most))
        for kind in ("movie", "person"):
            assert torch.equal(batch[kind].x, data[kind].x[batch[kind].n_id])
            assert batch[kind].n_id.unique().numel() == batch[kind].num_nodes
    assert torch.equal(torch.cat(seen).sort().values, data["movie"].train_mask.nonzero().flatten())


@pytest.mark.parametrize(
    ("chosen", "kind", "settings"),
    [
        (("hetero_sage", "full_batch"), "classes", {}),
        (("hetero_sage", "neighbor"), "several labels", {"featureless": "degree"}),
        (("rgcn", "full_batch"), "sparse", {"reverse_edges": False}),
        (("rgcn", "neighbor"), "own split", {"seed_order": "imbalanced"}),
        (("hgt", "full_batch"), "own split", {}),
        (("hgt", "neighbor"), "sparse", {"layers": 3, "fanouts": (2, 2, 2)}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_nodes_are_judged_as_the_run_does(
    chosen: Any, kind: str, settings: Any, profiled: Any, make_job: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """With the job's weights a script says the same of every split."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    stored = from_object(films(**KINDS[kind]), "films")
    facts = profiled(stored)
    architecture, sampling = chosen
    pinned = {Slot.ARCHITECTURE: architecture, Slot.SAMPLING: sampling, Slot.HARDWARE: "cpu"}
    pinned[Slot.REPRESENTATION] = "coo" if architecture == "hgt" else "csr"
    pinned[Slot.REPRESENTATION_FEATURES] = "csr" if kind == "sparse" else "dense"
    settings = {"fanouts": (3, 2), "batch_size": 6, "hidden": 8, "max_epochs": 1, "threads": 1, **settings}
    spec = make_spec(facts, Pins(pinned, settings), {})
    assert check(facts, spec).usable
    job = make_job(facts, stored, spec)
    one = judge(job)
    names = scripted(script_of(Exported(facts, spec, str(tmp_path / "graph"), "t", one.metric, 1, None, None)))
    copy_typed_parameters(job, names["model"])
    for split in ("val", "test"):
        logits, labels = names["answers"](split)
        nodes = job.masks[split].nonzero().flatten()
        torch.testing.assert_close(logits, job.predict(nodes), atol=1e-4, rtol=1e-4)
        assert names[one.metric](logits, labels) == pytest.approx(one.scores(split)[one.metric], abs=1e-6)


def test_a_script_of_a_typed_graph_reaches_what_the_run_reaches(tmp_path: Path, one_server: None) -> None:
    """Papers have the topic of their author, which an author shows in many noisy papers."""
    from tuner.api import run

    file = stored_as_npz(papers(), tmp_path / "papers.npz")
    made = plan(file, fix={"architecture": "hetero_sage", "sampling": "neighbor"}, set={"max_epochs": 10, "hidden": 16})
    folder = searched(made, file, tmp_path / "run")
    measured = run(folder.path)
    script = export_run(folder, tmp_path / "train.py")
    assert measured.test_metric is not None and measured.test_metric > 0.9
    assert abs(float(last_line(script).split()[-1]) - measured.test_metric) <= 0.05


def papers(count: int = 600) -> HeteroData:
    """``count`` papers of 60 authors, of three topics."""
    rng = torch.Generator().manual_seed(0)
    author = torch.randint(60, (count,), generator=rng)
    data = HeteroData()
    data["paper"].y = author % 3
    data["paper"].x = torch.nn.functional.one_hot(author % 3, 3) + 0.7 * torch.randn(count, 3, generator=rng)
    data["author"].num_nodes = 60
    data["author", "writes", "paper"].edge_index = torch.stack([author, torch.arange(count)])
    return data
