"""Our loaders against PyG's own classes, where pyg-lib or torch-sparse can be imported."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.loader as native
import torch_geometric.typing

import techniques.sampling.loader as ours

SPARSE = torch_geometric.typing.WITH_TORCH_SPARSE
needs_any = pytest.mark.skipif(
    not (SPARSE or torch_geometric.typing.WITH_PYG_LIB), reason="needs pyg-lib or torch-sparse"
)
needs_sparse = pytest.mark.skipif(not SPARSE, reason="needs torch-sparse")


def assert_same_graph(batch, other):
    """Equal attributes, nodes in any order, edges in any order."""
    assert list(batch.to_dict()) == list(other.to_dict())
    places = [one.x[:, 0].argsort() for one in (batch, other)]
    for name in ("x", "train_mask"):
        assert torch.equal(batch[name][places[0]], other[name][places[1]])
    ids = [one.edge_attr[:, 0].argsort() for one in (batch, other)]
    for name in ("edge_attr", "edge_weight"):
        assert torch.equal(batch[name][ids[0]], other[name][ids[1]])
    ends = [one.x[:, 0][one.edge_index][:, order] for one, order in zip((batch, other), ids, strict=True)]
    assert torch.equal(*ends)


@needs_any
def test_neighbor_loader(make_graph):
    data = make_graph()
    options = {"num_neighbors": [-1, -1], "input_nodes": data.train_mask, "batch_size": 8}
    for batch, other in zip(ours.NeighborLoader(data, **options), native.NeighborLoader(data, **options), strict=True):
        assert_same_graph(batch, other)
        for name in ("input_id", "batch_size", "num_sampled_nodes", "num_sampled_edges"):
            assert str(batch[name]) == str(other[name])


@needs_any
@pytest.mark.parametrize("neg_sampling", [None, "binary", {"mode": "triplet", "amount": 2}])
def test_link_neighbor_loader(make_graph, neg_sampling):
    data = make_graph()
    options = {"num_neighbors": [-1], "neg_sampling": neg_sampling, "batch_size": 20}
    pairs = zip(ours.LinkNeighborLoader(data, **options), native.LinkNeighborLoader(data, **options), strict=True)
    for batch, other in pairs:
        assert list(batch.to_dict()) == list(other.to_dict())
        for name in ("edge_label", "edge_label_index", "src_index", "dst_pos_index", "dst_neg_index"):
            if name in other:
                assert batch[name].shape == other[name].shape and batch[name].dtype == other[name].dtype
        if neg_sampling is None:
            assert_same_graph(batch, other)


@needs_any
def test_cluster_data(make_graph):
    """The parts may differ; all of them together are the graph. Undirected without loops, or PyG's METIS may crash."""
    data = make_graph(undirected=True)
    keep = data.edge_index[0] != data.edge_index[1]
    data.edge_index, data.edge_attr, data.edge_weight = data.edge_index[:, keep], data.edge_attr[keep], keep[keep]
    batch = next(iter(ours.ClusterLoader(ours.ClusterData(data, 4, log=False), batch_size=4)))
    other = next(iter(native.ClusterLoader(native.ClusterData(data, 4, log=False), batch_size=4)))
    assert_same_graph(batch, other)


@needs_sparse
def test_shadow(make_graph):
    data = make_graph()
    options = {"depth": 2, "num_neighbors": 60, "batch_size": 1}
    pairs = zip(ours.ShaDowKHopSampler(data, **options), native.ShaDowKHopSampler(data, **options), strict=True)
    for batch, other in pairs:
        assert_same_graph(batch, other)
        assert torch.equal(batch.x[batch.root_n_id], other.x[other.root_n_id]) and torch.equal(batch.y, other.y)
        assert torch.equal(batch.ptr, other.ptr) and torch.equal(batch.batch, other.batch)


@needs_sparse
@pytest.mark.parametrize("kind", ["GraphSAINTNodeSampler", "GraphSAINTEdgeSampler", "GraphSAINTRandomWalkSampler"])
def test_graph_saint(make_graph, kind):
    """On an undirected graph node norms agree, except for the edge sampler, where PyG departs from the paper."""
    data = make_graph(undirected=True)
    options = {"batch_size": 10, "sample_coverage": 400, "log": False}
    if kind == "GraphSAINTRandomWalkSampler":
        options["walk_length"] = 2
    loader, other = getattr(ours, kind)(data, **options), getattr(native, kind)(data, **options)
    batch, native_batch = next(iter(loader)), next(iter(other))
    assert list(batch.to_dict()) == list(native_batch.to_dict())
    for name in ("x", "y", "edge_norm", "node_norm", "edge_attr"):
        assert batch[name].dtype == native_batch[name].dtype and batch[name].shape[1:] == native_batch[name].shape[1:]
    if kind != "GraphSAINTEdgeSampler":
        torch.testing.assert_close(loader.node_norm[:55], other.node_norm[:55], rtol=0.35, atol=0)
