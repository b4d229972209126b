from __future__ import annotations

from typing import Any

import pytest

from planner.costing import cost
from techniques.forecast import Level
from techniques.hardware.calibration import Calibration
from techniques.hardware.grid import Grid


def test_a_saved_plan_names_its_calibration_without_its_rates(make_calibration: Any) -> None:
    found = make_calibration()
    assert set(found.model_dump(mode="json")) >= {"date", "fingerprint"}
    assert "rates" not in found.model_dump(mode="json")
    assert Calibration.model_validate_json(found.to_document()) == found


def test_the_nearest_number_of_threads_counts(make_calibration: Any) -> None:
    one = make_calibration()
    both = one.model_copy(update={"rates": (one.rates[0].model_copy(update={"threads": 8}), one.rates[0])})
    assert [both.at(threads).threads for threads in (1, 2, 5, 6, 64)] == [2, 2, 8, 8, 8]


def test_forecasts_follow_what_was_measured(
    make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any
) -> None:
    def seconds(**rates: float) -> float:
        machine = make_machine().model_copy(update={"calibration": make_calibration(**rates)})
        facts = make_facts(machine=machine)
        figures = cost(facts, spec_for(facts, {"architecture": "gcn", "sampling": "full_batch"}))
        return figures.epoch_seconds.expected

    assert seconds(work=2e-9, operator=0.0, step=0.0) == pytest.approx(
        2 * seconds(work=1e-9, operator=0.0, step=0.0), 0.01
    )
    assert seconds(step=0.5) - seconds(step=0.1) == pytest.approx(0.4, 0.01)


def test_slower_sampling_is_seen(make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any) -> None:
    def seconds(edge: float) -> float:
        machine = make_machine().model_copy(update={"calibration": make_calibration(edge=edge)})
        facts = make_facts(machine=machine)
        return cost(facts, spec_for(facts, {"architecture": "gcn", "sampling": "neighbor"})).epoch_seconds.expected

    assert seconds(1e-4) > 2 * seconds(1e-9)


def test_levels(make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any) -> None:
    calibrated = make_machine().model_copy(update={"calibration": make_calibration()})
    plain, better = make_facts(), make_facts(machine=calibrated)
    spec, draw = spec_for(plain, {"sampling": "full_batch"}), lambda batches: ()
    assert cost(plain, spec).level is Level.COUNTS
    assert cost(plain, spec, draw).level is Level.GRAPH
    assert cost(better, spec, draw).level is Level.CALIBRATED
    narrow, wide = cost(better, spec, draw).epoch_seconds, cost(plain, spec, draw).epoch_seconds
    assert narrow.high / narrow.low < wide.high / wide.low


def test_steps_are_corrected_by_what_such_steps_took(
    make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any
) -> None:
    def seconds(steps: dict[str, Grid], representation: str = "csr") -> float:
        found = make_calibration(step=0.0)
        rates = tuple(one.model_copy(update={"steps": steps}) for one in found.rates)
        facts = make_facts(
            machine=make_machine().model_copy(update={"calibration": found.model_copy(update={"rates": rates})})
        )
        chosen = {"architecture": "gcn", "sampling": "full_batch", "representation": representation}
        return cost(facts, spec_for(facts, chosen)).epoch_seconds.expected

    three, five = (Grid(axes=((1.0,),), values=(value,)) for value in (3.0, 5.0))
    plain, tripled = seconds({}), seconds({"gcn/csr": three})
    assert plain < tripled < 3 * plain  # but for dense products
    assert seconds({"gcn/csr": five}) - plain == pytest.approx(2 * (tripled - plain))
    assert seconds({"gin/csr": three}) == pytest.approx(tripled)  # no such step was taken: as others of its kind
    assert seconds({"gin/coo": three}) == pytest.approx(plain)
