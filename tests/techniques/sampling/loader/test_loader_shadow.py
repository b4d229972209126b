"""ShaDowKHopSampler against a naive reference of what PyG's gives."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import k_hop_subgraph

from techniques.errors import GraphError, OptionError
from techniques.sampling.loader import ShaDowKHopSampler


def ego_graphs(batch):
    """Nodes and edges of each ego graph, as sorted ids of the whole graph."""
    node, edge = batch.x[:, 0].long(), batch.edge_attr[:, 0].long()
    owner = batch.batch[batch.edge_index[0]]
    assert torch.equal(owner, batch.batch[batch.edge_index[1]])
    return [
        (sorted(node[batch.batch == i].tolist()), sorted(edge[owner == i].tolist())) for i in range(len(batch.ptr) - 1)
    ]


@pytest.mark.parametrize("depth", [1, 2])
def test_all_neighbours_give_the_induced_ego_graph(make_graph, assert_part_of, depth):
    data = make_graph()
    roots = torch.tensor([3, 58, 7, 3])  # 58 is isolated
    batch = next(iter(ShaDowKHopSampler(data, depth, -1, node_idx=roots, batch_size=4)))
    assert_part_of(batch, data)
    assert batch.x[batch.root_n_id, 0].tolist() == roots.tolist()
    assert batch.batch[batch.root_n_id].tolist() == [0, 1, 2, 3] == batch.batch[batch.ptr[:-1]].tolist()
    for root, ego in zip(roots.tolist(), ego_graphs(batch), strict=True):
        nodes, *_ = k_hop_subgraph(root, depth, data.edge_index, num_nodes=60)
        inside = torch.isin(data.edge_index, nodes).all(dim=0)
        assert ego == (nodes.tolist(), inside.nonzero().flatten().tolist())


def test_attributes_are_pygs(make_graph):
    data = make_graph()
    data.n_id = torch.arange(60)
    loader = ShaDowKHopSampler(data, 2, 3, node_idx=data.train_mask, batch_size=16, shuffle=True)
    assert (len(loader), loader.depth, loader.num_neighbors, loader.replace) == (2, 2, 3, False)
    for batch in loader:
        others = [name for name in data.to_dict() if name != "edge_index"]
        assert list(batch.to_dict()) == ["batch", "ptr", "root_n_id", "edge_index", *others]
        assert torch.equal(batch.y, data.y[batch.n_id[batch.root_n_id]])  # of the roots only
        assert batch.num_graphs == len(batch.root_n_id)


@pytest.mark.parametrize("replace", [False, True])
def test_sampled_ego_graphs_stay_within_bounds(make_graph, assert_part_of, replace):
    data = make_graph()
    for batch in ShaDowKHopSampler(data, 2, 2, replace=replace, batch_size=20):
        assert_part_of(batch, data)
        assert int(batch.ptr.diff().max()) <= 1 + 2 + 4


def test_every_node_is_a_root_by_default_and_a_seed_repeats(make_graph):
    loader = ShaDowKHopSampler(make_graph(), 2, 2, batch_size=20, shuffle=True)

    def epoch(seed):
        torch.manual_seed(seed)
        return [(batch.x[batch.root_n_id, 0].tolist(), batch.edge_attr[:, 0].tolist()) for batch in loader]

    assert sorted(root for roots, _ in epoch(1) for root in roots) == list(range(60))
    assert epoch(1) == epoch(1) != epoch(2)


def test_what_it_cannot_do_is_said(make_graph):
    with pytest.raises(OptionError, match="depth must be at least 1, got 0"):
        ShaDowKHopSampler(make_graph(), 0, 3)
    with pytest.raises(OptionError, match=r"num_neighbors must be .* got -2"):
        ShaDowKHopSampler(make_graph(), 1, -2)
    with pytest.raises(GraphError, match="edge_index"):
        ShaDowKHopSampler(Data(x=torch.zeros(3, 1)), 1, 3)
    with pytest.raises(ValueError, match="60"):
        next(iter(ShaDowKHopSampler(make_graph(), 1, 3, node_idx=torch.tensor([60]))))
