"""A small graph whose attributes say where each node and edge came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import degree, to_undirected


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., Data]:
    """``make_graph(num_nodes=60, undirected=False)``: self-loops, parallel edges, five isolated nodes at the end."""

    def build(num_nodes: int = 60, undirected: bool = False) -> Data:
        generator = torch.Generator().manual_seed(0)
        edge_index = torch.randint(num_nodes - 5, (2, 5 * num_nodes), generator=generator)
        if undirected:
            edge_index = to_undirected(edge_index, num_nodes=num_nodes)
        num_edges = edge_index.size(1)
        data = Data(
            x=torch.arange(num_nodes, dtype=torch.float32)[:, None].repeat(1, 4),
            edge_index=edge_index,
            edge_attr=torch.arange(num_edges, dtype=torch.float32)[:, None],
            y=torch.arange(num_nodes) % 3,
        )
        data.edge_weight = 1.0 / degree(edge_index[1], num_nodes)[edge_index[1]]
        data.train_mask = torch.arange(num_nodes) % 2 == 0
        data.name, data.scale = "small", torch.tensor(2.0)
        return data

    return build


@pytest.fixture(scope="session")
def assert_part_of() -> Callable[..., None]:
    """``assert_part_of(batch, data)``: every edge of the batch is an edge of the graph, with its own attributes."""

    def check(batch: Any, data: Data) -> None:
        node, edge = batch.x[:, 0].long(), batch.edge_attr[:, 0].long()
        assert torch.equal(data.edge_index[:, edge], node[batch.edge_index])
        assert torch.equal(batch.x, data.x[node]) and torch.equal(batch.train_mask, data.train_mask[node])
        assert torch.equal(batch.edge_weight, data.edge_weight[edge])
        assert batch.name == "small" and batch.scale == 2.0 and batch.num_nodes == len(node)

    return check
