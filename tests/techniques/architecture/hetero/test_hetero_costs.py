"""The typed ledger against the live bytes of real training steps, and its FLOPs against torch's counter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from techniques.architecture.loss import loss_of
from techniques.base import Slot
from techniques.remote.source import from_object
from tuner.metrics import epoch_shapes

TOLERANCE = 0.12
"""Gradients of all parameters are counted at every moment, and parameters weigh much in steps this small."""
ARCHITECTURES = ("hetero_sage", "rgcn", "hgt")
CASES = [
    chosen
    for chosen in product(ARCHITECTURES, ("coo", "csr"), ("full_batch", "neighbor", "untrimmed"), (False, True))
    if chosen[:2] != ("hgt", "csr")
]

DENSE = [("coo", sampling, False) for sampling in ("full_batch", "neighbor", "untrimmed")]
"""torch counts products with sparse matrices as dense ones."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(
    films: Any, profiled: Any, make_job: Any, spec_for: Any, chosen: tuple[str, str, str, bool], **settings: Any
) -> Any:
    architecture, representation, sampling, sparse = chosen
    stored = from_object(films(scale=100, sparse=sparse), "films")
    facts = profiled(stored)
    slots = {
        "architecture": architecture,
        "representation": representation,
        "sampling": "neighbor" if sampling == "untrimmed" else sampling,
        "representation.features": "csr" if sparse else "dense",
    }
    wanted = {"hidden": 32, "threads": 1, "layers": 2, "prefetch": 0, **settings}
    if sampling != "full_batch":
        wanted |= {"batch_size": 400, "fanouts": (6, 4), "trim": sampling == "neighbor"}
    spec = spec_for(facts, slots, **wanted)
    assert spec.options[Slot.SAMPLING] == slots["sampling"]
    return make_job(facts, stored, spec)


def live_bytes(job: Any, batch: Any) -> int:
    """Largest sum of what one step allocates and has not freed, gradients included; moments exist already."""

    def step() -> None:
        loss = loss_of(job.model.logits(batch), batch.y, batch.loss_weight)
        loss.backward()
        job.optimizer.step()
        job.optimizer.zero_grad(set_to_none=True)

    job.model.train()
    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    results: Any = profiled.profiler
    events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return int(np.cumsum(changes).max())


@pytest.mark.parametrize("chosen", CASES, ids=lambda one: "-".join(map(str, one)))
def test_the_ledger_counts_the_live_bytes_of_a_step(
    chosen: tuple[str, str, str, bool], films: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    torch.manual_seed(0)
    job = make(films, profiled, make_job, spec_for, chosen)
    batch = next(iter(job.batches()))
    shapes = epoch_shapes(job)
    counted = shapes.cost(batch)
    measured = live_bytes(job, batch)
    assert max(counted.activation_bytes, counted.updating_bytes) == pytest.approx(measured, rel=TOLERANCE)


@pytest.mark.parametrize("chosen", [one for one in CASES if one[1:] in DENSE], ids=lambda one: "-".join(map(str, one)))
def test_dense_products_are_counted_exactly(
    chosen: tuple[str, str, str, bool], films: Any, profiled: Any, make_job: Any, spec_for: Any
) -> None:
    job = make(films, profiled, make_job, spec_for, chosen, dropout=0.0)
    batch = next(iter(job.batches()))
    job.model.train()
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: addmm_flops}) as counter:
        loss_of(job.model.logits(batch), batch.y).backward()
    assert epoch_shapes(job).cost(batch).gemm_flops == pytest.approx(counter.get_total_flops(), rel=1e-6)


def addmm_flops(out: Any, left: Any, right: Any, *_: Any, **__: Any) -> int:
    """torch counts the product that makes a new matrix, not the one that adds to one."""
    return 2 * int(left[0]) * int(left[1]) * int(right[1])
