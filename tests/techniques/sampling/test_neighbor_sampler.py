"""The sampler inside PyG's own NodeLoader."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.nn import GraphSAGE
from torch_geometric.sampler import EdgeSamplerInput, NodeSamplerInput

from techniques.sampling.neighbor_sampler import NeighborSampler


def small_graph(num_nodes=60, num_edges=500) -> Data:
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
    return Data(
        x=torch.arange(num_nodes, dtype=torch.float32)[:, None].repeat(1, 4),
        y=torch.arange(num_nodes),
        edge_index=edge_index,
        edge_attr=torch.arange(num_edges, dtype=torch.float32),
    )


def loader(data, num_neighbors=(4, 3), **options) -> NodeLoader:
    sampler = NeighborSampler.from_data(data, num_neighbors)
    return NodeLoader(data, sampler, **{"input_nodes": torch.arange(10, 40), "batch_size": 8, **options})


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_carry_what_pyg_gives(num_workers):
    data = small_graph()
    batches = list(loader(data, num_workers=num_workers))
    assert [batch.batch_size for batch in batches] == [8, 8, 8, 6]
    assert torch.cat([batch.input_id for batch in batches]).tolist() == list(range(30))
    for batch in batches:
        assert torch.equal(batch.n_id[: batch.batch_size], batch.input_id + 10)
        assert torch.equal(batch.y, batch.n_id) and torch.equal(batch.x[:, 0].long(), batch.n_id)
        assert torch.equal(data.edge_index[:, batch.e_id], batch.n_id[batch.edge_index])
        assert torch.equal(batch.edge_attr, batch.e_id.float())
        assert sum(batch.num_sampled_nodes) == batch.num_nodes and len(batch.num_sampled_nodes) == 3
        assert sum(batch.num_sampled_edges) == batch.num_edges and len(batch.num_sampled_edges) == 2


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_torch_seed_repeats_an_epoch(num_workers):
    data = small_graph()

    def epoch(seed):
        torch.manual_seed(seed)
        return [batch.e_id.tolist() for batch in loader(data, shuffle=True, num_workers=num_workers)]

    assert epoch(1) == epoch(1) != epoch(2)


def test_a_batch_trains_a_trimmed_model():
    data = small_graph()
    batch = next(iter(loader(data, num_neighbors=(4, 3, 2))))
    torch.manual_seed(0)
    model = GraphSAGE(4, 16, num_layers=3, out_channels=2)
    whole = model(batch.x, batch.edge_index)[: batch.batch_size]
    trimmed = model(
        batch.x,
        batch.edge_index,
        num_sampled_nodes_per_hop=batch.num_sampled_nodes,
        num_sampled_edges_per_hop=batch.num_sampled_edges,
    )
    torch.testing.assert_close(trimmed[: batch.batch_size], whole)
    trimmed.sum().backward()


def test_all_neighbours_are_the_graph_itself():
    data = small_graph()
    sampler = NeighborSampler.from_data(data, [-1])
    out = sampler.sample_from_nodes(NodeSamplerInput(None, torch.arange(60)))
    assert sorted(sampler.edge_permutation[out.edge].tolist()) == list(range(500))
    assert repr(sampler) == "NeighborSampler(num_neighbors=[-1])"


def test_repeated_seeds_stay_in_place():
    """An ImbalancedSampler draws with replacement."""
    out = NeighborSampler.from_data(small_graph(), [2]).sample_from_nodes(
        NodeSamplerInput(None, torch.tensor([5, 7, 5])), seed=1
    )
    assert out.node[:3].tolist() == [5, 7, 5] and out.num_sampled_nodes[0] == 3


def test_from_arrays_in_place_and_after_pickling():
    colptr, row = torch.tensor([0, 2, 3, 3]), np.array([1, 2, 0], np.int32)
    sampler = NeighborSampler(colptr, row, None, 3, [1])
    assert sampler.edge_permutation is None
    seeds = NodeSamplerInput(None, torch.tensor([0, 1]))
    again = pickle.loads(pickle.dumps(sampler)).sample_from_nodes(seeds, seed=3)
    assert torch.equal(again.edge, sampler.sample_from_nodes(seeds, seed=3).edge)


def test_without_edge_ids():
    data = small_graph()
    sampler = NeighborSampler.from_data(data, [3], return_edge_id=False)
    batch = next(iter(NodeLoader(data, sampler, batch_size=4)))
    assert sampler.edge_permutation is None and "e_id" not in batch and batch.edge_attr is None


def test_what_it_cannot_do_is_said():
    data = small_graph()
    sampler = NeighborSampler.from_data(data, [3])
    with pytest.raises(NotImplementedError, match="link sampler"):
        sampler.sample_from_edges(EdgeSamplerInput(None, torch.tensor([0]), torch.tensor([1])))
    with pytest.raises(NotImplementedError, match="by time"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([0]), time=torch.tensor([1])))
    with pytest.raises(ValueError, match="at least one hop"):
        NeighborSampler.from_data(data, [])
    with pytest.raises(ValueError, match="edge_index"):
        NeighborSampler.from_data(Data(x=data.x), [3])
    with pytest.raises(ValueError, match="perm must have the 500"):
        NeighborSampler(sampler.kernel._colptr, sampler.kernel._row, np.arange(3), 60, [3])
