from __future__ import annotations

from typing import Any

import pytest

from techniques.hardware.operations import Kind, Operation, fused_sum, gather, launches, product, scatter, stream
from techniques.hardware.prices import CalibratedPrices, PublishedPrices, published_prices

HOST = PublishedPrices(20e9, 100e9, on_host=True)


def test_calibrated_prices_count_work_and_operators(make_calibration: Any) -> None:
    prices = CalibratedPrices(make_calibration(work=1e-9, operator=1e-6).rates[0])
    assert prices.seconds([product(1000, 20, 30)]) == pytest.approx(1e-9 * 600_000 + 1e-6, rel=1e-3)
    assert prices.seconds([fused_sum(100, 8, 5_000, 100)]) == pytest.approx(1e-9 * 40_000 + 1e-6, rel=1e-3)
    assert prices.seconds([stream(100, 10, 3)]) == pytest.approx(1e-9 * 3_000 + 1e-6, rel=1e-3)
    assert prices.seconds([launches(7)]) == pytest.approx(7e-6)


def test_new_tensors_cost_more_than_those_that_are_there(make_calibration: Any) -> None:
    prices = CalibratedPrices(make_calibration().rates[0])
    assert prices.seconds([stream(1e6, 100, 2, fresh=True)]) > prices.seconds([stream(1e6, 100, 2)])
    assert HOST.seconds([stream(1e6, 100, 2, fresh=True)]) > 1.5 * HOST.seconds([stream(1e6, 100, 2)])


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.LAUNCH])
@pytest.mark.parametrize("on_host", [True, False])
def test_more_of_everything_takes_longer(kind: Kind, on_host: bool) -> None:
    prices = PublishedPrices(20e9, 100e9, on_host=on_host)
    small, large = Operation(kind, 1e5, 64, 1e6, 1e5), Operation(kind, 1e6, 64, 1e7, 1e6)
    assert 0 < prices.seconds([small]) < prices.seconds([large])


def test_rows_that_caches_hold_are_gathered_faster() -> None:
    near, far = (gather(1e6, 64, rows)._replace(fresh=False) for rows in (1_000, 1e6))
    assert 2 * HOST.seconds([near]) < HOST.seconds([far])


def test_an_empty_operation_takes_no_work(make_calibration: Any) -> None:
    prices = CalibratedPrices(make_calibration().rates[0])
    assert prices.seconds([fused_sum(0, 8, 0, 0)]) == 0.0


def test_an_operation_is_priced_once() -> None:
    prices, asked = PublishedPrices(20e9, 100e9, on_host=True), [gather(1e5, 64, 1e4), launches(3)]
    assert prices.seconds(asked * 50) == pytest.approx(50 * HOST.seconds(asked))
    assert set(prices.known) == set(asked)
    assert published_prices(1e9, 1e9, on_host=True) is published_prices(1e9, 1e9, on_host=True)


def test_wide_rows_come_as_a_stream() -> None:
    def per_value(columns: int) -> float:
        far = fused_sum(1e5, columns, 1e6, 1e6)._replace(fresh=False)
        return HOST.seconds([far]) / (1e6 * columns)

    assert 2 * per_value(2048) < per_value(128) < per_value(16)
    assert per_value(2048) > 4 / 20e9  # a stream of the rows, no less


def test_sums_by_target_in_caches_take_no_less_with_more_threads() -> None:
    one, two = PublishedPrices(10e9, 50e9, on_host=True), PublishedPrices(20e9, 100e9, on_host=True, threads=2)
    near = scatter(1_000, 64, 1e5)._replace(fresh=False)
    assert two.seconds([near]) == pytest.approx(one.seconds([near]))
    assert two.seconds([gather(1e5, 64, 1_000)]) < 0.6 * one.seconds([gather(1e5, 64, 1_000)])
