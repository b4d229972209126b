"""Ego graphs against plain Python, the readout against its formula, and evaluation that does not move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.architecture import layerwise
from techniques.architecture.network import Batch
from techniques.job import Job
from techniques.representation.block import Block
from tuner.training import train_epoch

NODES = 60
every_form = pytest.mark.parametrize("representation", ["coo", "csr"])
NETWORKS = [(name, form) for name in ("gcn", "sage", "gin") for form in ("coo", "csr")] + [("gat", "coo")]
every_direction = pytest.mark.parametrize("undirected", [True, False])


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Callable[..., Job]:
    """``job_of("csr", undirected=True, **settings)``; column 0 of the features holds the node's id."""

    def build(representation: str = "csr", undirected: bool = True, architecture: str = "sage", **settings: Any) -> Job:
        stored = tiny(undirected=undirected)
        facts = profiled(stored)
        chosen = {"sampling": "shadow_k_hop", "representation": representation, "architecture": architecture}
        chosen["representation.features"] = "dense"
        values = {"hidden": 8, "layers": 2, "threads": 1, "batch_size": 10, "depth": 2, "num_neighbors": 99}
        job: Job = make_job(facts, stored, spec_for(facts, chosen, **{**values, "dropout": 0.0, **settings}))
        job.need("features").values[:, 0] = np.arange(NODES)
        return job

    return build


def epoch(job: Job, seed: int = 3) -> list[Batch]:
    torch.manual_seed(seed)
    return list(job.need("batches")())


def nodes_of(batch: Batch) -> Tensor:
    return batch.x[:, 0].long()


def entries(block: Block) -> Tensor:
    """Sources and targets, [2, m] local ids."""
    if block.edge_index is not None:
        return block.edge_index
    assert block.csr is not None
    target = torch.repeat_interleave(torch.arange(block.num_targets), block.csr.ptr.diff().long())
    return torch.stack([block.csr.source.long(), target])


def stored_edges(job: Job) -> list[tuple[int, int]]:
    structure = job.need("structure")
    target = np.repeat(np.arange(structure.num_nodes), np.diff(structure.colptr))
    return list(zip(structure.row.tolist(), target.tolist(), strict=True))


def neighborhood(edges: list[tuple[int, int]], root: int, depth: int) -> set[int]:
    """All nodes from which the root is reached in so many steps."""
    found = {root}
    for _ in range(depth):
        found |= {source for source, target in edges if target in found}
    return found


def largest_degree(job: Job) -> int:
    return int(job.need("structure").degrees().max())


# What is in a batch


@every_form
@every_direction
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_ego_graph_is_the_neighbourhood_of_its_root(
    representation: str, undirected: bool, depth: int, job_of: Any
) -> None:
    """With as many neighbours as the largest degree every one is taken; edges are those between the nodes."""
    job = job_of(representation, undirected, depth=depth)
    job = job_of(representation, undirected, depth=depth, num_neighbors=largest_degree(job))
    edges, roots = stored_edges(job), []
    for batch in epoch(job):
        nodes, (source, target) = nodes_of(batch), entries(batch.blocks[0])
        assert batch.ego is not None and batch.loss_rows is not None
        assert torch.equal(batch.ego[source], batch.ego[target]), "no edge between ego graphs"
        assert torch.equal(batch.ego[batch.loss_rows], torch.arange(batch.y.numel()))
        for number, root in enumerate(nodes[batch.loss_rows].tolist()):
            inside = nodes[batch.ego == number].tolist()
            assert len(set(inside)) == len(inside)
            assert set(inside) == neighborhood(edges, root, depth)
            mine = batch.ego[source] == number
            found = zip(nodes[source[mine]].tolist(), nodes[target[mine]].tolist(), strict=True)
            assert Counter(found) == Counter(edge for edge in edges if set(inside).issuperset(edge))
        roots += nodes[batch.loss_rows].tolist()
        assert torch.equal(batch.y, job.labels[nodes[batch.loss_rows]])
    assert sorted(roots) == job.masks["train"].nonzero().flatten().tolist()


def test_few_neighbours_make_small_ego_graphs(job_of: Any) -> None:
    for batch in epoch(job_of(depth=2, num_neighbors=2)):
        assert batch.ego is not None
        sizes = torch.bincount(batch.ego)
        assert sizes.numel() == batch.y.numel() and int(sizes.min()) >= 1 and int(sizes.max()) <= 1 + 2 + 4


@every_form
@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_seed_repeats_an_epoch(representation: str, prefetch: int, job_of: Any) -> None:
    job, plain = job_of(representation, num_neighbors=2, prefetch=prefetch), job_of(num_neighbors=2, prefetch=0)
    first, again, other = (
        [nodes_of(batch).tolist() for batch in found] for found in (epoch(job), epoch(plain), epoch(job, seed=4))
    )
    assert first == again != other


# The readout


@pytest.mark.parametrize(("architecture", "representation"), NETWORKS)
def test_the_readout_sees_the_root_and_the_mean_of_its_own_ego_graph(
    architecture: str, representation: str, job_of: Any
) -> None:
    job = job_of(representation, architecture=architecture)
    batch, model = epoch(job)[0], job.need("model").eval()
    assert batch.loss_rows is not None
    hidden = model(batch.x, batch.blocks).detach()
    assert hidden.shape == (batch.x.size(0), 8) and float(hidden.min()) >= 0
    rows = [
        torch.cat([hidden[root], hidden[batch.ego == number].mean(0)]) for number, root in enumerate(batch.loss_rows)
    ]
    weight, bias = model.readout.weight, model.readout.bias
    expected = torch.stack([weight @ row + bias for row in rows])
    torch.testing.assert_close(model.logits(batch), expected, atol=1e-5, rtol=1e-5)


def test_a_root_is_judged_alike_in_whatever_company(job_of: Any) -> None:
    """Logits of a batch are those of each ego graph alone."""
    job = job_of()
    nodes = torch.tensor([3, 50, 59, 7])
    together = job.need("predict")(nodes)
    alone = torch.cat([job.need("predict")(node.view(1)) for node in nodes])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


# Evaluation


@every_form
@pytest.mark.parametrize("num_neighbors", [2, 99])
def test_predictions_of_some_nodes_are_those_of_all(num_neighbors: int, representation: str, job_of: Any) -> None:
    """Test scores are of ``predict(nodes)``, what is saved is of ``predict()``: they must agree."""
    job = job_of(representation, num_neighbors=num_neighbors)
    train_epoch(job)
    every = job.need("predict")()
    assert every.shape == (NODES, 3) and not every.requires_grad
    for nodes in (job.masks["val"].nonzero().flatten(), torch.tensor([59, 3, 17]), torch.arange(25, 60)):
        torch.testing.assert_close(job.need("predict")(nodes), every[nodes], atol=1e-5, rtol=1e-5)


def test_evaluation_repeats_itself_and_disturbs_nothing(job_of: Any) -> None:
    job = job_of(num_neighbors=2)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = job.need("predict")()
    assert torch.equal(torch.get_rng_state(), before), "draws nothing from the generator"
    torch.manual_seed(1)
    list(job.need("batches")())
    assert torch.equal(job.need("predict")(), first)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_mode_alone_and_drops_nothing(training: bool, job_of: Any) -> None:
    job = job_of(dropout=0.5)
    model = job.need("model").train(training)
    found = job.need("predict")()
    assert model.training is training
    assert torch.equal(job.need("predict")(), found)


def test_no_nodes_have_no_logits(job_of: Any) -> None:
    assert job_of().need("predict")(torch.empty(0, dtype=torch.int64)).shape == (0, 3)


# Training


@pytest.mark.parametrize(("architecture", "representation"), NETWORKS)
def test_training_lowers_the_loss(architecture: str, representation: str, job_of: Any) -> None:
    job = job_of(representation, architecture=architecture, hidden=32, num_neighbors=5)
    job.need("features").values[:, 0] = 0.0
    losses = [train_epoch(job)[0] for _ in range(15)]
    assert min(losses[-3:]) < 0.7 * losses[0]


def test_the_readout_is_trained(job_of: Any) -> None:
    job = job_of()
    before = [one.detach().clone() for one in job.need("model").readout.parameters()]
    train_epoch(job)
    after = list(job.need("model").readout.parameters())
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_what_is_said_of_many_nodes_is_on_disk(job_of: Any, monkeypatch: Any) -> None:
    job = job_of()
    in_memory = job.need("predict")()
    assert in_memory.untyped_storage().filename is None
    small = partial(layerwise.new_table, most_bytes=0)
    monkeypatch.setattr(layerwise, "new_table", small)
    on_disk = job_of().need("predict")()
    assert on_disk.untyped_storage().filename is not None
    assert torch.equal(on_disk, in_memory)
