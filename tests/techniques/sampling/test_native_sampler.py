"""Our sampler beside PyG's own, which needs pyg-lib: the same distribution, the same shapes, and it trains."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import NeighborSampler as NativeSampler
from torch_geometric.sampler import NodeSamplerInput, SamplerOutput

from techniques.sampling.neighbor_sampler import NeighborSampler

pytest.importorskip("pyg_lib", reason="PyG's own sampler needs pyg-lib, which is not installed")

DRAWS = 3000


def graph_with_hubs(num_nodes: int = 40, num_edges: int = 400) -> Data:
    """Distinct edges, in-degrees from 0 to more than any fanout, in no particular order."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(num_nodes, (num_edges,), generator=generator)
    target = (num_nodes * torch.rand(num_edges, generator=generator) ** 2).long()
    edge_index = torch.unique(torch.stack([source, target]), dim=1)
    return Data(num_nodes=num_nodes, edge_index=edge_index[:, torch.randperm(edge_index.size(1), generator=generator)])


def both(data: Data, num_neighbors: list[int]) -> list[Any]:
    return [NeighborSampler.from_data(data, num_neighbors), NativeSampler(data, num_neighbors)]


def sample(sampler: Any, seeds: Tensor) -> SamplerOutput:
    return sampler.sample_from_nodes(NodeSamplerInput(None, seeds))


def times_drawn(sampler: Any, data: Data, seeds: Tensor) -> Tensor:
    """How often each edge of ``data`` is in a sample, ``[E]``."""
    torch.manual_seed(1)
    counts = torch.zeros(data.num_edges)
    for _ in range(DRAWS):
        counts += torch.bincount(sampler.edge_permutation[sample(sampler, seeds).edge], minlength=data.num_edges)
    return counts


def test_one_hop_draws_every_edge_of_a_node_equally_often() -> None:
    data, fanout = graph_with_hubs(), 4
    target = data.edge_index[1]
    degree = torch.bincount(target, minlength=data.num_nodes)[target]
    assert int(degree.min()) <= fanout < int(degree.max())
    chance = (fanout / degree).clamp(max=1)
    for sampler in both(data, [fanout]):
        counts = times_drawn(sampler, data, torch.arange(data.num_nodes))
        assert torch.equal(counts[chance == 1], torch.full_like(counts[chance == 1], DRAWS))
        error = (counts - DRAWS * chance) / (DRAWS * chance * (1 - chance)).sqrt()
        error = error[chance < 1]
        assert float(error.abs().max()) < 4.5 and abs(float(error.square().mean()) - 1) < 0.3


def test_further_hops_draw_every_edge_as_often_as_pyg_does() -> None:
    """An edge is in a sample or not, so a count's variance is below its mean."""
    data = graph_with_hubs()
    ours, native = (times_drawn(sampler, data, torch.tensor([3, 17, 39])) for sampler in both(data, [3, 2, 2]))
    error = (ours - native) / (ours + native).clamp(min=1).sqrt()
    assert int(native.count_nonzero()) > 200 and float(error.abs().max()) < 4.5
    assert float(error.square().mean()) < 1.2


@pytest.mark.parametrize("num_neighbors", [[4], [3, 2, 2], [-1, 5], [0, 3]])
def test_batches_have_pygs_shape(num_neighbors: list[int]) -> None:
    """Hop by hop, each expanded node has exactly ``min(fanout, in-degree)`` edges, in order of its local id."""
    data = graph_with_hubs()
    degree = torch.bincount(data.edge_index[1], minlength=data.num_nodes)
    for sampler in both(data, num_neighbors):
        out = sample(sampler, torch.tensor([0, 5, 11]))
        ends = torch.tensor(out.num_sampled_nodes).cumsum(0).tolist()
        first = torch.tensor([0, *ends])
        wanted = torch.cat(
            [
                degree[out.node[first[hop] : first[hop + 1]]].clamp(max=math.inf if fanout < 0 else fanout)
                for hop, fanout in enumerate(num_neighbors)
            ]
        ).long()
        assert torch.equal(out.col, torch.repeat_interleave(torch.arange(wanted.numel()), wanted))
        assert sum(out.num_sampled_edges) == int(wanted.sum()) == out.row.numel() == out.edge.numel()
        assert ends[-1] == out.node.numel() == out.node.unique().numel()
        edge_index = data.edge_index[:, sampler.edge_permutation[out.edge]]
        assert torch.equal(edge_index, torch.stack([out.node[out.row], out.node[out.col]]))


def test_all_neighbours_are_the_same_batch() -> None:
    """From edges that are sorted by target already: PyG's own sort leaves a target's edges in any order."""
    data = graph_with_hubs()
    data.edge_index = data.edge_index[:, data.edge_index[1].argsort(stable=True)]
    samplers = NeighborSampler.from_data(data, [-1, -1]), NativeSampler(data, [-1, -1], is_sorted=True)
    ours, native = (sample(sampler, torch.tensor([2, 30])) for sampler in samplers)
    for name in ("node", "row", "col", "edge"):
        assert torch.equal(getattr(ours, name), getattr(native, name))
    assert ours.num_sampled_nodes == native.num_sampled_nodes
    assert ours.num_sampled_edges == native.num_sampled_edges
