"""Lists of operations beside the ledger of bytes and FLOPs, and beside the operators of real steps."""

from __future__ import annotations

from typing import Any

import pytest

from techniques import option
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.ledger import step_cost
from techniques.architecture.operations.step import training_step
from techniques.architecture.readout import Readout
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.hardware.operations import Kind, gemm_flops
from techniques.step_shape import LayerShape, StepShape

WIDTHS = (24, 16, 16, 5)
SHAPE = StepShape(
    tuple(LayerShape.homogeneous(*one) for one in ((900.0, 400.0, 2_000.0), (400.0, 90.0, 700.0), (90.0, 20.0, 150.0))),
    20.0,
)


def architecture(name: str) -> Any:
    found: Any = option(Slot.ARCHITECTURE, name)
    return found


@pytest.mark.parametrize("sampling, wide", [("full_batch", False), ("neighbor", True)])
def test_flops_of_sparse_rows_are_uncertain_where_batches_choose_the_rows(
    sampling: str, wide: bool, make_facts: Any, spec_for: Any
) -> None:
    facts = make_facts((10_000, 50_000, 2_000, 5))
    chosen = {"sampling": sampling, "architecture": "gcn", "representation": "csr", "representation.features": "csr"}
    found = forecast(spec_for(facts, chosen), facts).aggregation_flops_per_epoch
    assert (found.high > 1.1 * found.expected) is wide


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", ["gcn", "sage", "gin", "gat", "gatv2", "appnp"])
def test_dense_flops_are_those_of_the_ledger(name: str, fused: bool, first: bool) -> None:
    this = architecture(name)
    first = first and name in ("sage", "gin")
    sizes = shape_sizes(SHAPE, WIDTHS, fused, first, heads=4 if "gat" in name else 1)
    ledger = step_cost([(size, this.layer_cost(size)) for size in sizes], SHAPE.seeds)
    listed = training_step(sizes, this.layer_operations, SHAPE.seeds, Readout.NODES, 5, ledger.parameters)
    assert gemm_flops(listed) == pytest.approx(ledger.gemm_flops)


def test_fused_sums_make_no_row_per_edge() -> None:
    this = architecture("sage")
    for fused, kinds in ((True, {Kind.SPMM}), (False, {Kind.GATHER, Kind.SCATTER, Kind.INDEX_ADD})):
        sizes = shape_sizes(SHAPE, WIDTHS, fused, transform_first=False)
        listed = [one.kind for size in sizes for part in this.layer_operations(size) for one in part]
        assert kinds <= set(listed)
        assert (Kind.SPMM in listed) is fused


@pytest.mark.parametrize(
    ("name", "fused"), [("gcn", True), ("gcn", False), ("sage", True), ("sage", False), ("gin", True), ("gat", False)]
)
def test_operators_of_a_step_are_about_those_that_torch_dispatches(name: str, fused: bool) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    from tuner.calibrate.step import step_of

    class Count(TorchDispatchMode):
        dispatched = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            Count.dispatched += 1
            return func(*args, **(kwargs or {}))

    _, work, operations, _ = step_of(architecture(name), fused, nodes=40, edges=120, columns=8, depth=3)
    work()
    with Count():
        work()
    listed = sum(one.inner if one.kind is Kind.LAUNCH else 1.0 for one in operations)
    assert listed == pytest.approx(Count.dispatched, rel=0.35)


def test_a_maximum_of_many_edges_takes_some_columns_at_a_time() -> None:
    from techniques.architecture.operations.sage import sage_max

    def made(edges: float) -> list[float]:
        shape = StepShape((LayerShape.homogeneous(1e5, 1e5, edges),) * 2, 1e5)
        size = shape_sizes(shape, (64, 64, 64), False, transform_first=False, heads=1)[1]
        return [one.columns for one in sage_max(size).forward if one.kind is Kind.MAXIMUM]

    assert made(2**18) == [64.0]  # 64 MiB at once
    assert made(2**20) == [16.0] * 4
