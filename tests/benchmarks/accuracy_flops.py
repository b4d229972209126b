"""Dense products of one real batch by torch's ``FlopCounterMode`` beside what the ledger says of the same batch."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any

from techniques.facts import Facts
from techniques.job import JobSpec

SECONDS = 120.0


class FlopCheck:
    """Counts in a process of its own, so that nothing of it stays in this one; use as a context manager."""

    def __enter__(self) -> FlopCheck:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def count(self, spec: JobSpec, facts: Facts, folder: str) -> dict[str, float]:
        """``flops_counted`` and ``flops_formula`` of one batch; nothing where it could not be run."""
        future: Future[tuple[float, float]] = self._pool.submit(count_batch, spec, facts, folder)
        try:
            counted, formula = future.result(SECONDS)
        except (TimeoutError, BrokenProcessPool, RuntimeError, ValueError):
            return {}
        return {"flops_counted": counted, "flops_formula": formula}


def count_batch(spec: JobSpec, facts: Facts, folder: str) -> tuple[float, float]:
    """Forward and backward pass of the first batch that carries a loss."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from techniques.architecture.loss import loss_of
    from techniques.assembly import build
    from techniques.job import Job
    from techniques.remote.source.folder import FolderGraph
    from tuner.metrics import epoch_shapes, flops

    with tempfile.TemporaryDirectory() as scratch:
        job = build(Job(spec=spec, facts=facts, stored=FolderGraph(folder), scratch=Path(scratch)))
        model = job.need("model").train()
        batch = next(one for one in job.moved_batches() if one.y.size(0))
        shapes = epoch_shapes(job)
        shapes.add(batch)
        aten = torch.ops.aten
        products = {aten.mm: _dense_flops, aten.addmm: lambda added, *factors, **rest: _dense_flops(*factors)}
        for formula in products.values():
            formula._get_raw = True  # type: ignore[attr-defined]  # FlopCounterMode then hands over tensors, not shapes
        with FlopCounterMode(display=False, custom_mapping=products) as counter:
            loss_of(model.logits(batch), batch.y, batch.loss_weight).backward()
        return float(counter.get_total_flops()), flops(job, shapes).gemm


def _dense_flops(left: Any, right: Any, **rest: Any) -> int:
    """2 per multiply-add; torch's own formula takes a sparse factor for a dense one."""
    import torch

    if left.layout is not torch.strided or right.layout is not torch.strided:
        return 0
    return 2 * int(left.size(0)) * int(left.size(1)) * int(right.size(1))
