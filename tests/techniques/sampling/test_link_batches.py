"""Batches for link prediction: which pairs they hold, where these point, and which edges they may look along."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.job import Job
from techniques.representation.block import Block
from tuner.training import train_epoch

NODES = 60
every_form = pytest.mark.parametrize("representation", ["coo", "csr"])
every_direction = pytest.mark.parametrize("undirected", [True, False])


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Callable[..., Job]:
    """``job_of("csr", undirected=True, **settings)``; column 0 of the features holds the node's id."""

    def build(representation: str = "csr", undirected: bool = True, architecture: str = "sage", **settings: Any) -> Job:
        stored = tiny(labels="none", undirected=undirected)
        facts = profiled(stored)
        chosen = {"sampling": "link_neighbor", "representation": representation, "architecture": architecture}
        chosen["representation.features"] = "dense"
        values = {"hidden": 8, "layers": 2, "threads": 1, "batch_size": 32, "dropout": 0.0, **settings}
        job: Job = make_job(facts, stored, spec_for(facts, chosen, **values))
        job.need("features").values[:, 0] = np.arange(NODES)
        return job

    return build


def epoch(job: Job, seed: int = 3) -> list[Batch]:
    torch.manual_seed(seed)
    return list(job.need("batches")())


def ends_of(batch: Batch) -> Tensor:
    """Global ids of both ends of every pair, [2, B]."""
    assert batch.pairs is not None
    return batch.x[batch.pairs, 0].long()


def as_set(pairs: Any) -> set[tuple[int, int]]:
    return set(zip(*np.asarray(pairs).tolist(), strict=True))


def either_way(pairs: Any) -> set[tuple[int, int]]:
    return as_set(pairs) | as_set(np.asarray(pairs)[::-1])


def entries(block: Block) -> Tensor:
    if block.edge_index is not None:
        return block.edge_index
    assert block.csr is not None
    target = torch.repeat_interleave(torch.arange(block.num_targets), block.csr.ptr.diff().long())
    return torch.stack([block.csr.source.long(), target])


# Pairs


@every_form
@every_direction
@pytest.mark.parametrize("trim", [True, False])
def test_an_epoch_has_every_training_edge_once(representation: str, undirected: bool, trim: bool, job_of: Any) -> None:
    job = job_of(representation, undirected, trim=trim)
    found = [ends_of(batch)[:, batch.y == 1] for batch in epoch(job)]
    wanted = job.links.train
    assert [part.size(1) for part in found][:-1] == [32] * (len(found) - 1)
    positives = torch.cat(found, dim=1).numpy()
    assert sorted(positives.T.tolist()) == sorted(wanted.T.tolist())
    assert job.num_train == wanted.shape[1]


@pytest.mark.parametrize("negatives", [1, 2, 4])
def test_so_many_random_pairs_stand_beside_each_edge(negatives: int, job_of: Any) -> None:
    for batch in epoch(job_of(negatives=negatives)):
        edges = int((batch.y == 1).sum())
        assert batch.y.dtype is torch.float32 and batch.pairs is not None
        assert batch.y.tolist() == [1.0] * edges + [0.0] * (negatives * edges)
        assert batch.pairs.shape == (2, (1 + negatives) * edges)


def test_random_pairs_come_from_all_nodes_alike(job_of: Any) -> None:
    """Chi-square over both ends; the isolated nodes are drawn as well."""
    job = job_of(negatives=4)
    drawn = torch.cat([ends_of(batch)[:, batch.y == 0] for seed in range(8) for batch in epoch(job, seed)], dim=1)
    for end in drawn:
        counts = torch.bincount(end, minlength=NODES).double()
        expected = float(counts.mean())
        chi_square = float(((counts - expected) ** 2).sum()) / expected
        assert abs(chi_square - (NODES - 1)) < 4 * math.sqrt(2 * (NODES - 1))
    assert len(as_set(drawn)) > 1000, "pairs differ from batch to batch"


@every_form
def test_pairs_point_at_rows_of_the_output(representation: str, job_of: Any) -> None:
    """A pair's logit is the dot product of its two ends' rows."""
    job = job_of(representation)
    batch, model = epoch(job)[0], job.need("model").eval()
    assert batch.pairs is not None
    out = model(batch.x, batch.blocks).detach()
    assert int(batch.pairs.max()) < batch.blocks[-1].num_targets
    expected = [float(out[source] @ out[target]) for source, target in batch.pairs.T.tolist()]
    torch.testing.assert_close(model.logits(batch).detach(), torch.tensor(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["sage", "gin"])
def test_with_all_neighbours_logits_are_those_of_the_embeddings(architecture: str, job_of: Any) -> None:
    """What training sees is what evaluation sees, where nothing is left out."""
    job = job_of(architecture=architecture, fanouts=(99, 99))
    embedding, model = job.need("predict")(), job.need("model").eval()
    assert embedding.shape == (NODES, 8)
    for batch in epoch(job):
        source, target = ends_of(batch)
        expected = (embedding[source] * embedding[target]).sum(1)
        torch.testing.assert_close(model.logits(batch).detach(), expected, atol=1e-4, rtol=1e-4)


@every_form
@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_seed_repeats_an_epoch(representation: str, prefetch: int, job_of: Any) -> None:
    job, plain = job_of(representation, prefetch=prefetch), job_of(prefetch=0)
    first, again, other = ([ends_of(b).tolist() for b in found] for found in (epoch(job), epoch(plain), epoch(job, 4)))
    assert first == again != other


# Hidden edges


@every_direction
def test_messages_pass_along_no_hidden_edge(undirected: bool, job_of: Any) -> None:
    """Neither way where edges have no direction: the structure, and so evaluation, knows none of them."""
    job = job_of(undirected=undirected)
    structure, links = job.structure, job.links
    target = np.repeat(np.arange(NODES), np.diff(structure.colptr))
    usable = as_set([structure.row, target])
    for hidden in (links.val, links.test):
        assert hidden.shape[1] > 0
        assert not usable & (either_way(hidden) if undirected else as_set(hidden))
    assert usable >= as_set(links.train)


@every_form
@every_direction
def test_batches_look_along_no_hidden_edge(representation: str, undirected: bool, job_of: Any) -> None:
    job = job_of(representation, undirected, fanouts=(99, 99))
    hidden = np.concatenate([job.links.val, job.links.test], axis=1)
    forbidden = either_way(hidden) if undirected else as_set(hidden)
    seen: set[tuple[int, int]] = set()
    for batch in epoch(job):
        nodes = batch.x[:, 0].long()
        for block in batch.blocks:
            seen |= as_set(nodes[entries(block)])
    assert seen and not seen & forbidden


@every_direction
def test_hidden_edges_are_never_trained_on(undirected: bool, job_of: Any) -> None:
    job = job_of(undirected=undirected)
    trained = as_set(torch.cat([ends_of(batch)[:, batch.y == 1] for batch in epoch(job)], dim=1))
    for hidden in (job.links.val, job.links.test):
        assert not trained & (either_way(hidden) if undirected else as_set(hidden))
    edges = either_way(np.concatenate([job.links.train, job.links.val, job.links.test], axis=1))
    for negative in (job.links.val_negative, job.links.test_negative):
        assert not as_set(negative) & (edges if undirected else as_set(job.links.train))


# Training


@pytest.mark.parametrize(
    ("architecture", "representation"),
    [(name, form) for name in ("gcn", "sage", "gin") for form in ("coo", "csr")] + [("gat", "coo")],
)
def test_training_lowers_the_loss(architecture: str, representation: str, job_of: Any) -> None:
    job = job_of(representation, architecture=architecture, hidden=32)
    job.need("features").values[:, 0] = 0.0
    losses = [train_epoch(job)[0] for _ in range(20)]
    assert min(losses[-3:]) < 0.9 * losses[0]
