"""Several batches, one step: the update is that of the joined batch."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from techniques.architecture.loss import loss_of
from tuner.accumulation import Steps
from tuner.training import train_epoch

TOLERANCE = 1e-6


class _Line:
    """A model of one product, trained by plain gradient descent, so that an update is a gradient."""

    def __init__(self, every: int) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(5, 3)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5)
        self.steps = Steps(self.model, self.optimizer, every)

    def learn(self, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> None:
        self.steps.add(loss_of(self.model(x), y, weight), y.size(0))

    @property
    def weights(self) -> torch.Tensor:
        return torch.cat([one.detach().flatten() for one in self.model.parameters()])


def _rows(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 5, generator=generator), torch.randint(0, 3, (count,), generator=generator)


@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 4, 1), (7,)])
def test_parts_of_a_batch_step_as_the_batch(sizes: tuple[int, ...]) -> None:
    """Unequal parts too, as every seed counts once."""
    x, y = _rows(sum(sizes))
    whole, parts = _Line(1), _Line(len(sizes))
    before = whole.weights
    whole.learn(x, y)
    for one, other in zip(x.split(sizes), y.split(sizes), strict=True):
        assert torch.equal(parts.weights, before), "no step before the last part"
        parts.learn(one, other)
    assert not torch.equal(whole.weights, before)
    torch.testing.assert_close(parts.weights, whole.weights, rtol=TOLERANCE, atol=TOLERANCE)


def test_what_is_left_takes_a_step_and_only_once() -> None:
    x, y = _rows(4)
    whole, parts = _Line(1), _Line(3)
    whole.learn(x, y)
    for one, other in zip(x.split(2), y.split(2), strict=True):
        parts.learn(one, other)
    parts.steps.finish()
    torch.testing.assert_close(parts.weights, whole.weights, rtol=TOLERANCE, atol=TOLERANCE)
    after = parts.weights
    parts.steps.finish()
    assert torch.equal(parts.weights, after)


def test_one_batch_a_step_is_what_it_always_was() -> None:
    x, y = _rows(6)
    ours, plain = _Line(1), _Line(1)
    for one, other in zip(x.split(2), y.split(2), strict=True):
        ours.learn(one, other)
        plain.optimizer.zero_grad()
        loss_of(plain.model(one), other).backward()  # type: ignore[no-untyped-call]
        plain.optimizer.step()
    assert torch.equal(ours.weights, plain.weights)


@pytest.mark.parametrize("architecture", ["sage", "gin", "gat"])
def test_an_epoch_of_accumulated_batches_is_an_epoch_of_joined_ones(
    architecture: str, tiny: Any, profiled: Any, make_job: Any, spec_for: Any, monkeypatch: Any
) -> None:
    """All neighbours and no dropout: two batches of eight are one of sixteen; the last four seeds are left alone.

    GCN's degrees are those inside a batch, so what it says of a seed depends on the seeds beside it.
    """
    stored = tiny()
    facts = profiled(stored)
    chosen = {"sampling": "neighbor", "architecture": architecture, "representation": "coo"}
    fixed = {"fanouts": (-1, -1), "hidden": 8, "dropout": 0.0, "prefetch": 0, "threads": 1}
    monkeypatch.setattr(torch, "randperm", lambda count, *_, **__: torch.arange(count))
    one = make_job(facts, stored, spec_for(facts, chosen, batch_size=16, **fixed))
    two = make_job(facts, stored, spec_for(facts, chosen, batch_size=8, accumulate_batches=2, **fixed))
    plain = copy.deepcopy(one.model)
    for job in (one, two):
        job.optimizer = torch.optim.SGD(job.model.parameters(), lr=0.1)
        torch.manual_seed(0)
    losses = [train_epoch(job)[0] for job in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    updates = [
        torch.cat(
            [
                (after - before).detach().flatten()
                for after, before in zip(job.model.parameters(), plain.parameters(), strict=True)
            ]
        )
        for job in (one, two)
    ]
    assert updates[0].abs().max() > 1e-3
    torch.testing.assert_close(updates[0], updates[1], rtol=1e-4, atol=TOLERANCE)


def test_a_batch_without_seeds_is_no_batch(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    stored = tiny()
    facts = profiled(stored)
    job = make_job(facts, stored, spec_for(facts, {"sampling": "full_batch"}, hidden=8, accumulate_batches=2))
    (batch,) = job.batches()
    empty = replace(batch, y=batch.y[:0], loss_rows=batch.loss_rows[:0])
    job.batches, job.transfer = lambda: iter([empty, batch, empty]), lambda one: one
    before = [one.detach().clone() for one in job.model.parameters()]
    train_epoch(job)
    assert any(not torch.equal(one, other) for one, other in zip(before, job.model.parameters(), strict=True))
