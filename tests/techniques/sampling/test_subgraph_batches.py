"""Batches that are induced subgraphs: what is in them, and that GraphSAINT's weights undo the choice of nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.assembly import compose
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from techniques.representation.block import Block, gcn_sum, neighbor_mean, neighbor_sum
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.graph_saint import SaintBatches
from techniques.sampling.kernels import SubgraphKernel, build_csc
from tuner.training import train_epoch

SAMPLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "node": ("graph_saint", {"saint_sampler": "node", "batch_size": 12}),
    "edge": ("graph_saint", {"saint_sampler": "edge", "batch_size": 8}),
    "walk": ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 6}),
    "plain-walk": ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 6, "sample_coverage": 0}),
    "random_node": ("random_node", {"num_parts": 4}),
    "cluster": ("cluster", {"num_parts": 8, "parts_per_batch": 3}),
}
SAINT = ("node", "edge", "walk")
every_sampling = pytest.mark.parametrize("sampling", SAMPLINGS)
every_form = pytest.mark.parametrize("representation", ["coo", "csr"])
NODES = 60


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Callable[..., Job]:
    """``job_of("walk", representation="coo", stored=..., undirected=True, **settings)``; column 0 holds the node's id."""

    def build(
        sampling: str,
        representation: str = "csr",
        architecture: str = "sage",
        stored: ArrayGraph | None = None,
        undirected: bool = True,
        **settings: Any,
    ) -> Job:
        stored = stored or tiny(undirected=undirected)
        facts = profiled(stored)
        name, values = SAMPLINGS[sampling]
        chosen = {"sampling": name, "representation": representation, "architecture": architecture}
        chosen["representation.features"] = "dense"
        values = {"hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0, "prefetch": 0, **values, **settings}
        job: Job = make_job(facts, stored, spec_for(facts, chosen, **values))
        job.need("features").values[:, 0] = np.arange(facts.graph.num_nodes)
        return job

    return build


def epoch(job: Job, seed: int = 3) -> list[Batch]:
    torch.manual_seed(seed)
    return list(job.need("batches")())


def nodes_of(batch: Batch) -> Tensor:
    return batch.x[:, 0].long()


def entries(block: Block, transposed: bool = False) -> Tensor:
    """Sources and targets of a block's edges, [2, m] local ids; read from the transposed copy if wanted."""
    if block.csr is None:
        assert block.edge_index is not None
        return block.edge_index
    ptr, index = block.csr.ptr, block.csr.source
    if transposed:
        assert block.csr.transposed_ptr is not None and block.csr.transposed_target is not None
        ptr, index = block.csr.transposed_ptr, block.csr.transposed_target
    row = torch.repeat_interleave(torch.arange(ptr.numel() - 1), ptr.diff().long())
    return torch.stack([row, index.long()] if transposed else [index.long(), row])


def stored_edges(job: Job) -> list[tuple[int, int]]:
    """Every edge of the structure, as source and target."""
    structure = job.need("structure")
    target = np.repeat(np.arange(structure.num_nodes), np.diff(structure.colptr))
    return list(zip(structure.row.tolist(), target.tolist(), strict=True))


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


# GraphSAINT's normalisation

DRAWN, COVERAGE = 1600, 500


def hubs() -> ArrayGraph:
    """Node 0 beside all others, nodes 1 to 8 beside one another, the rest on a ring: what is near a hub is drawn often.

    Column 1 tells the eight from the rest, so that drawing them more often shows.
    """
    ring = np.arange(9, 40)
    clique = np.array([(u, v) for u in range(1, 9) for v in range(u + 1, 9)]).T
    star = np.stack([np.zeros(39, int), np.arange(1, 40)])
    half = np.concatenate([star, clique, np.stack([ring, np.roll(ring, 1)])], axis=1)
    x = np.zeros((40, 2), np.float32)
    x[1:9, 1] = 1.0
    edges = np.concatenate([half, half[::-1]], axis=1).astype(np.int32)
    y = np.arange(40) % 2
    return ArrayGraph("hubs", {"num_nodes": np.array(40), "edge_index": edges, "x": x, "y": y})


def gcn(block: Block, column: Tensor) -> Tensor:
    return gcn_sum(block, column, (block.in_degrees() + 1.0).rsqrt())


ESTIMATES = (neighbor_mean, gcn, neighbor_sum)
"""What SAGE, GCN and GIN sum."""


def scores_of_estimates(job: Job) -> Tensor:
    """How many standard errors the mean estimate of each node is from the whole graph's value, [N, 3].

    The error is that of the batches at hand and that of the subgraphs that the weights were counted on.
    """
    structure, column = job.need("structure"), job.need("features").whole()[:, 1:2]
    whole = structure.whole()._replace(degrees=structure.degrees())
    exact = torch.cat([estimate(whole, column) for estimate in ESTIMATES], dim=1)
    total, square, count = torch.zeros(40, 3).double(), torch.zeros(40, 3).double(), torch.zeros(40, 1).double()
    drawn = 0
    while drawn < DRAWN:
        for batch in epoch(job, seed=drawn):
            nodes, x = nodes_of(batch), batch.x[:, 1:2]
            values = torch.cat([estimate(batch.blocks[0], x) for estimate in ESTIMATES], dim=1).double()
            total.index_add_(0, nodes, values)
            square.index_add_(0, nodes, values**2)
            count.index_add_(0, nodes, torch.ones_like(values[:, :1]))
            drawn += 1
    mean = total / count
    variance = (square / count - mean**2).clamp_(min=0.0) + 1e-8
    in_advance = count * COVERAGE * 40 / count.sum()
    return (mean - exact) / (variance * (1 / count + 1 / in_advance)).sqrt()


@pytest.mark.parametrize("representation", ["coo", "csr"])
@pytest.mark.parametrize("sampling", SAINT)
def test_weighted_sums_are_unbiased_estimates_of_the_whole_graphs(
    sampling: str, representation: str, job_of: Any
) -> None:
    """Zeng et al., proposition 3.1: given that a node is in the subgraph, its sum is right in the mean."""
    job = job_of(sampling, representation, stored=hubs(), sample_coverage=COVERAGE)
    assert float(scores_of_estimates(job).abs().max()) < 4.5


@pytest.mark.parametrize("sampling", SAINT)
def test_unweighted_sums_are_not(sampling: str, job_of: Any) -> None:
    """The hub sees too few neighbours (sum), and too many of the eight among them (mean).

    The edge sampler draws each of the hub's edges about as often, so that its mean is nearly right.
    """
    found = scores_of_estimates(job_of(sampling, stored=hubs(), sample_coverage=0))[0]
    assert float(found[2]) < -6
    assert float(found[0]) > 6 or sampling == "edge"


@pytest.mark.parametrize("sampling", SAINT)
def test_loss_weights_add_up_to_the_share_of_training_nodes(sampling: str, job_of: Any) -> None:
    """Each node's weight is 1 / (N p), p its chance to be in a subgraph: N_train / N in the mean over subgraphs.

    Nodes without neighbours are drawn by walks alone.
    """
    job = job_of(sampling, sample_coverage=COVERAGE)
    weights: list[Any] = [batch.loss_weight for seed in range(100) for batch in epoch(job, seed)]
    sums = torch.stack([weight.sum() for weight in weights])
    drawn = job.masks["train"] & ((job.structure.degrees() > 0) | (sampling == "walk"))
    expected = float(drawn.float().mean())
    error = float(sums.std()) / len(sums) ** 0.5
    assert float(sums.mean()) == pytest.approx(expected, abs=4 * error + 0.01 * expected)
    assert float(sums.std()) > 0.02


@pytest.mark.parametrize("sampling", SAINT)
def test_every_training_node_weighs_the_same_in_the_long_run(sampling: str, job_of: Any) -> None:
    job = job_of(sampling, stored=hubs(), sample_coverage=COVERAGE)
    total, batches = torch.zeros(40), 0
    for seed in range(200):
        for batch in epoch(job, seed):
            assert batch.loss_weight is not None
            total.index_add_(0, nodes_of(batch)[batch.loss_rows], batch.loss_weight)
            batches += 1
    shares = 40 * total[job.masks["train"]] / batches
    assert float((shares - 1).abs().max()) < 0.35
    assert float(shares.mean()) == pytest.approx(1.0, abs=0.05)


def test_without_coverage_nothing_is_weighted(job_of: Any) -> None:
    for batch in epoch(job_of("plain-walk")):
        (block,) = set(batch.blocks)
        assert batch.loss_weight is None and block.degrees is None
        assert block.csr is not None and block.csr.transposed_values is None
        assert torch.equal(block.csr.values, torch.ones(block.num_edges))


@pytest.mark.parametrize("undirected", [True, False])
def test_weighted_csr_is_weighted_coo_forward_and_back(undirected: bool) -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 50, (2, 600))
    if undirected:
        edges = np.concatenate([edges, edges[::-1]], axis=1)
    colptr, row, _ = build_csc(edges, 50)
    graph = SubgraphKernel(colptr, row, 50).induced(rng.permutation(50)[:30], with_edge=True, local_dtype=np.int32)
    weight = rng.random(graph.col_source.size, np.float32) + 0.5
    degrees = np.diff(colptr)[graph.node].astype(np.float32)
    for estimate in (neighbor_sum, neighbor_mean, gcn):
        found = []
        for fused in (False, True):
            block = subgraph_block(graph, fused=fused, undirected=undirected, weight=weight, degrees=degrees)
            if block.edge_index is not None:
                block = block._replace(edge_index=block.edge_index.long())
            h = torch.from_numpy(np.random.default_rng(1).normal(size=(30, 3))).float().requires_grad_()
            out = estimate(block, h)
            (out * torch.arange(out.numel()).view_as(out)).sum().backward()  # type: ignore[no-untyped-call]
            assert h.grad is not None
            found.append((out.detach(), h.grad))
        torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=1e-5)


@every_form
def test_a_batch_gets_the_weights_of_its_own_edges(representation: str, job_of: Any) -> None:
    """Edges of a directed graph, by their ends: an edge has one weight in whatever subgraph it is."""
    job = job_of("walk", representation, undirected=False)
    seen: dict[tuple[int, int], set[float]] = {}
    for seed in range(5):
        for batch in epoch(job, seed):
            block, nodes = batch.blocks[0], nodes_of(batch)
            values = block.weight if block.csr is None else block.csr.values
            for transposed in (False, True) if block.csr is not None else (False,):
                if transposed:
                    values = block.csr.transposed_values  # type: ignore[union-attr]
                assert values is not None
                found = zip(*nodes[entries(block, transposed)].tolist(), values.tolist(), strict=True)
                for source, target, value in found:
                    seen.setdefault((source, target), set()).add(value)
    parallel = Counter(stored_edges(job))
    assert all(len(values) <= parallel[edge] for edge, values in seen.items())
    assert len({value for values in seen.values() for value in values}) > 10


def test_more_coverage_draws_more_in_advance(job_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subgraphs are drawn until every node was drawn so many times on average, and no further."""
    sizes: list[int] = []
    choose = SaintBatches.choose

    def counted(self: SaintBatches, colptr: Any, row: Any, seed: int) -> Any:
        nodes = choose(self, colptr, row, seed)
        sizes.append(nodes.size)
        return nodes

    monkeypatch.setattr(SaintBatches, "choose", counted)
    job = job_of("walk", sample_coverage=7)
    assert sum(sizes[:-1]) < 7 * NODES <= sum(sizes)
    (part,) = (one for one in compose(job.spec, job.facts) if isinstance(one, SaintBatches))
    assert len(epoch(job)) == part.num_steps
