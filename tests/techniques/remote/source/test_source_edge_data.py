"""Edge weights and attributes from every form of a graph, to the layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData

from techniques.remote.source import from_object, open_graph
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.folder import spill
from tuner.training import train_epoch

DATA = (Path(__file__).parents[4] / ".." / "shared" / "data").resolve()


@pytest.fixture
def stored(tiny: Any) -> ArrayGraph:
    graph: ArrayGraph = tiny(weights="random", edge_columns=2)
    return graph


def opened(form: str, stored: ArrayGraph, folder: Path) -> Any:
    """The same graph read back from ``form``."""
    arrays = stored.arrays
    data = Data(edge_index=torch.from_numpy(arrays["edge_index"]).long(), num_nodes=60)
    data.x, data.y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    data.edge_weight = torch.from_numpy(arrays["edge_weight"])
    data.edge_attr = torch.from_numpy(arrays["edge_attr"])
    if form == "object":
        return from_object(data, "tiny")
    if form == "column":  # [E, 1] weights in float64
        data.edge_weight = data.edge_weight.double().unsqueeze(1)
        return from_object(data, "tiny")
    if form == "folder":
        return spill(stored, folder / "graph")
    if form == "npz":
        np.savez(folder / "graph.npz", **arrays)
        return open_graph(str(folder / "graph.npz"))
    if form == "pt":
        torch.save(data, folder / "graph.pt")
        return open_graph(str(folder / "graph.pt"))
    rows = zip(*arrays["edge_index"], arrays["edge_weight"], strict=True)
    lines = ["source,target,weight", *(f"{u},{v},{weight}" for u, v, weight in rows)]
    (folder / "edges.csv").write_text("\n".join(lines))
    values = [
        f"{node},{label},{row[0]}" for node, (label, row) in enumerate(zip(arrays["y"], arrays["x"], strict=True))
    ]
    (folder / "nodes.csv").write_text("\n".join(["id,label,first", *values]))
    return open_graph(str(folder / "edges.csv"))


@pytest.mark.parametrize("form", ["object", "column", "folder", "npz", "pt", "csv"])
def test_every_form_reaches_the_structure(
    form: str, stored: ArrayGraph, tmp_path: Path, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    graph = opened(form, stored, tmp_path)
    facts = profiled(graph)
    assert facts.graph.edge_weighted and facts.graph.edge_features == (0 if form == "csv" else 2)
    entries = zip(*stored.arrays["edge_index"].tolist(), stored.arrays["edge_weight"].tolist(), strict=True)
    expected = sorted(entry for entry in entries if entry[0] != entry[1])
    structure = make_job(facts, graph, spec_for(facts, {"architecture": "gcn", "sampling": "full_batch"})).structure
    target = np.repeat(np.arange(60), np.diff(structure.colptr))
    found = zip(structure.row.tolist(), target.tolist(), structure.edges.weight.tolist(), strict=True)
    np.testing.assert_allclose(sorted(found), expected, rtol=1e-6)


def test_hetero_attributes_of_one_width_are_kept() -> None:
    data = HeteroData()
    data["a"].num_nodes, data["b"].num_nodes = 3, 2
    data["a", "to", "b"].edge_index = torch.tensor([[0, 1], [0, 1]])
    data["b", "to", "a"].edge_index = torch.tensor([[1], [2]])
    data["a", "to", "b"].edge_attr, data["b", "to", "a"].edge_attr = torch.ones(2, 4), torch.zeros(1, 4)
    assert from_object(data, "two").read("edge_attr").tolist() == [[1] * 4] * 2 + [[0] * 4]
    data["b", "to", "a"].edge_attr = torch.zeros(1, 5)
    assert "edge_attr" not in from_object(data, "two").headers


@pytest.mark.skipif(not (DATA / "osm_monaco.npz").exists(), reason="needs the road networks")
@pytest.mark.parametrize("name", ["osm_monaco", "osm_porto_alegre"])
@pytest.mark.parametrize(("key", "architecture"), [("edge_weight", "gcn"), ("edge_attr", "gat")])
def test_lengths_of_roads_become_weights(
    name: str, key: str, architecture: str, tmp_path: Path, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    """Nothing is read by itself; a small ``.npz`` says what ``edge_length`` means."""
    with np.load(DATA / f"{name}.npz") as archive:
        arrays = dict(archive)
    assert not profiled(ArrayGraph(name, arrays)).graph.edge_weighted
    near = arrays["edge_length"].mean() / (arrays["edge_length"] + 1.0)
    np.savez(tmp_path / "roads.npz", **arrays, **{key: near.astype(np.float32)})
    graph = open_graph(str(tmp_path / "roads.npz"))
    facts = profiled(graph)
    assert (facts.graph.edge_weighted, facts.graph.edge_features) == ((True, 0) if key == "edge_weight" else (False, 1))
    chosen = {"architecture": architecture, "sampling": "neighbor", "representation": "coo"}
    spec = spec_for(facts, chosen, hidden=8, batch_size=1024)
    loss, finished = train_epoch(make_job(facts, graph, spec))
    assert np.isfinite(loss) and finished
