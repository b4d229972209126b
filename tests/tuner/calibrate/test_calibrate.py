"""What is measured is finite and scales; how long it takes is nobody's test."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from techniques.hardware.grid import Grid
from techniques.hardware.operations import DENSE, Kind, Operation
from tuner.calibrate import batches, elements, others, overhead, products, reclaimed, rounds, steps, sums
from tuner.calibrate.api import thread_counts
from tuner.calibrate.baseline import measure_baseline
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
    monkeypatch.setattr(sums, "ROWS_BYTES", 2**14)
    monkeypatch.setattr(elements, "BYTES", (2**8, 2**10))
    monkeypatch.setattr(elements, "RANDOM_BYTES", (2**8, 2**10))
    monkeypatch.setattr(elements, "PARAMETERS", (10, 100))
    monkeypatch.setattr(elements, "SPARSE", ((50, 20, 3), (100, 30, 4)))
    grids = products.measure_products() | sums.measure_sums() | elements.measure_elements()
    assert set(grids) == set(Kind) - {Kind.LAUNCH}
    for grid in grids.values():
        assert all(0 < value < 1 for value in grid.values)


def test_the_text_says_every_thread_count(make_calibration: Any) -> None:
    text = calibration_text(make_calibration())
    assert "2 threads" in text and "host to device: not measured" in text
    assert "other work took 40%" in calibration_text(make_calibration().model_copy(update={"others_share": 0.4}))


def test_whole_steps_of_every_architecture_are_compared_with_their_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SIZES", ((20, 60), (40, 120), (80, 240)))
    monkeypatch.setattr(steps, "COLUMNS", 4)
    found = steps.whole_steps()

    def price(operations: list[Operation]) -> float:
        return float(sum(10.0 if one.kind in DENSE else 1.0 for one in operations))

    dense = [10.0 * sum(one.kind in DENSE for one in step.operations) for step in found]
    taken = [
        5.0 + products + 3.0 * (price(step.operations) - products) for step, products in zip(found, dense, strict=True)
    ]
    grids = steps.step_factors(found, taken, price, 5.0)
    assert {"gcn/csr", "gcn/coo", "sage/csr", "sage max/coo", "gat/coo", "gatv2/coo", "appnp/csr"} == set(grids) - {
        "sage/coo", "gin/csr", "gin/coo", "appnp/coo"
    }  # fmt: skip
    assert all(value == pytest.approx(3.0) for grid in grids.values() for value in grid.values)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_what_the_process_holds_is_its_baseline(make_facts: Any) -> None:
    before = measure_baseline(make_facts().hardware)
    held = bytearray(b"x" * 50_000_000)
    assert measure_baseline(make_facts().hardware) - before == pytest.approx(len(held), rel=0.2)


def test_what_sharing_an_operator_takes_is_found_beside_a_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SIZES", ((2_000, 4_000), (4_000, 8_000), (6_000, 12_000)))
    monkeypatch.setattr(steps, "COLUMNS", 32)
    found = steps.whole_steps()

    def price(operations: list[Operation]) -> float:
        return float(sum(1e-9 * one.rows * one.columns for one in operations))

    taken = [5.0 + 1.2 * price(rest) + price(dense) + 6e-5 * shared for rest, dense, shared in map(_told_apart, found)]
    assert steps.sharing_seconds(found, taken, price, 5.0) == pytest.approx(6e-5)


def _told_apart(step: Any) -> tuple[list[Operation], list[Operation], int]:
    rest, dense = ([one for one in step.operations if (one.kind in DENSE) is apart] for apart in (False, True))
    large = [one for one in step.operations if one.rows * one.columns >= 32_768 and one.kind is not Kind.RANDOM]
    return rest, dense, len(large)


def test_rows_per_entry_take_turns_in_memory_that_caches_do_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "ROWS_BYTES", 2**12)
    monkeypatch.setattr(sums, "_memory", lambda values, what: torch.ones(values))
    turns = sums._turns(rows=16, columns=8)
    starts = [next(turns).data_ptr() for _ in range(16)]
    assert len(set(starts)) == 8 and starts[:8] == starts[8:]


def test_memory_that_a_report_has_taken_is_priced_by_free_byte_and_the_middle_report_counts() -> None:
    steady, slow, slower = [0.02] * 100, [*[0.02] * 90, 0.18], [0.02, 0.029, 0.98]
    assert reclaimed.reclaimed_seconds([steady, steady, slow]) == 0.0
    assert reclaimed.reclaimed_seconds([steady, slow, slower]) * reclaimed.FREE_BYTES == pytest.approx(0.16)


def test_large_steps_that_are_not_timed_are_taken_to_be_like_the_others() -> None:
    whole = steps.whole_steps()
    assert [one.name for one in whole if not one.timed] == [
        "appnp/csr", "gin/coo", "appnp/coo", "sage max/coo", "gatv2/coo"
    ]  # fmt: skip
    assert all(len(one.operations) > 10 for one in whole)
    found = steps.pulled({"a": [(1.0, 1.0), (5.0, 2.0)], "b": [(1.0, 1.0), (6.0, None)]})
    assert found["a"].values == (1.0, 2.0) and found["b"] == Grid(axes=((1.0, 6.0),), values=(1.0, 2.0))


def test_overheads_are_found_again() -> None:
    found = overhead.tiny_steps()
    price = lambda operations: 1e-6 * len(operations)  # noqa: E731
    taken = [
        2e-3
        + price(step.operations)
        + 3e-6 * sum(one.inner if one.kind is Kind.LAUNCH else 1.0 for one in step.operations)
        for step in found
    ]
    assert overhead.overhead(found, taken, price) == (pytest.approx(3e-6), pytest.approx(2e-3))


def test_of_every_point_the_quickest_round_counts_and_how_far_the_slowest_lay_above_is_said() -> None:
    def grid(*values: float) -> Grid:
        return Grid(axes=((1.0, 2.0),), values=values)

    quiet, busy = (rounds.Round({Kind.STREAM: one}, one, (), ()) for one in (grid(1.0, 4.0), grid(2.0, 2.0)))
    assert rounds.fewest([quiet.grids[Kind.STREAM], busy.grids[Kind.STREAM]]) == grid(1.0, 2.0)
    assert rounds.varied([quiet, busy]) == 2.0


def test_what_others_take_is_told_apart_from_what_is_ones_own() -> None:
    before, after = others.Spent(100.0, 10.0, 0.0), others.Spent(115.0, 15.0, 10.0)
    assert others.others_share(before, after, cores=2) == pytest.approx(0.5)
    assert others.others_share(before, after._replace(own_seconds=26.0), cores=2) == 0.0


def test_a_step_that_met_other_work_is_pulled_to_the_others() -> None:
    points: dict[str, list[steps.Point]] = {"a": [(7.0, 1.0)], "b": [(7.0, 1.0)], "c": [(7.0, 4.0)]}
    assert [one.values[0] for one in steps.pulled(points).values()] == [1.0, 1.0, 2.0]


def test_what_a_thread_adds_to_an_epoch_is_what_batches_made_ahead_take_more(
    monkeypatch: pytest.MonkeyPatch, make_machine: Any
) -> None:
    assert 0.0 <= batches.measure_epoch_start(make_machine()) < 1.0
    monkeypatch.setattr(batches, "_batch", lambda *given: (0.003 if given[-1] else 0.001, 1.0))
    assert batches.measure_epoch_start(make_machine()) == pytest.approx(0.002)
