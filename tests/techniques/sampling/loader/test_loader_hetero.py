"""The neighbour loader of a ``HeteroData``: attributes by type, and the same training loop as PyG's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.loader import NodeLoader
from torch_geometric.nn import HeteroConv, SAGEConv
from torch_geometric.transforms import ToUndirected

from techniques.errors import GraphError, OptionError
from techniques.sampling.hetero_sampler import HeteroNeighborSampler
from techniques.sampling.loader import NeighborLoader


def loader(data: Any, num_neighbors: Any, **others: Any) -> NeighborLoader:
    return NeighborLoader(data, num_neighbors, input_nodes=("movie", data["movie"].train_mask), **others)


def test_batches_hold_the_attributes_of_their_nodes_and_edges(films: Any) -> None:
    data = films(masks=True)
    data["movie", "by", "person"].edge_attr = torch.arange(90.0)
    for batch in loader(data, [3, 2], batch_size=5):
        assert batch["movie"].batch_size == len(batch["movie"].input_id)
        for kind in data.node_types:
            assert batch[kind].num_nodes == sum(batch[kind].num_sampled_nodes) == len(batch[kind].n_id)
            if "x" in data[kind]:
                assert torch.equal(batch[kind].x, data[kind].x[batch[kind].n_id])
        for key in data.edge_types:
            edges = batch[key].edge_index
            whole = data[key].edge_index[:, batch[key].e_id]
            assert torch.equal(batch[key[0]].n_id[edges[0]], whole[0])
            assert torch.equal(batch[key[2]].n_id[edges[1]], whole[1])
        by = "movie", "by", "person"
        assert torch.equal(batch[by].edge_attr, data[by].edge_attr[batch[by].e_id])
        seeds = batch["movie"].n_id[: batch["movie"].batch_size]
        assert data["movie"].train_mask[seeds].all()


def test_every_seed_comes_once_an_epoch_and_manual_seed_repeats_it(films: Any) -> None:
    data = films(masks=True)
    epochs = []
    for _ in range(2):
        torch.manual_seed(5)
        batches = list(loader(data, [3, 2], batch_size=4, shuffle=True))
        seeds = torch.cat([batch["movie"].n_id[: batch["movie"].batch_size] for batch in batches])
        assert sorted(seeds.tolist()) == data["movie"].train_mask.nonzero().flatten().tolist()
        epochs.append([batch["person"].n_id.tolist() for batch in batches])
    assert epochs[0] == epochs[1]


def test_fanouts_by_edge_type(films: Any) -> None:
    data = films(scale=5, masks=True)
    fanouts = {key: [2, 1] for key in data.edge_types}
    fanouts["person", "knows", "person"] = [0, 0]
    fanouts["person", "likes", "movie"] = [4, -1]
    for batch in loader(data, fanouts, batch_size=20):
        assert batch["person", "knows", "person"].edge_index.size(1) == 0
        counts = batch["person", "likes", "movie"].edge_index[
            1, : batch["person", "likes", "movie"].num_sampled_edges[0]
        ]
        assert counts.bincount().max() <= 4


def test_all_neighbours_give_the_outputs_of_the_whole_graph(films: Any) -> None:
    """Two layers over batches with all neighbours say of their seeds what they say on the whole graph."""
    torch.manual_seed(0)
    data = ToUndirected(merge=False)(films(masks=True))
    data["tag"].x = torch.randn(data["tag"].num_nodes, 3)
    convs = [
        HeteroConv({key: SAGEConv((-1, -1), 8) for key in data.edge_types}),
        HeteroConv({key: SAGEConv((-1, -1), 3) for key in data.edge_types}),
    ]

    def outputs(batch: Any) -> torch.Tensor:
        rows = batch.x_dict
        for conv in convs:
            rows = {kind: one.relu() for kind, one in conv(rows, batch.edge_index_dict).items()}
        found: torch.Tensor = rows["movie"]
        return found

    with torch.no_grad():
        whole = outputs(data)
        for batch in loader(data, [-1, -1], batch_size=4):
            seeds = batch["movie"].n_id[: batch["movie"].batch_size]
            torch.testing.assert_close(outputs(batch)[: len(seeds)], whole[seeds])


def test_workers_and_pygs_own_node_loader(films: Any) -> None:
    data = films(masks=True)
    sampler = HeteroNeighborSampler.from_data(data, [3, 2])
    found = NodeLoader(data, sampler, input_nodes=("movie", data["movie"].train_mask), batch_size=6, num_workers=1)
    assert sum(batch["movie"].batch_size for batch in found) == int(data["movie"].train_mask.sum())


def test_what_is_not_offered_says_so(films: Any) -> None:
    data = films(masks=True)
    with pytest.raises(OptionError, match="directional"):
        loader(data, [2], subgraph_type="induced")
    with pytest.raises(OptionError, match="does not offer replace"):
        loader(data, [2], replace=True)
    with pytest.raises(ValueError, match="lacks"):
        loader(data, {("movie", "by", "person"): [1]})
    with pytest.raises(ValueError, match="as many for all edge types"):
        loader(data, {key: [1] * (1 + (key[1] == "by")) for key in data.edge_types})
    data["movie", "in", "cinema"].edge_index = torch.zeros((2, 1), dtype=torch.int64)
    with pytest.raises(GraphError, match="no node type cinema"):
        HeteroNeighborSampler.from_data(data, [2])
