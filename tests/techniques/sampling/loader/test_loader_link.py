"""LinkNeighborLoader against what PyG documents; the loader's machinery is PyG's own."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.sampler import NegativeSampling

from techniques.errors import OptionError
from techniques.sampling.loader import LinkNeighborLoader

COMMON = ["n_id", "e_id", "num_sampled_nodes", "num_sampled_edges", "input_id"]


def test_seed_edges_without_negatives(make_graph, assert_part_of):
    data = make_graph()
    edges, label = data.edge_index[:, 10:50], torch.arange(40)
    loader = LinkNeighborLoader(data, [4, 3], edge_label_index=edges, edge_label=label, batch_size=16)
    for batch in loader:
        assert_part_of(batch, data)
        assert torch.equal(batch.n_id[batch.edge_label_index], edges[:, batch.input_id])
        assert torch.equal(batch.edge_label, batch.input_id)
        assert list(batch.to_dict()) == [*data.to_dict(), *COMMON, "edge_label_index", "edge_label"]


def test_all_edges_are_the_default(make_graph):
    data = make_graph()
    batches = list(LinkNeighborLoader(data, [2], batch_size=100))
    ends = torch.cat([batch.n_id[batch.edge_label_index] for batch in batches], dim=1)
    assert torch.equal(ends, data.edge_index) and "edge_label" not in batches[0]


@pytest.mark.parametrize("options", [{"neg_sampling": "binary"}, {"neg_sampling_ratio": 1.5}])
def test_binary_negatives(make_graph, options):
    data = make_graph()
    ratio = options.get("neg_sampling_ratio", 1)
    for batch in LinkNeighborLoader(data, [3], batch_size=20, **options):
        positives = len(batch.input_id)
        assert batch.edge_label.dtype == torch.float32
        assert batch.edge_label.tolist() == [1.0] * positives + [0.0] * int(positives * ratio)
        ends = batch.n_id[batch.edge_label_index]
        assert torch.equal(ends[:, :positives], data.edge_index[:, batch.input_id])


def test_class_labels_leave_zero_to_negatives(make_graph):
    data = make_graph()
    label = torch.arange(data.num_edges) % 3
    batch = next(iter(LinkNeighborLoader(data, [3], edge_label=label, neg_sampling="binary", batch_size=6)))
    assert batch.edge_label.tolist() == [1, 2, 3, 1, 2, 3] + [0] * 6 and batch.edge_label.dtype == torch.int64


@pytest.mark.parametrize("amount", [1, 3])
def test_triplets(make_graph, amount):
    data = make_graph()
    sampling = {"mode": "triplet", "amount": amount}
    for batch in LinkNeighborLoader(data, [3], batch_size=20, neg_sampling=sampling):
        positives = data.edge_index[:, batch.input_id]
        assert torch.equal(batch.n_id[batch.src_index], positives[0])
        assert torch.equal(batch.n_id[batch.dst_pos_index], positives[1])
        size = len(batch.input_id)
        assert batch.dst_neg_index.shape == ((size,) if amount == 1 else (size, amount))
        assert list(batch.to_dict()) == [*data.to_dict(), *COMMON, "src_index", "dst_pos_index", "dst_neg_index"]
    with pytest.raises(ValueError, match="edge_label"):
        LinkNeighborLoader(data, [3], edge_label=torch.ones(data.num_edges), neg_sampling=sampling)


def test_weights_decide_which_nodes_are_drawn(make_graph):
    data = make_graph()
    source, target = torch.zeros(60), torch.zeros(60)
    source[7], target[[3, 4]] = 1.0, 1.0
    sampling = NegativeSampling("binary", 2, src_weight=source, dst_weight=target)
    batch = next(iter(LinkNeighborLoader(data, [3], batch_size=20, neg_sampling=sampling)))
    negative = batch.n_id[batch.edge_label_index][:, 20:]
    assert set(negative[0].tolist()) == {7} and set(negative[1].tolist()) == {3, 4}


def test_a_torch_seed_repeats_negatives_and_neighbours(make_graph):
    loader = LinkNeighborLoader(make_graph(), [3], batch_size=50, neg_sampling="binary")

    def epoch(seed):
        torch.manual_seed(seed)
        return [(batch.edge_label_index.tolist(), batch.e_id.tolist()) for batch in loader]

    assert epoch(1) == epoch(1) != epoch(2)


def test_time_is_refused(make_graph):
    for options in ({"edge_label_time": torch.arange(300)}, {"time_attr": "x"}, {"disjoint": True}, {"replace": True}):
        with pytest.raises(OptionError, match=next(iter(options))):
            LinkNeighborLoader(make_graph(), [3], **options)
