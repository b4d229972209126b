"""RandomNodeLoader against PyG's own, which runs on a bare install."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import RandomNodeLoader as Native

from techniques.errors import GraphError, OptionError
from techniques.sampling.loader import RandomNodeLoader


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("num_parts", [1, 4, 100])
def test_batches_equal_pygs_but_for_the_order_of_edges(make_graph, shuffle, num_parts):
    data = make_graph()
    torch.manual_seed(0)
    expected = list(Native(data, num_parts, shuffle=shuffle))
    torch.manual_seed(0)
    ours = list(RandomNodeLoader(data, num_parts, shuffle=shuffle))
    assert len(ours) == len(expected)
    for batch, native in zip(ours, expected, strict=True):
        assert list(batch.to_dict()) == list(native.to_dict()) and batch.num_nodes == native.num_nodes
        order = batch.edge_attr[:, 0].argsort()
        assert bool((batch.edge_index[1].diff() >= 0).all())
        for name in ("edge_attr", "edge_weight"):
            batch[name] = batch[name][order]
        batch.edge_index = batch.edge_index[:, order]
        for name in batch.to_dict():
            assert batch[name] == native[name] if name == "name" else torch.equal(batch[name], native[name])


def test_given_node_counts_lists_and_arrays_are_cut_too():
    data = Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=4)
    data.title, data.table = ["a", "b", "c", "d"], np.arange(8).reshape(4, 2)
    first, second = RandomNodeLoader(data, 2)
    assert (first.num_nodes, second.num_nodes) == (2, 2) and second.edge_index.numel() == 0
    assert second.title == ["c", "d"] and second.table.tolist() == [[4, 5], [6, 7]]
    assert first.edge_index.tolist() == [[0], [1]]


def test_what_it_cannot_do_is_said(make_graph):
    with pytest.raises(OptionError, match="num_parts must be at least 1, got 0"):
        RandomNodeLoader(make_graph(), 0)
    with pytest.raises(OptionError, match="HeteroData"):
        RandomNodeLoader(HeteroData(), 2)
    with pytest.raises(GraphError, match="edge_index"):
        RandomNodeLoader(Data(x=torch.zeros(3, 1)), 2)
