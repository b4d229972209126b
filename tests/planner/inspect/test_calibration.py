from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.inspect.calibration import calibrated, gnnfit_home, read_calibration
from planner.inspect.estimate import from_counts
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from techniques.errors import InputError


def test_the_home_is_stated_or_the_cache() -> None:
    assert gnnfit_home({"GNNFIT_HOME": "/a"}) == Path("/a")
    assert gnnfit_home({"XDG_CACHE_HOME": "/b"}) == Path("/b/gnnfit")


def test_without_a_calibration_the_machine_is_as_it_is(make_machine: Any, tmp_path: Path) -> None:
    assert calibrated(make_machine(), tmp_path / "none.json") == make_machine()


def test_one_of_other_hardware_does_not_count(make_machine: Any, make_calibration: Any, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(make_calibration(fingerprint="another").to_document())
    found = calibrated(make_machine(), file)
    assert found.calibration is None
    assert "calibration left out: it is of another" in found.notes[-1]


def test_one_of_this_hardware_counts_and_warns_when_old_or_of_other_packages(
    make_machine: Any, make_calibration: Any, tmp_path: Path
) -> None:
    file = tmp_path / "calibration.json"
    there = make_calibration(fingerprint=machine_fingerprint(make_machine()))
    there = there.model_copy(update={"packages": {"torch": "1.0"}, "date": "2020-01-01T00:00:00+00:00"})
    file.write_text(there.to_document())
    found = calibrated(make_machine(), file)
    assert found.calibration == there
    assert any("torch 1.0 then" in note for note in found.notes)
    assert any("days ago" in note for note in found.notes)


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1}'])
def test_what_is_none_is_said(text: str, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(text)
    with pytest.raises(InputError, match="gnnfit calibrate"):
        read_calibration(file)


def test_plans_use_it_by_default_here_and_name_it(
    make_calibration: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNNFIT_HOME", str(tmp_path))
    counts = from_counts(2_000, 10_000, 16, 3, directed=False)
    there = make_calibration(fingerprint=machine_fingerprint(inspect_machine()), step=100.0)
    (tmp_path / "calibration.json").write_text(there.to_document())
    made, without, elsewhere = plan(counts), plan(counts, calibration=False), plan(counts, on="laptop-16gb")
    assert made.best is not None and without.best is not None and elsewhere.best is not None
    assert made.best.forecast.epoch_seconds.expected > 90 > without.best.forecast.epoch_seconds.expected
    assert elsewhere.best.forecast.epoch_seconds.expected < 90
    assert "calibrated 2026-01-02" in str(made)
    assert "calibrated" not in str(without)


def test_like_machines_have_one_fingerprint(make_machine: Any) -> None:
    assert machine_fingerprint(make_machine()) == machine_fingerprint(make_machine())
    assert "2 cores" in machine_fingerprint(make_machine())
    assert "no GPU" in machine_fingerprint(make_machine())
    prints = {machine_fingerprint(one) for one in (make_machine(), make_machine(cores=4), make_machine(device=2**34))}
    assert len(prints) == 3
