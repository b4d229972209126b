"""Training loops as in PyG's examples, with only the import of the loader changed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch_geometric.nn import GraphConv, GraphSAGE, SAGEConv, global_mean_pool

from techniques.sampling.loader import (
    ClusterData,
    ClusterLoader,
    GraphSAINTRandomWalkSampler,
    LinkNeighborLoader,
    NeighborLoader,
    ShaDowKHopSampler,
)

CPU = torch.device("cpu")


def learnable(data):
    data.x = F.one_hot(data.y, 4).float() + 0.1 * torch.rand(data.num_nodes, 4)
    return data


def test_graph_saint(make_graph, tmp_path):
    """examples/graph_saint.py with --use_normalization."""
    torch.manual_seed(0)
    data = learnable(make_graph(undirected=True))
    loader = GraphSAINTRandomWalkSampler(
        data, batch_size=6, walk_length=2, num_steps=5, sample_coverage=20, save_dir=str(tmp_path)
    )

    class Net(torch.nn.Module):
        def __init__(self, hidden_channels):
            super().__init__()
            self.conv1 = GraphConv(4, hidden_channels)
            self.conv2 = GraphConv(hidden_channels, hidden_channels)
            self.lin = torch.nn.Linear(2 * hidden_channels, 3)

        def set_aggr(self, aggr):
            self.conv1.aggr = self.conv2.aggr = aggr

        def forward(self, x0, edge_index, edge_weight=None):
            x1 = F.relu(self.conv1(x0, edge_index, edge_weight))
            x2 = F.relu(self.conv2(x1, edge_index, edge_weight))
            return self.lin(torch.cat([x1, x2], dim=-1)).log_softmax(dim=-1)

    model = Net(16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train():
        model.train()
        model.set_aggr("add")
        total_loss = total_examples = 0
        for data in loader:
            data = data.to(CPU)
            optimizer.zero_grad()
            edge_weight = data.edge_norm * data.edge_weight
            out = model(data.x, data.edge_index, edge_weight)
            loss = F.nll_loss(out, data.y, reduction="none")
            loss = (loss * data.node_norm)[data.train_mask].sum()
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * data.num_nodes
            total_examples += data.num_nodes
        return total_loss / total_examples

    losses = [train() for _epoch in range(15)]
    assert losses[-1] < 0.7 * losses[0]


def test_shadow(make_graph):
    """examples/shadow.py."""
    torch.manual_seed(0)
    data = learnable(make_graph(undirected=True))
    options = {"batch_size": 8, "num_workers": 2, "persistent_workers": True}
    train_loader = ShaDowKHopSampler(data, depth=2, num_neighbors=5, node_idx=data.train_mask, **options)

    class GNN(torch.nn.Module):
        def __init__(self, in_channels, hidden_channels, out_channels):
            super().__init__()
            self.conv1 = SAGEConv(in_channels, hidden_channels)
            self.conv2 = SAGEConv(hidden_channels, hidden_channels)
            self.lin = torch.nn.Linear(2 * hidden_channels, out_channels)

        def forward(self, x, edge_index, batch, root_n_id):
            x = self.conv1(x, edge_index).relu()
            x = self.conv2(x, edge_index).relu()
            x = torch.cat([x[root_n_id], global_mean_pool(x, batch)], dim=-1)
            return self.lin(x)

    model = GNN(4, 16, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train():
        model.train()
        total_loss = total_examples = 0
        for data in train_loader:
            data = data.to(CPU)
            optimizer.zero_grad()
            out = model(data.x, data.edge_index, data.batch, data.root_n_id)
            loss = F.cross_entropy(out, data.y)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * data.num_graphs
            total_examples += data.num_graphs
        return total_loss / total_examples

    losses = [train() for _epoch in range(10)]
    assert losses[-1] < 0.7 * losses[0]


def test_cluster_gcn(make_graph, tmp_path):
    """examples/cluster_gcn_reddit.py."""
    torch.manual_seed(0)
    data = learnable(make_graph(undirected=True))
    cluster_data = ClusterData(data, num_parts=12, recursive=False, save_dir=str(tmp_path))
    train_loader = ClusterLoader(cluster_data, batch_size=4, shuffle=True, num_workers=2)
    subgraph_loader = NeighborLoader(data, num_neighbors=[-1], batch_size=16, shuffle=False, num_workers=2)

    class Net(torch.nn.Module):
        def __init__(self, in_channels, out_channels):
            super().__init__()
            self.convs = torch.nn.ModuleList([SAGEConv(in_channels, 16), SAGEConv(16, out_channels)])

        def forward(self, x, edge_index):
            for i, conv in enumerate(self.convs):
                x = conv(x, edge_index)
                if i != len(self.convs) - 1:
                    x = F.relu(x)
            return F.log_softmax(x, dim=-1)

        def inference(self, x_all):
            for i, conv in enumerate(self.convs):
                xs = []
                for batch in subgraph_loader:
                    edge_index = batch.edge_index.to(CPU)
                    x = x_all[batch.n_id].to(CPU)
                    x_target = x[: batch.batch_size]
                    x = conv((x, x_target), edge_index[:, edge_index[1] < batch.batch_size])
                    if i != len(self.convs) - 1:
                        x = F.relu(x)
                    xs.append(x.cpu())
                x_all = torch.cat(xs, dim=0)
            return x_all

    model = Net(4, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def train():
        model.train()
        total_loss = total_nodes = 0
        for batch in train_loader:
            batch = batch.to(CPU)
            optimizer.zero_grad()
            out = model(batch.x, batch.edge_index)
            loss = F.nll_loss(out[batch.train_mask], batch.y[batch.train_mask])
            loss.backward()
            optimizer.step()
            nodes = batch.train_mask.sum().item()
            total_loss += loss.item() * nodes
            total_nodes += nodes
        return total_loss / total_nodes

    losses = [train() for _epoch in range(10)]
    assert losses[-1] < 0.7 * losses[0]
    whole = model(data.x, data.edge_index)
    torch.testing.assert_close(model.inference(data.x).log_softmax(dim=-1), whole)


def test_link_prediction(make_graph):
    """examples/graph_sage_unsup.py."""
    torch.manual_seed(0)
    data = learnable(make_graph(undirected=True))
    # Edges between nodes of one class only, so that there is something to learn.
    source, target = data.edge_index
    alike = data.y[source] == data.y[target]
    data.edge_index, data.edge_attr, data.edge_weight = data.edge_index[:, alike], None, None
    train_loader = LinkNeighborLoader(data, batch_size=32, shuffle=True, neg_sampling_ratio=1.0, num_neighbors=[10, 10])
    model = GraphSAGE(4, hidden_channels=16, num_layers=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train():
        model.train()
        total_loss = 0
        for batch in train_loader:
            batch = batch.to(CPU)
            optimizer.zero_grad()
            h = model(batch.x, batch.edge_index)
            h_src = h[batch.edge_label_index[0]]
            h_dst = h[batch.edge_label_index[1]]
            link_pred = (h_src * h_dst).sum(dim=-1)
            loss = F.binary_cross_entropy_with_logits(link_pred, batch.edge_label)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * link_pred.size(0)
        return total_loss / data.num_nodes

    losses = [train() for _epoch in range(10)]
    assert losses[-1] < 0.9 * losses[0]
