"""Batches that are induced subgraphs: what is in them, and what must not break training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from techniques.remote.source.arrays import ArrayGraph
from tests.techniques.sampling.subgraph_jobs import NODES, SAMPLINGS, entries, epoch, nodes_of, stored_edges
from tuner.training import train_epoch

every_sampling = pytest.mark.parametrize("sampling", SAMPLINGS)
every_form = pytest.mark.parametrize("representation", ["coo", "csr"])
# What is in a batch


@every_sampling
@every_form
@pytest.mark.parametrize("undirected", [True, False])
def test_a_batch_holds_the_edges_between_its_nodes_and_no_other(
    sampling: str, representation: str, undirected: bool, job_of: Any
) -> None:
    job = job_of(sampling, representation, undirected=undirected)
    everything = stored_edges(job)
    for batch in epoch(job):
        nodes = nodes_of(batch)
        inside = set(nodes.tolist())
        assert len(inside) == nodes.numel() == batch.blocks[0].num_sources == batch.blocks[0].num_targets
        expected = Counter(edge for edge in everything if inside.issuperset(edge))
        for transposed in (False, True):
            found = nodes[entries(batch.blocks[0], transposed)]
            assert Counter(zip(*found.tolist(), strict=True)) == expected
        assert len({id(block) for block in batch.blocks}) == 1, "layers share one block"


@every_sampling
def test_the_loss_is_taken_on_the_training_nodes_inside(sampling: str, job_of: Any) -> None:
    job = job_of(sampling)
    for batch in epoch(job):
        nodes = nodes_of(batch)
        mask = job.masks["train"][nodes]
        assert batch.loss_rows is not None and torch.equal(batch.loss_rows, mask.nonzero().flatten())
        assert torch.equal(batch.y, job.labels[nodes[mask]])
        logits = job.need("model").eval().logits(batch)
        assert torch.equal(logits, job.model(batch.x, batch.blocks)[mask])


@pytest.mark.parametrize("sampling", ["random_node", "cluster"])
def test_an_epoch_is_a_split_of_the_nodes_that_changes(sampling: str, job_of: Any) -> None:
    job = job_of(sampling)
    first, second = ([nodes_of(batch).tolist() for batch in epoch(job, seed)] for seed in (3, 4))
    for parts in (first, second):
        assert sorted(node for part in parts for node in part) == list(range(NODES))
    assert {frozenset(part) for part in first} != {frozenset(part) for part in second}


def test_random_parts_are_of_one_size(job_of: Any) -> None:
    assert {len(nodes_of(batch)) for batch in epoch(job_of("random_node"))} == {15}
    assert len(epoch(job_of("random_node", num_parts=NODES))) == NODES


def test_parts_are_joined_whole(job_of: Any) -> None:
    """Nodes of one METIS part are together in every epoch: eight parts of 7 or 8 nodes, three in a batch."""
    job = job_of("cluster")
    together = np.ones((NODES, NODES), bool)
    for seed in range(12):
        batch_of = np.empty(NODES, int)
        for number, batch in enumerate(epoch(job, seed)):
            batch_of[nodes_of(batch)] = number
        assert batch_of.max() == 2
        together &= batch_of[:, None] == batch_of
    assert len({tuple(row) for row in together}) == 8


@every_sampling
@every_form
def test_a_seed_repeats_an_epoch_and_threads_change_nothing(sampling: str, representation: str, job_of: Any) -> None:
    one, ahead, other = (
        [nodes_of(batch).tolist() for batch in epoch(job_of(sampling, representation, prefetch=prefetch), seed)]
        for prefetch, seed in ((0, 3), (3, 3), (0, 4))
    )
    assert one == ahead != other


# What must not break training


def few_training_nodes(tiny: Any) -> ArrayGraph:
    """Two training nodes out of 60."""
    stored = tiny()
    arrays: dict[str, Any] = {name: stored.read(name) for name in stored.headers}
    kind = np.arange(NODES)
    masks: dict[str, Any] = {"train_mask": kind < 2, "val_mask": (kind >= 2) & (kind < 30), "test_mask": kind >= 30}
    return ArrayGraph("few", {**arrays, **masks})


@every_sampling
def test_a_subgraph_without_training_nodes_is_skipped(sampling: str, job_of: Any, tiny: Any) -> None:
    job = job_of(sampling, stored=few_training_nodes(tiny), **({"num_parts": 15} if sampling == "random_node" else {}))
    taught = sum(batch.y.numel() > 0 for batch in epoch(job, 5))
    assert taught < len(epoch(job, 5)), "the graph is made so that some batches teach nothing"
    torch.manual_seed(5)
    loss, finished = train_epoch(job)
    steps = [state["step"] for state in job.need("optimizer").state.values()]
    assert finished and np.isfinite(loss) and (loss > 0) == (taught > 0)
    assert {int(step) for step in steps} == ({taught} if taught else set())
    assert all(bool(torch.isfinite(one).all()) for one in job.need("model").parameters())


@every_sampling
@every_form
def test_a_graph_without_edges_trains(sampling: str, representation: str, job_of: Any) -> None:
    """GCN drops the loops that are all there is."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"x": rng.normal(size=(30, 5)).astype(np.float32), "y": np.arange(30) % 3}
    loops = np.tile(np.arange(30, dtype=np.int32), (2, 1))
    stored = ArrayGraph("loops", {"num_nodes": np.array(30), "edge_index": loops, **arrays})
    job = job_of(sampling, representation, "gcn", stored=stored)
    assert job.structure.num_edges == 0
    loss, finished = train_epoch(job)
    assert finished and np.isfinite(loss) and loss > 0
    assert all(batch.blocks[0].num_edges == 0 and nodes_of(batch).numel() > 0 for batch in epoch(job))


@every_sampling
@every_form
def test_training_lowers_the_loss(sampling: str, representation: str, job_of: Any) -> None:
    job = job_of(sampling, representation, hidden=32)
    job.need("features").values[:, 0] = 0.0
    losses = [train_epoch(job)[0] for _ in range(25)]
    assert min(losses[-3:]) < 0.7 * losses[0]
