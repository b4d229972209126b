"""Exported scripts: plain PyG, and they learn what the run learnt."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.api import make_plan
from planner.pins import Pins
from techniques.base import Slot
from techniques.errors import InputError, UnsupportedTaskError
from techniques.facts import Goal, Task
from tests.exported import last_line, searched
from tuner.export import export_run
from tuner.export.script import Exported, script_of
from tuner.folder import RunFolder

ALLOWED = {
    "contextlib",
    "itertools",
    "math",
    "sys",
    "pathlib",
    "warnings",
    "typing",
    "collections.abc",
    "numpy",
    "torch",
    "torch_geometric",
    "pymetis",
}
CASES = [
    {"sampling": "full_batch", "architecture": "gcn"},
    {"sampling": "full_batch", "architecture": "gat"},
    {"sampling": "neighbor", "architecture": "sage"},
    {"sampling": "cluster", "architecture": "gcn"},
    {"sampling": "random_node", "architecture": "gin"},
    {"sampling": "shadow_k_hop", "architecture": "sage"},
    {"sampling": "graph_saint", "architecture": "gcn"},
    {"sampling": "graph_saint", "architecture": "sage"},
    {"architecture": "sign"},
    {"sampling": "cluster", "architecture": "appnp"},
    {"sampling": "link_neighbor", "architecture": "gcn"},
]


@pytest.fixture
def run_of(tmp_path: Path) -> Any:
    """``run_of(graph, fix)``: a run folder whose search has ended with the plan's best."""

    def build(graph: str, fix: Any) -> RunFolder:
        return searched(plan(graph, fix=fix), graph, tmp_path / "run")

    return build


@pytest.fixture
def exported(community_file: Path) -> Any:
    """``exported(fix, graph=...)``: the text of a script of the plan's best, for two epochs."""

    def build(fix: Any, graph: str | None = None, **others: Any) -> str:
        links = fix.get("sampling") == "link_neighbor"
        made = plan(graph or str(community_file), fix=fix, goal=Goal(task=Task.LINK) if links else None)
        assert made.best is not None
        training = made.best.spec.training.model_copy(update={"max_epochs": 2})
        spec = made.best.spec.model_copy(update={"training": training})
        metric = "AUROC" if links else "accuracy"
        values = {"graph_folder": "", "title": "t", "metric": metric, "every": 1, "validation": 0.5, "test": 0.4}
        return script_of(Exported(facts=made.facts, spec=spec, **{**values, **others}))

    return build


@pytest.mark.parametrize("fix", CASES, ids=lambda case: "-".join(case.values()))
def test_a_script_runs_with_pyg_alone(fix: Any, exported: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    text = exported(fix)
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert {str(name).split(".")[0] if str(name) != "collections.abc" else name for name in imported} <= ALLOWED
    assert "gnnfit" not in text.replace("gnnfit-runs", "")
    assert ("def auroc" in text) == (fix.get("sampling") == "link_neighbor") and "def r2" not in text
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text.replace("CHUNK_EDGES = 100_000", "CHUNK_EDGES = 37"), "train.py", "exec"), names)
    if fix.get("sampling", "full_batch") not in ("full_batch", "shadow_k_hop"):
        assert_judged_in_chunks(names)
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"validation (accuracy|AUROC) [01]\.\d+, test \1 [01]\.\d+", last)
    assert (tmp_path / "model.pt").is_file()


def assert_judged_in_chunks(names: dict[str, Any]) -> None:
    """Chunk by chunk as in one pass over the graph, in which every edge counts once."""
    import torch

    model, data = names["model"].eval(), names["data"]
    data.edge_norm = torch.ones(data.num_edges)
    with torch.no_grad():
        found = names["layer_by_layer"](model, data, names["device"])
        torch.testing.assert_close(found, names["predict"](data), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["GraphSAGE", "GCN", "GAT", "GIN"])
def test_judging_layer_by_layer_is_one_pass_over_the_graph(kind: str, monkeypatch: Any) -> None:
    """A hub with more edges than a chunk, isolated nodes, loops and weights."""
    import torch
    import torch_geometric.nn
    from torch_geometric.data import Data

    from tuner.export.plain import layerwise

    monkeypatch.setattr(layerwise, "CHUNK_EDGES", 37)
    torch.manual_seed(0)
    edge_index = torch.randint(0, 50, (2, 400))
    edge_index[1, :120] = 7
    data = Data(x=torch.rand(60, 5), edge_index=edge_index, edge_weight=torch.rand(400), edge_attr=torch.rand(400, 2))
    options: dict[str, Any] = {"GAT": {"heads": 2, "edge_dim": 2}}.get(kind, {})
    read = {"GAT": {"edge_attr": data.edge_attr}, "GCN": {"edge_weight": data.edge_weight}}.get(kind, {})
    model = getattr(torch_geometric.nn, kind)(5, 8, 3, 3, **options).eval()
    with torch.no_grad():
        wanted = model(data.x, edge_index, **read)
        found = layerwise.layer_by_layer(model, data, torch.device("cpu"))
        assert torch.allclose(found, wanted, atol=1e-5)
        assert torch.equal(model(data.x, edge_index, **read), wanted), "the model is as it was"


def test_the_script_reaches_what_the_run_reaches(
    run_of: Any, real_graph: Any, tmp_path: Path, one_server: None
) -> None:
    """Cora, GCN on the whole graph: three seeds of the run differ by 0.01."""
    from tuner.api import run

    folder = run_of(str(real_graph("cora")), {"sampling": "full_batch", "architecture": "gcn"})
    measured = run(folder.path)
    script = export_run(folder, tmp_path / "train.py")
    reached = float(last_line(script).split()[-1])
    assert measured.test_metric is not None
    assert abs(reached - measured.test_metric) < 0.03
    assert f"test {measured.test_metric:.3f}" in script.read_text()


def _reader(text: str) -> Any:
    """The names of a script up to the data."""
    names: dict[str, Any] = {}
    exec(compile(text.partition("torch.set_num_threads")[0], "train.py", "exec"), names)
    return names["graph_of"](names["read"]())


@pytest.fixture
def forms(communities: Any, tmp_path: Path) -> Any:
    """``forms(kind)``: one graph in a form."""
    import numpy as np
    import torch
    from torch_geometric.data import Data

    from techniques.remote.source.arrays import ArrayGraph
    from techniques.remote.source.folder import spill

    def build(kind: str) -> str:
        arrays = communities()
        arrays["y"] = np.where(np.arange(90) == 7, -1, arrays["y"] * 2)  # gaps, and a node without a label
        if kind == "no masks":
            arrays = {key: value for key, value in arrays.items() if not key.endswith("_mask")}
        file = tmp_path / "graph.npz"
        if kind in ("npz", "no masks"):
            np.savez(file, **arrays)
        elif kind == "training only":
            np.savez(file, **{key: value for key, value in arrays.items() if key not in ("val_mask", "test_mask")})
        elif kind == "folder":
            file = tmp_path / "graph"
            spill(ArrayGraph("graph", arrays), file)
        elif kind == "csv":
            file = tmp_path / "edges.csv"
            pairs = arrays["edge_index"].T
            file.write_text("source,target,weight\n" + "".join(f"{a},{b},1.5\n" for a, b in pairs))
            split = [
                "train" if a else "val" if b else "test"
                for a, b in zip(arrays["train_mask"], arrays["val_mask"], strict=True)
            ]
            rows = [f"{i},{','.join(map(str, arrays['x'][i]))},{arrays['y'][i]}.0,{split[i]}\n" for i in range(90)]
            columns = ",".join(f"f{place}" for place in range(arrays["x"].shape[1]))
            (tmp_path / "nodes.csv").write_text(f"id,{columns},label,split\n" + "".join(reversed(rows)))
        elif kind == "pt":
            file = tmp_path / "graph.pt"
            tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items() if key != "num_nodes"}
            torch.save(Data(**{**tensors, "edge_index": tensors["edge_index"].long()}), file)
        elif kind == "adj_t":
            file = tmp_path / "graph.pt"
            ends, x = torch.from_numpy(arrays["edge_index"]).long(), torch.from_numpy(arrays["x"]).bfloat16()
            weights = torch.arange(1.0, 1.0 + ends.shape[1], requires_grad=True)
            adjacency = torch.sparse_coo_tensor(ends.flip(0), weights, (90, 90), check_invariants=True).detach()
            torch.save(Data(x=x, y=torch.from_numpy(arrays["y"]).double(), adj_t=adjacency), file)
        return "pyg:KarateClub" if kind == "pyg" else str(file)

    return build


@pytest.mark.parametrize("kind", ["npz", "no masks", "training only", "folder", "csv", "pt", "adj_t", "pyg"])
def test_every_form_is_read_as_it_was_tuned(kind: str, forms: Any, exported: Any, monkeypatch: Any) -> None:
    import torch

    from techniques.remote.read_data import read_data

    graph = forms(kind)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    found, wanted = _reader(exported({"architecture": "sage"}, graph)), read_data(graph)
    for name in ("x", "y", "train_mask", "val_mask", "test_mask", "edge_weight"):
        assert (name in found) == (name in wanted), name
        if name in wanted:
            assert torch.equal(found[name].to_dense(), wanted[name].to_dense()), name
    assert torch.equal(found.edge_index, wanted.edge_index)


@pytest.mark.parametrize("name", ["accuracy", "micro_f1", "macro_f1", "auroc"])
def test_the_metrics_are_ours(name: str) -> None:
    import torch

    from tuner import quality
    from tuner.export.plain import quality as plain

    torch.manual_seed(0)
    logits, y = torch.randn(50, 2).round(decimals=1), (torch.rand(50) < 0.3).long()
    if name == "micro_f1":
        y = torch.stack([y, 1 - y], dim=1)
    ours = quality.macro_ranking(logits, y).auroc if name == "auroc" else getattr(quality, name)(logits, y)
    assert getattr(plain, name)(logits, y) == pytest.approx(ours)


@pytest.mark.parametrize("most", [-1, 1, 2])
def test_plain_sampling_draws_without_replacement(most: int, communities: Any) -> None:
    import torch
    from torch_geometric.data import Data

    from tuner.export.plain.neighbor_loader import NeighborLoader

    edge_index = torch.from_numpy(communities()["edge_index"]).long()
    data = Data(edge_index=edge_index, num_nodes=90, x=torch.arange(90).view(-1, 1), y=torch.arange(90))
    known = set(map(tuple, edge_index.T.tolist()))
    seen = 0
    for batch in NeighborLoader(data, [most, most], torch.arange(90) < 40, batch_size=16, shuffle=True):
        pairs = [tuple(pair) for pair in batch.n_id[batch.edge_index].T.tolist()]
        assert set(pairs) <= known
        assert len(set(pairs)) == len(pairs)
        degree = batch.edge_index[1].bincount(minlength=len(batch.n_id))
        full = edge_index[1].bincount(minlength=90)[batch.n_id]
        inner = sum(batch.num_sampled_nodes[:2])
        assert torch.equal(degree[:inner], (full if most < 0 else full.clamp(max=most))[:inner])
        assert torch.equal(batch.x.flatten(), batch.n_id)
        assert sum(batch.num_sampled_nodes) == batch.num_nodes
        seen += batch.batch_size
    assert seen == 40


def test_what_has_no_script_yet_is_refused(make_facts: Any, tmp_path: Path) -> None:
    made = make_plan(make_facts(), Pins()).best
    assert made is not None
    coarse = made.spec.model_copy(update={"options": {**made.spec.options, Slot.COARSENING: "heavy_edge"}})
    with pytest.raises(UnsupportedTaskError, match="coarsened it by heavy_edge"):
        script_of(Exported(make_facts(), coarse, "", "t", "accuracy", 1, None, None))
    folder = RunFolder(tmp_path / "run")
    folder.start({"graph": "g"}, "", resume=False)
    with pytest.raises(InputError, match="no winner yet"):
        export_run(folder)
