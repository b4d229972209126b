"""Sampled batches: repeatable, complete, and made by a thread without changing what is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from techniques.job import Job


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Any:
    def build(features: str = "dense", labels: str = "classes", **settings: Any) -> Job:
        stored = tiny(features=features, labels=labels)
        facts = profiled(stored)
        remote = settings.pop("remote", "memory")
        representation = settings.pop("representation", "csr")
        chosen = {"sampling": "neighbor", "representation": representation, "architecture": "sage"}
        chosen |= {"remote.features": remote, "representation.features": "csr" if features == "sparse" else "dense"}
        made: Job = make_job(
            facts, stored, spec_for(facts, chosen, **{"hidden": 8, "batch_size": 10, "threads": 1, **settings})
        )
        return made

    return build


def epoch(job: Job, seed: int = 3) -> list[Any]:
    torch.manual_seed(seed)
    return list(job.need("batches")())


def same(one: Any, other: Any) -> bool:
    return (
        torch.equal(
            one.x.to_dense() if one.x.is_sparse_csr else one.x, other.x.to_dense() if other.x.is_sparse_csr else other.x
        )
        and torch.equal(one.y, other.y)
        and [block.num_edges for block in one.blocks] == [block.num_edges for block in other.blocks]
    )


@pytest.mark.parametrize("representation", ["coo", "csr"])
def test_a_seed_repeats_an_epoch_and_another_does_not(representation: str, job_of: Any) -> None:
    job = job_of(representation=representation)
    first, again, other = epoch(job), epoch(job), epoch(job, seed=4)
    assert all(same(one, two) for one, two in zip(first, again, strict=True))
    assert not all(same(one, two) for one, two in zip(first, other, strict=True))


def test_making_batches_ahead_changes_nothing(job_of: Any) -> None:
    ahead, here = epoch(job_of(prefetch=3)), epoch(job_of(prefetch=0))
    assert len(ahead) == len(here) == 4
    assert all(same(one, two) for one, two in zip(ahead, here, strict=True))


def test_an_abandoned_epoch_does_not_disturb_the_next(job_of: Any) -> None:
    job = job_of(prefetch=2)
    running = iter(job.need("batches")())
    next(running)
    running.close()
    assert len(epoch(job)) == 4


@pytest.mark.parametrize("labels", ["classes", "multi"])
def test_labels_belong_to_the_seeds(labels: str, job_of: Any) -> None:
    """Features are made to carry the node's own id, so that a row can be traced back."""
    job = job_of(labels=labels, dropout=0.0)
    job.features.values[:, 0] = np.arange(60)
    seen = []
    for batch in epoch(job):
        count = batch.y.size(0)
        nodes = batch.x[:count, 0].long()
        assert torch.equal(batch.y, job.labels[nodes])
        assert batch.loss_rows is None and batch.blocks[-1].num_targets == count
        seen += nodes.tolist()
    assert sorted(seen) == job.masks["train"].nonzero().flatten().tolist()


@pytest.mark.parametrize(("features", "remote"), [("dense", "memory"), ("sparse", "memory"), ("float16", "memmap")])
def test_rows_are_those_of_the_sampled_nodes(features: str, remote: str, job_of: Any) -> None:
    job = job_of(features=features, remote=remote)
    whole = job.features.whole()
    whole = whole.to_dense() if whole.is_sparse_csr else whole
    for batch in epoch(job):
        x = batch.x.to_dense() if batch.x.is_sparse_csr else batch.x
        assert x.dtype is torch.float32
        assert x.size(0) == batch.blocks[0].num_sources
        distances = torch.cdist(x, whole).min(dim=1).values
        assert float(distances.max()) < 1e-2


@pytest.mark.parametrize("trim", [True, False])
def test_blocks_chain(trim: bool, job_of: Any) -> None:
    """A layer's targets are the next layer's sources."""
    for batch in epoch(job_of(trim=trim, layers=3)):
        for before, after in zip(batch.blocks, batch.blocks[1:], strict=False):
            assert before.num_targets == after.num_sources
        for block in batch.blocks:
            assert block.csr is not None
            assert block.csr.ptr.numel() == block.num_targets + 1
            assert int(block.csr.ptr[-1]) == block.num_edges == block.csr.transposed_target.numel()
            assert block.num_edges == 0 or int(block.csr.source.max()) < block.num_sources


def test_waiting_is_counted(job_of: Any) -> None:
    job = job_of(prefetch=0)
    assert job.wait_seconds() == 0.0
    epoch(job)
    assert job.wait_seconds() > 0.0


def test_waiting_is_counted_in_an_epoch_that_a_deadline_ends(job_of: Any) -> None:
    job = job_of()
    batches = job.need("batches")()
    next(batches)
    batches.close()
    assert job.wait_seconds() > 0


def test_evaluation_draws_nothing_from_the_generator(job_of: Any) -> None:
    job = job_of()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    job.need("predict")()
    assert torch.equal(torch.get_rng_state(), before)
