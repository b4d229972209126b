"""Layer-wise inference in chunks: the numbers of a full forward pass, in bounded memory, with nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from techniques.architecture.convs import set_true_degrees
from techniques.architecture.layerwise import LayerWise, new_table
from techniques.job import Job

CASES = [(name, form) for name in ("gcn", "sage", "gin", "appnp") for form in ("coo", "csr")]
CASES += [("gat", "coo"), ("gatv2", "coo")]
CPU = torch.device("cpu")


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Any:
    """``job_of(architecture, representation, features, **edges)``: a sampled job with weights as initialised."""

    def build(architecture: str, representation: str, features: str = "dense", **values: Any) -> Job:
        at_rest = features if features in ("dense", "sparse") else "dense"
        edges = {"weights": "random", "edge_columns": 3} if values.pop("edge_data", False) else {}
        stored = tiny(undirected=values.pop("undirected", False), features=at_rest, **edges)
        facts = profiled(stored)
        chosen = {"architecture": architecture, "representation": representation, "sampling": "neighbor"}
        chosen["representation.features"] = {"sparse": "csr"}.get(features, features)
        job: Job = make_job(facts, stored, spec_for(facts, chosen, hidden=8, layers=3, threads=1, **values))
        return job

    return build


def whole(job: Job) -> torch.Tensor:
    model, structure = job.need("model"), job.need("structure")
    set_true_degrees(model, structure.degrees())
    out: torch.Tensor = model.inference(job.need("features").whole(), structure, CPU)
    set_true_degrees(model, None)
    return out


@pytest.mark.parametrize(("architecture", "representation"), CASES)
@pytest.mark.parametrize("features", ["dense", "sparse", "half", "embedding"])
def test_chunks_say_what_the_whole_graph_says(
    architecture: str, representation: str, features: str, job_of: Any, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"embedding_width": 6} if features == "embedding" else {}
    more |= {"trim": False} if architecture == "appnp" else {}
    job = job_of(architecture, representation, features, **more)
    expected = whole(job)
    for chunk_bytes in (700, 2**20, *((1,) if features == "dense" else ())):  # which a node alone fills
        walk = LayerWise(job.need("structure"), CPU, tmp_path, chunk_bytes)
        found = walk.inference(job.need("model"), job.need("features"))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("architecture", "representation"), [("gcn", "csr"), ("gat", "coo"), ("gatv2", "coo")])
@pytest.mark.parametrize("chunk_bytes", [1, 700])
def test_chunks_read_weights_and_attributes(
    architecture: str, representation: str, chunk_bytes: int, job_of: Any, tmp_path: Path
) -> None:
    """Those of a target's edges in pieces too: its loop has the mean of them all."""
    job = job_of(architecture, representation, edge_data=True)
    walk = LayerWise(job.need("structure"), CPU, tmp_path, chunk_bytes)
    found = walk.inference(job.need("model"), job.need("features"))
    torch.testing.assert_close(found, whole(job), atol=1e-5, rtol=1e-5)


def test_chunks_cover_every_target_and_edge_once(job_of: Any, tmp_path: Path) -> None:
    structure = job_of("sage", "csr").need("structure")
    walk = LayerWise(structure, CPU, tmp_path)
    found = [(start, *walk.neighborhood(start, stop)) for start, stop in walk.runs(20)]
    assert len(found) > 3
    assert np.concatenate([ids[: block.num_targets] for _, ids, block in found]).tolist() == list(
        range(structure.num_nodes)
    )
    sources = np.concatenate([ids[block.csr.source.numpy()] for _, ids, block in found])
    assert sources.tolist() == structure.row.tolist()
    assert all(block.num_edges + block.num_targets <= 20 or block.num_targets == 1 for _, _, block in found)


def test_large_tables_are_files_that_nobody_sees(job_of: Any, tmp_path: Path) -> None:
    walk = LayerWise(job_of("sage", "csr").need("structure"), CPU, tmp_path / "scratch", chunk_bytes=64)
    (tmp_path / "scratch").mkdir()
    table = walk._table(8)
    table.fill_(1.0)
    assert float(table.sum()) == table.numel()
    assert list((tmp_path / "scratch").iterdir()) == []
    maps = Path("/proc/self/maps")
    if maps.is_file():
        assert str(tmp_path / "scratch" / "inference-") in maps.read_text()


def test_tables_take_their_room_when_they_are_made(tmp_path: Path, monkeypatch: Any) -> None:
    """A full disk is refused with ENOSPC; a file with holes would end the process with SIGBUS later."""
    taken: list[int] = []
    mapped = torch.from_file

    def watched(name: str, **given: Any) -> Any:
        taken.append(Path(name).stat().st_blocks * 512)
        return mapped(name, **given)

    monkeypatch.setattr(torch, "from_file", watched)
    new_table(5000, 8, tmp_path, most_bytes=0)
    assert taken[0] >= 4 * 5000 * 8


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_features_are_left_alone(training: bool, job_of: Any) -> None:
    job = job_of("sage", "csr")
    before = job.need("features").whole().clone()
    job.need("model").train(training)
    out = job.need("predict")()
    assert job.need("model").training is training
    assert torch.equal(job.need("features").whole(), before)
    assert not out.requires_grad
