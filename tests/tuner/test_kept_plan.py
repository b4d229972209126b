from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from techniques.errors import InputError
from tuner.final import train_graph
from tuner.folder import RunFolder
from tuner.ingest import ingest
from tuner.planning import Wanted, kept_plan
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


def test_a_changed_file_that_torch_reads_is_refused_on_resume(
    community_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, run, stored = tmp_path / "graph.pt", RunFolder(tmp_path / "run"), ingest(community_file, tmp_path / "graph")
    monkeypatch.setattr("tuner.session.ingest", lambda *ignored: stored)

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
