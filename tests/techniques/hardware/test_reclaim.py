"""Memory that a hypervisor takes back while it is free."""

from __future__ import annotations

from typing import Any

import pytest

from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import MAPPED_BYTES
from techniques.hardware.operations import gather, stream
from techniques.hardware.prices import CalibratedPrices
from techniques.hardware.rates import Rates
from techniques.hardware.reclaim import FREE_SHARE, free_bytes, mapped_bytes, refilled, slowdown

GB = 1e9


def test_only_what_is_mapped_is_taken() -> None:
    assert free_bytes(GB, (1e6, 2e6)) == 0.0
    assert free_bytes(GB, (MAPPED_BYTES, 1e8)) == FREE_SHARE * GB
    assert mapped_bytes([gather(1e6, 64, 1e3), gather(1e3, 64, 1e3), stream(1e6, 64)]) == 4 * 64e6


def test_time_between_reports_shrinks_by_what_is_made_again() -> None:
    assert slowdown(1.0, 10 * GB, 0.5 * GB, 0.0) == 1.0
    assert slowdown(1.0, 10 * GB, 0.5 * GB, 2e-9) == pytest.approx(2.0)  # one of two seconds


def test_no_byte_is_lost_more_often_than_it_is_made() -> None:
    assert slowdown(1.0, 1e8, 1.0 * GB, 2e-9) == pytest.approx(1.2)


def test_an_epoch_fills_what_an_evaluation_long_enough_has_lost(make_facts: Any, make_calibration: Any) -> None:
    rates = make_calibration().rates[0].model_copy(update={"reclaimed_seconds": 1e-9})
    speed = Rates(Place.HOST, 1e9, 1e9, 0.0, CalibratedPrices(rates), measured=rates)
    before = Forecast(facts=make_facts()).spike(Phase.TRAIN, Place.HOST, Range.exact(int(GB / 2)))
    seconds = {long: _refilled(before, long, speed) for long in (0.0, 1.0, 2.0, 9.0)}
    assert seconds == pytest.approx({0.0: 0.0, 1.0: 0.25, 2.0: 0.5, 9.0: 0.5})


def _refilled(before: Forecast, evaluating: float, speed: Rates) -> float:
    judged = before.spend(Phase.EVALUATE, Range.exact(evaluating))
    return refilled(judged, speed).phases[Phase.TRAIN].seconds.expected


def test_tensors_that_threads_share_cost_waking_them(make_calibration: Any) -> None:
    rates = make_calibration().rates[0]
    shared = CalibratedPrices(rates.model_copy(update={"sharing_seconds": 1e-3}))
    alone = CalibratedPrices(rates)
    large, small = [stream(1_000, 64)], [stream(100, 64)]
    assert shared.seconds(large) - alone.seconds(large) == pytest.approx(1e-3)
    assert shared.seconds(small) == alone.seconds(small)
