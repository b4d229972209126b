"""ClusterData on METIS through pymetis; ClusterLoader against PyG's own, which runs on a bare install."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import ClusterLoader as NativeLoader

from techniques.errors import OptionError
from techniques.sampling.loader import ClusterData, ClusterLoader


@pytest.mark.parametrize("sparse_format", ["csr", "csc"])
def test_batches_equal_pygs(make_graph, assert_part_of, sparse_format):
    data = make_graph()
    parts = ClusterData(data, 6, log=False, sparse_format=sparse_format)
    assert len(parts) == 6 and repr(parts) == "ClusterData(6)"
    seen = 0
    for batch, native in zip(ClusterLoader(parts, batch_size=2), NativeLoader(parts, batch_size=2), strict=True):
        assert_part_of(batch, data)
        assert list(batch.to_dict()) == list(native.to_dict())
        for name in batch.to_dict():
            assert batch[name] == native[name] if name == "name" else torch.equal(batch[name], native[name])
        seen += batch.num_nodes
    assert seen == 60


def test_a_part_is_what_metis_gave(make_graph, assert_part_of):
    data = make_graph(undirected=True)
    nodes = []
    for part in ClusterData(data, 5, log=False, recursive=True):
        assert_part_of(part, data)
        inside = torch.isin(data.edge_index, part.x[:, 0].long()).all(dim=0)
        assert sorted(part.edge_attr[:, 0].tolist()) == inside.nonzero().flatten().tolist()
        nodes += part.x[:, 0].tolist()
        if len(nodes) == 60:
            break  # PyG's ClusterData has no end of its own
    assert sorted(nodes) == list(range(60))


def test_edges_between_parts_are_kept_where_asked(make_graph):
    data = make_graph()
    parts = ClusterData(data, 5, log=False, keep_inter_cluster_edges=True)
    assert sum(parts[i].edge_index.size(1) for i in range(5)) == data.num_edges


def test_partitions_are_saved_where_pyg_saves_them(make_graph, tmp_path, monkeypatch, capsys):
    data = make_graph()
    first = ClusterData(data, 4, recursive=True, save_dir=str(tmp_path), filename="parts.pt")
    assert (tmp_path / "part_4_recursive" / "parts.pt").exists()
    monkeypatch.setattr(ClusterData, "_metis", None)
    again = ClusterData(data, 4, recursive=True, save_dir=str(tmp_path), filename="parts.pt")
    assert torch.equal(first.partition.node_perm, again.partition.node_perm)
    assert capsys.readouterr().err.count("METIS") == 1


def test_more_parts_than_nodes_and_batches_without_edges():
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=4, x=torch.arange(4))
    batches = list(ClusterLoader(ClusterData(data, 6, log=False)))
    assert [batch.num_nodes for batch in batches] == [1, 1, 1, 1, 0, 0]
    assert [batch.edge_index.size(1) for batch in batches] == [0] * 6
    (whole,) = ClusterLoader(ClusterData(data, 1, log=False))
    assert torch.equal(whole.edge_index, data.edge_index)


def test_shuffled_epochs_repeat_by_seed(make_graph):
    loader = ClusterLoader(ClusterData(make_graph(), 10, log=False), batch_size=3, shuffle=True)

    def epoch(seed):
        torch.manual_seed(seed)
        return [batch.x[:, 0].tolist() for batch in loader]

    assert epoch(1) == epoch(1) != epoch(2)


def test_what_it_cannot_do_is_said(make_graph):
    with pytest.raises(OptionError, match="HeteroData"):
        ClusterData(HeteroData(), 3)
    with pytest.raises(OptionError, match="num_parts must be at least 1, got 0"):
        ClusterData(make_graph(), 0, log=False)
