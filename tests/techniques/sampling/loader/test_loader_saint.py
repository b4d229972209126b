"""GraphSAINT's samplers: exact probabilities on a small graph, attributes as PyG's."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import degree

from techniques.errors import GraphError, OptionError
from techniques.sampling.loader import (
    GraphSAINTEdgeSampler,
    GraphSAINTNodeSampler,
    GraphSAINTRandomWalkSampler,
    GraphSAINTSampler,
)

SAMPLERS = [
    (GraphSAINTNodeSampler, {}),
    (GraphSAINTEdgeSampler, {}),
    (GraphSAINTRandomWalkSampler, {"walk_length": 2}),
]


@pytest.mark.parametrize(("kind", "options"), SAMPLERS)
def test_batches_are_induced_subgraphs_with_norms(make_graph, assert_part_of, kind, options, tmp_path):
    data = make_graph()
    loader = kind(data, 10, num_steps=3, sample_coverage=5, log=False, **options)
    assert isinstance(loader, GraphSAINTSampler) and len(loader) == 3 == len(list(loader))
    for batch in loader:
        assert_part_of(batch, data)
        node, edge = batch.x[:, 0].long(), batch.edge_attr[:, 0].long()
        assert bool((node.diff() > 0).all())
        inside = torch.isin(data.edge_index, node).all(dim=0)
        assert sorted(edge.tolist()) == inside.nonzero().flatten().tolist()
        assert torch.equal(batch.node_norm, loader.node_norm[node])
        assert torch.equal(batch.edge_norm, loader.edge_norm[edge])
        others = [name for name in data.to_dict() if name != "edge_index"]
        assert list(batch.to_dict()) == ["num_nodes", "edge_index", *others, "node_norm", "edge_norm"]


def test_norms_are_the_papers_ratios_of_probabilities():
    """A directed graph tells targets from sources: an edge's weight is P(target) / P(edge)."""
    edge_index = torch.tensor([[0, 0, 1, 2, 3, 3, 3], [1, 2, 2, 3, 0, 1, 2]])
    data, budget = Data(edge_index=edge_index, num_nodes=4), 2
    torch.manual_seed(0)
    loader = GraphSAINTNodeSampler(data, budget, sample_coverage=20_000, log=False)
    share = degree(edge_index[0], 4) / 7
    missed = (1 - share) ** budget
    kept = 1 - missed
    u, v = edge_index
    both = 1 - missed[u] - missed[v] + (1 - share[u] - share[v]) ** budget
    torch.testing.assert_close(loader.node_norm, 1 / (4 * kept), rtol=0.05, atol=0)
    torch.testing.assert_close(loader.edge_norm, kept[v] / both, rtol=0.05, atol=0)


def test_the_edge_sampler_follows_the_paper():
    """A hub with 8 leaves and an edge apart: by 1 / deg + 1 / deg, that edge has 2 of 8 * 9 / 8 + 2 = 11 shares."""
    hub = torch.stack([torch.zeros(8, dtype=torch.int64), torch.arange(1, 9)])
    one_way = torch.cat([hub, torch.tensor([[9], [10]])], dim=1)
    data = Data(edge_index=torch.cat([one_way, one_way.flip(0)], dim=1), num_nodes=11)
    torch.manual_seed(0)
    loader = GraphSAINTEdgeSampler(data, 1, sample_coverage=20_000, log=False)
    shares = torch.tensor([9.0, *[9 / 8] * 8, 2.0, 2.0]) / 11
    torch.testing.assert_close(loader.node_norm, 1 / (11 * shares), rtol=0.05, atol=0)


def test_walks_against_the_edges():
    path = Data(edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), num_nodes=5, x=torch.arange(5))
    for batch in GraphSAINTRandomWalkSampler(path, 1, walk_length=2, num_steps=20):
        last = int(batch.x[-1])
        assert batch.x.tolist() == list(range(max(0, last - 2), last + 1))


def test_a_seed_repeats_and_no_coverage_means_no_norms(make_graph):
    loader = GraphSAINTNodeSampler(make_graph(), 10, num_steps=3)

    def epoch(seed):
        torch.manual_seed(seed)
        return [batch.x[:, 0].tolist() for batch in loader]

    assert epoch(1) == epoch(1) != epoch(2)
    assert "node_norm" not in next(iter(loader))


def test_norms_are_saved_and_read_again(make_graph, tmp_path, capsys):
    data = make_graph()

    def build(batch_size, graph=data):
        return GraphSAINTRandomWalkSampler(graph, batch_size, 2, sample_coverage=3, save_dir=str(tmp_path / "norms"))

    first, second, other = build(10), build(10), build(5)
    assert torch.equal(first.edge_norm, second.edge_norm) and torch.equal(first.node_norm, second.node_norm)
    assert not torch.equal(first.edge_norm, other.edge_norm)
    assert capsys.readouterr().err.count("normalization") == 2
    with pytest.raises(GraphError, match="of this graph, got 60 nodes"):
        build(10, make_graph(num_nodes=50))


def test_what_it_cannot_do_is_said(make_graph):
    data = make_graph()
    for options, name in [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 5, "num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"batch_size": 5, "sample_coverage": -1}, "sample_coverage must be at least 0, got -1"),
    ]:
        with pytest.raises(OptionError, match=name):
            GraphSAINTNodeSampler(data, **options)
    with pytest.raises(OptionError, match="walk_length"):
        GraphSAINTRandomWalkSampler(data, 5, 0)
    with pytest.raises(GraphError, match="draws along edges, got none"):
        GraphSAINTEdgeSampler(Data(edge_index=torch.empty((2, 0), dtype=torch.int64), num_nodes=3), 5)
    data.node_norm = torch.ones(60)
    with pytest.raises(GraphError, match="node_norm"):
        GraphSAINTNodeSampler(data, 5)
