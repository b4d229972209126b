from __future__ import annotations

import pytest

from techniques.hardware.overlap import epoch_seconds


def test_batches_made_when_they_are_asked_for_add_up() -> None:
    assert epoch_seconds(8.0, 2.0, 10, cores=4, spare=3, ahead=False) == 10.0


def test_batches_made_ahead_hide_behind_the_steps_but_for_the_first() -> None:
    assert epoch_seconds(10.0, 2.0, 10, cores=4, spare=2, ahead=True) == pytest.approx(10.2)


def test_the_slower_of_both_decides() -> None:
    assert epoch_seconds(1.0, 10.0, 10, cores=4, spare=2, ahead=True) == pytest.approx(10.1)


def test_without_a_core_to_spare_the_maker_takes_its_turns() -> None:
    spare = epoch_seconds(10.0, 4.0, 10, cores=2, spare=1, ahead=True)
    none = epoch_seconds(10.0, 4.0, 10, cores=2, spare=0, ahead=True)
    assert spare < none < 14.0


def test_one_step_has_nothing_to_hide_behind() -> None:
    assert epoch_seconds(3.0, 2.0, 1, cores=8, spare=7, ahead=True) == 5.0
