"""What is measured is finite and scales; how long it takes is nobody's test."""

from __future__ import annotations

from typing import Any

import pytest

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from tuner.calibrate import elements, products, steps, sums
from tuner.calibrate.api import thread_counts
from tuner.calibrate.text import calibration_text
from tuner.calibrate.timing import seconds_of


@pytest.mark.parametrize(("cores", "threads"), [(1, [1]), (2, [1, 2]), (3, [1, 3]), (16, [1, 8, 16])])
def test_thread_counts(cores: int, threads: list[int]) -> None:
    assert thread_counts(cores) == threads


def test_a_turn_that_is_not_counted_comes_first() -> None:
    calls: list[int] = []
    assert seconds_of(lambda: calls.append(1), 0.0, least=3) > 0
    assert len(calls) == 4


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_every_kind_of_operation_has_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ROWS", (10, 20))
    monkeypatch.setattr(products, "WIDTHS", (2, 4))
    monkeypatch.setattr(sums, "TABLE_BYTES", (2**10, 2**12))
    monkeypatch.setattr(sums, "VALUES", 1_000)
    monkeypatch.setattr(elements, "BYTES", (2**8, 2**10))
    monkeypatch.setattr(elements, "PARAMETERS", (10, 100))
    monkeypatch.setattr(elements, "SPARSE", ((50, 20, 3), (100, 30, 4)))
    grids = products.measure_products() | sums.measure_sums() | elements.measure_elements()
    assert set(grids) == set(Kind) - {Kind.LAUNCH}
    for grid in grids.values():
        assert all(0 < value < 1 for value in grid.values)


def test_the_text_says_every_thread_count(make_calibration: Any) -> None:
    text = calibration_text(make_calibration())
    assert "2 threads" in text and "host to device: not measured" in text


def test_whole_steps_of_every_architecture_are_compared_with_their_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SIZES", ((20, 60), (40, 120)))
    monkeypatch.setattr(steps, "COLUMNS", 4)
    prices = iter(range(1_000, 1_100))
    grids = steps.measure_steps(lambda operations: float(next(prices)), 0.0)
    assert {"gcn/csr", "gcn/coo", "sage/csr", "sage max/coo", "gat/coo", "gatv2/coo", "appnp/csr"} <= set(grids)
    assert "sage max/csr" not in grids
    first, second = grids["gcn/csr"].axes[0]
    assert (first, second) == (1_000.0, 1_001.0)
    assert all(
        value == pytest.approx(0.1) for grid in grids.values() for value in grid.values
    )  # seconds priced, not taken


def test_a_step_that_met_other_work_is_pulled_to_the_others() -> None:
    grids = {name: Grid(axes=((1.0,),), values=(value,)) for name, value in (("a", 1.0), ("b", 1.0), ("c", 4.0))}
    assert [one.values[0] for one in steps.pulled(grids).values()] == [1.0, 1.0, 2.0]
