"""GraphSAINT's weights undo the choice of nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.assembly import compose
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from techniques.representation.block import Block, gcn_sum, neighbor_mean, neighbor_sum
from techniques.sampling.blocks import subgraph_block
from techniques.sampling.graph_saint import SaintBatches
from techniques.sampling.kernels import SubgraphKernel, build_csc
from tests.techniques.sampling.subgraph_jobs import NODES, entries, epoch, nodes_of, stored_edges

SAINT = ("node", "edge", "walk")


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


@pytest.mark.parametrize("representation", ["coo", "csr"])
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
