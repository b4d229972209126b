from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.inspect.estimate import from_counts
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.inspect.machine import inspect_machine
from tuner.planning import kept_plan


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
