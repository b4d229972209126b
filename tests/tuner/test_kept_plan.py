from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from techniques.errors import InputError
from techniques.facts import ModelFacts
from tuner.final import train_graph, train_winner
from tuner.folder import RunFolder
from tuner.ingest import ingest
from tuner.planning import Wanted, ingested, kept_plan, refuse_changed_graph
from tuner.records import Winner
from tuner.session import Session


def test_a_run_goes_on_with_the_rates_of_its_calibration(
    make_calibration: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNNFIT_HOME", str(tmp_path))
    there = make_calibration(fingerprint=machine_fingerprint(inspect_machine()))
    saved = tmp_path / "calibration.json"
    saved.write_text(there.to_document())
    plan(from_counts(2_000, 10_000, 16, 3, directed=False)).save(tmp_path / "plan.json")
    again = kept_plan(tmp_path / "plan.json").facts.hardware.calibration
    assert again == there
    saved.write_text(there.model_copy(update={"date": "2026-02-02T00:00:00+00:00"}).to_document())
    other = kept_plan(tmp_path / "plan.json").facts.hardware.calibration
    assert other is not None and other.date == there.date and other.rates == ()


def test_a_file_that_has_changed_is_not_trained_as_it_was(
    communities: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Any
) -> None:
    import numpy as np

    file, out = tmp_path / "graph.npz", tmp_path / "run"
    monkeypatch.setattr("tuner.final._train", lambda *ignored: measured(0.5))
    np.savez(file, **communities())
    for _ in range(2):
        assert train_graph(file, None, out, 1, print).metric == 0.5
    np.savez(file, **communities(seed=1))
    with pytest.raises(InputError, match=r"changed since the run began: [0-9a-f]{32} then, [0-9a-f]{32} now"):
        train_graph(file, None, out, 1, print)


def test_a_training_leaves_folders_of_others_alone(community_file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "project" / "final" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    with pytest.raises(InputError, match="new or empty folder"):
        train_graph(community_file, None, tmp_path / "project", 1, print)
    assert [one.name for one in (tmp_path / "project").rglob("*")] == ["final", "thesis.txt"]


def test_a_changed_file_that_torch_reads_is_refused_on_resume(
    community_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run, stored = tmp_path / "graph.pt", RunFolder(tmp_path / "run"), ingest(community_file, tmp_path / "graph")
    monkeypatch.setattr("tuner.planning.ingest", lambda *ignored: stored)

    def prepare() -> Session:
        return Session.prepare(run, str(file), Wanted(), 60.0, None, run.plan.is_file(), lambda event: None)

    file.write_bytes(b"as it was")
    for _ in range(2):
        assert prepare().graph is stored
    file.write_bytes(b"as it is now")
    with pytest.raises(InputError, match=r"changed since .* \(9 bytes\) then, [0-9a-f]{32} \(12 bytes\) now"):
        prepare()
    run.source.unlink()
    assert prepare().graph is stored, "a run of an earlier version goes on"


def test_changed_sources_of_a_graph_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a factory imports from beside it, and what PyG keeps of a data set, which is downloaded while it is read."""
    made, helper = plan(from_counts(50, 100, 4, 2, directed=False)), tmp_path / "helper.py"
    processed = tmp_path / "cache/gnnfit/pyg/Planetoid/Cora/processed/data.pt"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.py").write_text("import helper")
    helper.write_text("as it was")

    def download(graph: str, folder: Path) -> None:
        if graph.startswith("pyg:"):
            processed.parent.mkdir(parents=True)
            processed.write_text("as it was")

    monkeypatch.setattr("tuner.planning.ingest", download)
    for graph, file in (("made:build", helper), ("pyg:Planetoid/Cora", processed)):
        run = RunFolder(tmp_path / f"run-{file.name}")
        run.path.mkdir()
        ingested(graph, run)
        refuse_changed_graph(graph, made, run)
        file.write_text("as it is now")
        with pytest.raises(InputError, match=r"the graph has changed since .* bytes.*\) then, .* bytes.*\) now"):
            refuse_changed_graph(graph, made, run)


def test_a_changed_own_module_is_refused_by_who_goes_on(own_model: Any, tmp_path: Path) -> None:
    own = own_model().custom
    module = Path(own.folder, "own_module_of_tests.py").read_text()
    here = own.model_copy(update={"folder": str(tmp_path)})
    (tmp_path / "own_module_of_tests.py").write_text(module)
    made, run = plan(from_counts(50, 100, 4, 2, directed=False)), RunFolder(tmp_path)
    facts = made.facts.model_copy(update={"model": ModelFacts(architecture="custom", custom=here)})
    made.model_copy(update={"facts": facts}).save(run.plan)
    assert made.best is not None
    run.best.write_text(Winner(family="own", spec=made.best.spec, reason="best").model_dump_json())
    assert kept_plan(run.plan).facts.model.custom == here
    (tmp_path / "own_module_of_tests.py").write_text(module + "# other words")
    for go_on in (lambda: kept_plan(run.plan), lambda: train_winner(run, 1, print)):
        with pytest.raises(
            InputError, match=r"own_module_of_tests:build has changed .*[0-9a-f]{32} .* then, [0-9a-f]{32}"
        ):
            go_on()
