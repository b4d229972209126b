"""The link sampler by itself; the loader's tests look at what a user sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.sampler import EdgeSamplerInput, NegativeSampling, NodeSamplerInput

from techniques.sampling.link_sampler import LinkNeighborSampler
from techniques.sampling.negative import negative_edges

EDGES = torch.tensor([[0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 2]])


def sampler(num_neighbors=(2,)):
    return LinkNeighborSampler.from_data(Data(edge_index=EDGES, num_nodes=6), num_neighbors)


def seed_edges(**others):
    return EdgeSamplerInput(torch.tensor([7, 8]), torch.tensor([4, 1]), torch.tensor([0, 2]), **others)


def test_nodes_begin_with_the_distinct_ends():
    out = sampler().sample_from_edges(seed_edges(), seed=1)
    places, ends, label, time = out.metadata
    assert out.node[:4].tolist() == [0, 1, 2, 4] and out.num_sampled_nodes[0] == 4
    assert out.node[ends].tolist() == [[4, 1], [0, 2]]
    assert places.tolist() == [7, 8] and label is None and time is None


def test_negatives_are_the_public_functions():
    sampling = NegativeSampling("binary", 1.5)
    out = sampler().sample_from_edges(seed_edges(label=torch.tensor([2.0, 3.0])), sampling, seed=9)
    _, ends, label, _ = out.metadata
    assert np.array_equal(out.node[ends][:, 2:], negative_edges(6, 3, 9))
    assert label.tolist() == [2, 3, 0, 0, 0]


def test_a_seed_decides_everything():
    sampling = NegativeSampling("triplet", 2)

    def draw(seed):
        out = sampler((1, 1)).sample_from_edges(seed_edges(), sampling, seed=seed)
        return [out.edge.tolist(), *(part.tolist() for part in out.metadata[:4])]

    assert draw(3) == draw(3)
    assert len({str(draw(seed)) for seed in range(10)}) > 1


def test_nodes_are_sampled_as_before():
    out = sampler().sample_from_nodes(NodeSamplerInput(None, torch.tensor([5])), seed=0)
    assert out.node.tolist() == [5]


def test_what_it_cannot_do_is_said():
    with pytest.raises(NotImplementedError, match="by time"):
        sampler().sample_from_edges(seed_edges(time=torch.tensor([1, 2])))
    outside = EdgeSamplerInput(None, torch.tensor([0]), torch.tensor([6]))
    with pytest.raises(ValueError, match=r"0\.\.5"):
        sampler().sample_from_edges(outside)
