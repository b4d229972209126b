"""Qualities against hand-made values, FLOPs against PyTorch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, addmm_flop, mm_flop

from tuner.metrics import EpochShapes, flops, thop_macs
from tuner.quality import accuracy, macro_f1, micro_f1
from tuner.training import train_epoch

JOBS = [
    (name, form) for name in ("gcn", "sage", "gat", "gin") for form in ("coo", "csr") if (name, form) != ("gat", "csr")
]


def test_accuracy_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    assert accuracy(logits, torch.tensor([0, 1, 1, 1])) == 0.75


def test_macro_f1_by_hand() -> None:
    """Predicted 0 0 1 1, wanted 0 1 1 1: F1 is 2/3 and 4/5; class 2 occurs nowhere and does not count."""
    logits = torch.eye(3)[[0, 0, 1, 1]]
    assert macro_f1(logits, torch.tensor([0, 1, 1, 1])) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_multi_label_f1_by_hand() -> None:
    """Label a: 1 hit, 1 false alarm, 1 miss (F1 1/2); label b: 2 hits (F1 1); label c occurs nowhere."""
    logits = torch.tensor([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    wanted = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert micro_f1(logits, wanted) == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))
    assert macro_f1(logits, wanted) == pytest.approx((1 / 2 + 1) / 2)
    nothing = torch.zeros(2, 3)
    assert micro_f1(nothing, nothing) == 0.0
    assert macro_f1(nothing, nothing) == 0.0


def _job(architecture: str, representation: str, tiny: Any, profiled: Any, spec_for: Any, make_job: Any) -> Any:
    stored = tiny(features="dense")
    facts = profiled(stored)
    chosen = {
        "architecture": architecture,
        "representation": representation,
        "sampling": "full_batch",
        "representation.features": "dense",
    }
    return make_job(facts, stored, spec_for(facts, chosen, hidden=8, layers=2))


@pytest.mark.parametrize("architecture, representation", JOBS)
def test_flops_are_what_torch_counts_in_a_real_epoch(
    architecture: str, representation: str, tiny: Any, profiled: Any, spec_for: Any, make_job: Any
) -> None:
    job = _job(architecture, representation, tiny, profiled, spec_for, make_job)
    shapes = EpochShapes(len(job.model.convs))
    for batch in job.batches():
        shapes.add(batch)
    ours = flops(job, shapes)
    with _DenseProducts() as counter:
        train_epoch(job)
    assert ours.gemm == counter.flops
    assert ours.aggregation > 0


@pytest.mark.parametrize("architecture, representation", JOBS)
def test_thop_taught_our_layers_counts_what_torch_counts(
    architecture: str, representation: str, tiny: Any, profiled: Any, spec_for: Any, make_job: Any
) -> None:
    pytest.importorskip("thop")
    job = _job(architecture, representation, tiny, profiled, spec_for, make_job)
    batch = next(iter(job.moved_batches()))
    with _DenseProducts() as counter, torch.no_grad():
        job.model.eval()(batch.x, batch.blocks)
    assert thop_macs(job) == counter.flops / 2
    assert not any("total_ops" in name for name, _ in job.model.named_buffers()), "thop leaves buffers behind"


def _dense_only(count: Any, matrices: slice) -> Any:
    def counted(*args: Any, out_val: Any = None, **others: Any) -> int:
        if any(one.layout is not torch.strided for one in args[matrices]):
            return 0
        return int(count(*(one.shape for one in args)))

    counted._get_raw = True  # type: ignore[attr-defined]  # tensors rather than shapes
    return counted


class _DenseProducts:
    """``FlopCounterMode`` without the products of sparse matrices, which it counts as if they were dense."""

    def __enter__(self) -> _DenseProducts:
        aten = torch.ops.aten
        mapping = {aten.mm: _dense_only(mm_flop, slice(0, 2)), aten.addmm: _dense_only(addmm_flop, slice(1, 3))}
        self._counter = FlopCounterMode(display=False, custom_mapping=mapping)
        self._counter.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._counter.__exit__(*error)

    @property
    def flops(self) -> int:
        return int(self._counter.get_total_flops())
