"""NeighborLoader against what PyG documents; the loader's machinery is PyG's own."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import ImbalancedSampler
from torch_geometric.utils import k_hop_subgraph

from techniques.errors import GraphError, OptionError
from techniques.sampling.loader import NeighborLoader


def test_batches_hold_what_pyg_gives(make_graph, assert_part_of):
    data = make_graph()
    loader = NeighborLoader(data, [4, 3], input_nodes=data.train_mask, batch_size=8, shuffle=True)
    batches = list(loader)
    assert sorted(torch.cat([batch.input_id for batch in batches]).tolist()) == list(range(0, 60, 2))
    for batch in batches:
        assert_part_of(batch, data)
        assert torch.equal(batch.n_id, batch.x[:, 0].long()) and torch.equal(batch.e_id, batch.edge_attr[:, 0].long())
        assert torch.equal(batch.n_id[: batch.batch_size], batch.input_id)
        assert torch.equal(batch.y, data.y[batch.n_id])
        added = ["n_id", "e_id", "num_sampled_nodes", "num_sampled_edges", "input_id", "batch_size"]
        assert list(batch.to_dict()) == [*data.to_dict(), *added]


def test_all_neighbours_are_the_neighbourhood(make_graph):
    data = make_graph()
    for batch in NeighborLoader(data, [-1, -1], input_nodes=torch.tensor([3, 5]), batch_size=2):
        nodes, *_ = k_hop_subgraph([3, 5], 2, data.edge_index, num_nodes=60)
        assert sorted(batch.n_id.tolist()) == nodes.tolist()


def test_an_imbalanced_sampler_draws_the_seeds(make_graph):
    data = make_graph()
    sampler = ImbalancedSampler(data, input_nodes=data.train_mask)
    loader = NeighborLoader(data, [2], input_nodes=data.train_mask, batch_size=10, sampler=sampler)
    seeds = torch.cat([batch.n_id[: batch.batch_size] for batch in loader])
    assert len(seeds) == 30 and bool(data.train_mask[seeds].all())


def test_induced_subgraphs_hold_every_edge_between_sampled_nodes(make_graph, assert_part_of):
    data = make_graph()
    batch = next(iter(NeighborLoader(data, [3, 2], batch_size=6, subgraph_type="induced")))
    assert_part_of(batch, data)
    inside = torch.isin(data.edge_index, batch.n_id).all(dim=0)
    assert sorted(batch.e_id.tolist()) == inside.nonzero().flatten().tolist()
    assert batch.n_id[:6].tolist() == list(range(6)) and "num_sampled_nodes" not in batch
    old = next(iter(NeighborLoader(data, [-1], batch_size=6, directed=False)))
    new = next(iter(NeighborLoader(data, [-1], batch_size=6, subgraph_type="induced")))
    assert torch.equal(old.e_id, new.e_id)


def test_bidirectional_subgraphs_hold_both_directions(make_graph):
    data = make_graph()
    torch.manual_seed(0)
    batch = next(iter(NeighborLoader(data, [3, 2], batch_size=6, subgraph_type="bidirectional")))
    torch.manual_seed(0)
    directional = next(iter(NeighborLoader(data, [3, 2], batch_size=6)))
    pairs = {tuple(pair) for pair in directional.edge_index.t().tolist()}
    assert {tuple(pair) for pair in batch.edge_index.t().tolist()} == pairs | {(v, u) for u, v in pairs}


def test_transforms_and_a_shared_sampler(make_graph):
    data = make_graph()
    first = NeighborLoader(data, [2], batch_size=5, is_sorted=True)
    loader = NeighborLoader(
        data, [9], batch_size=5, neighbor_sampler=first.node_sampler, transform=lambda one: one.n_id,
        transform_sampler_output=lambda out: out, filter_per_worker=False,
    )  # fmt: skip
    assert loader.node_sampler is first.node_sampler and next(iter(loader))[:5].tolist() == list(range(5))


@pytest.mark.parametrize(
    "options",
    [
        {"replace": True},
        {"disjoint": True},
        {"weight_attr": "edge_weight"},
        {"time_attr": "x"},
        {"input_time": torch.arange(60)},
        {"temporal_strategy": "last"},
        {"num_neighbors": {("a", "to", "b"): [3]}},
        {"subgraph_type": "whole"},
    ],
)
def test_what_is_not_offered_is_said(make_graph, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        NeighborLoader(make_graph(), **{"num_neighbors": [3], **options})


def test_other_graphs_and_repeated_seeds_are_refused(make_graph):
    with pytest.raises(GraphError, match="edge types"):
        NeighborLoader(HeteroData(), [3])
    with pytest.raises(GraphError, match="edge_index"):
        NeighborLoader(Data(x=torch.zeros(3, 1)), [3])
    with pytest.raises(OptionError, match="distinct seed nodes"):
        next(iter(NeighborLoader(make_graph(), [3], torch.tensor([1, 1]), batch_size=2, subgraph_type="induced")))
