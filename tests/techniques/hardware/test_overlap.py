from __future__ import annotations

from typing import Any

import pytest

from planner.costing import cost
from techniques.hardware.overlap import epoch_seconds, share_from


def test_batches_made_when_they_are_asked_for_add_up() -> None:
    assert epoch_seconds(8.0, 2.0, 10, share=0.0, ahead=False) == 10.0


def test_batches_made_ahead_hide_behind_the_steps_but_for_the_first() -> None:
    assert epoch_seconds(10.0, 2.0, 10, share=0.0, ahead=True) == pytest.approx(10.2)


def test_the_slower_of_both_decides() -> None:
    assert epoch_seconds(1.0, 10.0, 10, share=0.0, ahead=True) == pytest.approx(10.1)


def test_without_a_core_to_spare_the_maker_takes_its_turns() -> None:
    assert epoch_seconds(10.0, 4.0, 10, 0.0, True) < epoch_seconds(10.0, 4.0, 10, 0.5, True) < 14.0


def test_one_step_has_nothing_to_hide_behind() -> None:
    assert epoch_seconds(3.0, 2.0, 1, share=0.5, ahead=True) == 5.0


def test_the_share_is_found_again() -> None:
    assert share_from(epoch_seconds(10.0, 4.0, 10, 1.3, True), 10.0, 4.0, 10) == pytest.approx(1.3)


def test_a_measured_share_counts_where_no_core_is_to_spare(
    make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any
) -> None:
    def seconds(share: float, threads: int) -> float:
        found = make_calibration(edge=1e-6).model_copy(update={"making_shares": {"csr": share, "coo": share}})
        facts = make_facts(machine=make_machine(cores=2).model_copy(update={"calibration": found}))
        spec = spec_for(facts, {"architecture": "gcn", "sampling": "neighbor"}, threads=threads)
        return cost(facts, spec).epoch_seconds.expected

    assert seconds(2.0, 2) > 1.01 * seconds(0.0, 2)
    assert seconds(2.0, 1) == seconds(0.0, 1)


def test_a_thread_that_makes_batches_takes_a_start(
    make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any
) -> None:
    def seconds(start: float, prefetch: int) -> float:
        found = make_calibration().model_copy(update={"epoch_start_seconds": start})
        facts = make_facts(machine=make_machine().model_copy(update={"calibration": found}))
        spec = spec_for(facts, {"architecture": "gcn", "sampling": "neighbor"}, prefetch=prefetch)
        return cost(facts, spec).epoch_seconds.expected

    assert seconds(0.5, 2) == pytest.approx(seconds(0.0, 2) + 0.5)
    assert seconds(0.5, 0) == seconds(0.0, 0)


@pytest.mark.parametrize(("threads", "cores", "wider"), [(1, 2, True), (1, 4, False), (2, 2, False)])
def test_other_work_may_take_the_one_core_that_is_to_spare(
    threads: int, cores: int, wider: bool, make_facts: Any, spec_for: Any, make_calibration: Any, make_machine: Any
) -> None:
    found = make_calibration(edge=1e-6).model_copy(update={"making_shares": {"csr": 1.0, "coo": 1.0}})
    facts = make_facts(machine=make_machine(cores=cores).model_copy(update={"calibration": found}))
    spec = spec_for(facts, {"architecture": "gcn", "sampling": "neighbor"}, threads=threads)
    range_ = cost(facts, spec).epoch_seconds
    below, above = range_.expected / range_.low, range_.high / range_.expected
    assert above > 1.05 * below if wider else above == pytest.approx(below)
