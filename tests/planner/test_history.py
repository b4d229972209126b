from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.api import with_history
from planner.costing import Costed, cost
from planner.history import LEAST_ROWS, corrections, history_line, history_path, read_history
from planner.ranking import forecast_reasons


def row(expected: float = 1.0, measured: float = 2.0, **changed: Any) -> dict[str, Any]:
    found = {"machine": "here", "architecture": "gcn", "representation": "csr", "sampling": "full_batch"}
    return found | {"level": "counts", "epoch_seconds": [expected, measured], "peak_host_bytes": [2e8, 1e8]} | changed


def test_damaged_lines_and_other_machines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join([json.dumps(row()), "{", "[]", json.dumps(row(machine="there"))]))
    assert len(read_history(file, "here")) == 1
    assert read_history(tmp_path / "none") == []


def test_it_can_be_switched_off() -> None:
    assert history_path({"GNNFIT_HISTORY": "off", "GNNFIT_HOME": "/there"}) is None
    assert history_path({"GNNFIT_HOME": "/there"}) == Path("/there/history.jsonl")


def test_the_median_corrects_once_there_are_enough() -> None:
    assert corrections([row()] * (LEAST_ROWS - 1)) == ()
    (found,) = corrections([row()] * LEAST_ROWS + [row(measured=99.0)])
    assert (found.seconds, found.memory, found.rows) == (2.0, 0.5, LEAST_ROWS + 1)


def test_peaks_of_small_graphs_do_not_correct_those_of_large_ones() -> None:
    (found,) = corrections([row(peak_host_bytes=[20e6, 5e6])] * LEAST_ROWS + [row()] * (LEAST_ROWS - 1))
    assert (found.seconds, found.memory) == (2.0, 1.0)


def test_nothing_is_corrected_without_bounds() -> None:
    (found,) = corrections([row(measured=1e9)] * LEAST_ROWS)
    assert found.seconds == 4.0


def test_forecasts_are_corrected_and_say_so(make_facts: Any, spec_for: Any) -> None:
    plain = make_facts()
    spec = spec_for(plain, {"architecture": "gcn", "sampling": "full_batch", "representation": "csr"})
    known = plain.model_copy(update={"corrections": corrections([row()] * LEAST_ROWS)})
    before, after = cost(plain, spec), cost(known, spec)
    assert after.epoch_seconds.expected == pytest.approx(2 * before.epoch_seconds.expected)
    assert after.peak_host_bytes.high == pytest.approx(before.peak_host_bytes.high / 2)
    assert [reason.fact for reason in forecast_reasons(known, Costed(spec, after))] == ["history"]
    assert forecast_reasons(plain, Costed(spec, before)) == []
    other = spec_for(plain, {"architecture": "sage", "sampling": "full_batch", "representation": "csr"})
    assert cost(known, other) == cost(plain, other)


def test_a_history_that_is_asked_and_says_nothing_is_told(make_facts: Any, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("GNNFIT_HOME", str(tmp_path))
    note = with_history(make_facts()).hardware.notes[-1]
    assert note.startswith("history corrects nothing: 0 measurements") and f"{LEAST_ROWS} are needed" in note


def test_one_line_says_how_right_they_were() -> None:
    assert history_line([]) == "no measurements on this machine yet"
    assert (
        history_line([row()] * 3)
        == "3 measurements on this machine; median error of the forecasts: memory 100%, time 50%"
    )


def test_epochs_are_corrected_by_trainings_that_converged() -> None:
    still = [row(epochs=[100, 40], converged=False)] * LEAST_ROWS
    assert corrections(still)[0].epochs == 1.0
    assert corrections([*still, *[row(epochs=[100, 50], converged=True)] * LEAST_ROWS])[0].epochs == 0.5
