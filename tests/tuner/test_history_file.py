from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from planner.costing import cost
from planner.history import corrections, read_history
from tuner.history import remember
from tuner.records import Measurement, TrialState


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNNFIT_HOME", str(tmp_path))
    monkeypatch.delenv("GNNFIT_HISTORY", raising=False)
    return tmp_path / "history.jsonl"


MEASURED = Measurement(state=TrialState.COMPLETE, epoch_seconds=2.0, peak_host_bytes=10**8, epochs=3)


def test_a_measurement_is_a_line_without_paths(home: Path, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    spec = spec_for(facts)
    remember(facts, spec, cost(facts, spec), MEASURED)
    (row,) = read_history(home)
    assert row["epoch_seconds"][1] == 2.0
    assert "/" not in home.read_text().replace("+00:00", "")


def test_what_failed_is_not_kept(home: Path, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    spec = spec_for(facts)
    remember(facts, spec, cost(facts, spec), Measurement(state=TrialState.TIMED_OUT))
    assert not home.exists()


def test_off_writes_nothing(home: Path, make_facts: Any, spec_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNFIT_HISTORY", "off")
    facts = make_facts()
    spec = spec_for(facts)
    remember(facts, spec, cost(facts, spec), MEASURED)
    assert not home.exists()


def test_several_may_append_at_once(home: Path, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    spec = spec_for(facts)
    figures = cost(facts, spec)
    threads = [threading.Thread(target=remember, args=(facts, spec, figures, MEASURED)) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len([json.loads(line) for line in home.read_text().splitlines()]) == 20


def test_corrected_forecasts_are_remembered_as_they_were_before(home: Path, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    spec = spec_for(facts)
    plain = cost(facts, spec)
    for _ in range(5):
        remember(facts, spec, plain, MEASURED)
    known = facts.model_copy(update={"corrections": corrections(read_history(home))})
    remember(known, spec, cost(known, spec), MEASURED)
    rows = read_history(home)
    assert rows[-1]["epoch_seconds"] == pytest.approx(rows[0]["epoch_seconds"])
