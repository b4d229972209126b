"""The network: layer-wise inference is the full forward pass; sampled blocks give what PyG gives on the same sample."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GAT, GCN, GIN, GraphSAGE
from torch_geometric.utils import trim_to_layer

from techniques.architecture import network as network_module
from techniques.architecture.convs import set_true_degrees
from techniques.architecture.network import Network, target_chunks
from techniques.job import Job
from techniques.sampling.loading import BlockMaker, neighbor_sampler
from tuner.training import train_epoch

CASES = [
    ("gcn", "coo"),
    ("gcn", "csr"),
    ("sage", "coo"),
    ("sage", "csr"),
    ("gin", "coo"),
    ("gin", "csr"),
    ("gat", "coo"),
    ("gatv2", "coo"),
]
PROPAGATED = [("appnp", "coo"), ("appnp", "csr")]
every_case = pytest.mark.parametrize(("architecture", "representation"), CASES)
every_network = pytest.mark.parametrize(("architecture", "representation"), CASES + PROPAGATED)
CPU = torch.device("cpu")


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Any:
    """``job_of(architecture, representation, undirected=True, **settings)``, after an epoch of training."""

    def build(
        architecture: str, representation: str, undirected: bool = True, features: str = "dense", **values: Any
    ) -> Job:
        stored = tiny(undirected=undirected, features=features)
        facts = profiled(stored)
        chosen = {"architecture": architecture, "representation": representation}
        chosen |= {"representation.features": "csr" if features == "sparse" else "dense"}
        chosen["sampling"] = values.pop("sampling", "full_batch")
        settings = {"hidden": 8, "layers": 3, "threads": 1, **values}
        job: Job = make_job(facts, stored, spec_for(facts, chosen, **settings))
        train_epoch(job)
        return job

    return build


def full_forward(job: Job, degrees: Tensor | None = None) -> Tensor:
    model, structure = job.need("model"), job.need("structure")
    model.eval()
    set_true_degrees(model, degrees)
    with torch.no_grad():
        out: Tensor = model(job.need("features").whole(), (structure.whole(),) * len(model.convs))
    set_true_degrees(model, None)
    return out


@every_network
@pytest.mark.parametrize("features", ["dense", "sparse"])
@pytest.mark.parametrize("undirected", [True, False])
def test_inference_is_the_full_forward_pass(
    architecture: str, representation: str, undirected: bool, features: str, job_of: Any
) -> None:
    job = job_of(architecture, representation, undirected, features)
    torch.testing.assert_close(job.need("predict")(), full_forward(job), atol=1e-5, rtol=1e-5)


@every_case
@pytest.mark.parametrize("budget", [1, 50])
def test_inference_in_tiny_chunks_is_the_same(
    architecture: str, representation: str, budget: int, job_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(architecture, representation, undirected=False)
    monkeypatch.setattr(network_module, "FUSED_EDGES_PER_CHUNK", budget)
    monkeypatch.setattr(network_module, "MESSAGE_BYTES_PER_CHUNK", budget * 32)
    assert len(list(target_chunks(job.structure, 8, CPU))) >= 5
    torch.testing.assert_close(job.need("predict")(), full_forward(job), atol=1e-5, rtol=1e-5)


def test_chunks_cover_every_target_once(job_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    structure = job_of("sage", "csr").structure
    monkeypatch.setattr(network_module, "FUSED_EDGES_PER_CHUNK", 20)
    found = list(target_chunks(structure, 8, CPU))
    assert [start for start, _ in found] == [
        sum(block.num_targets for _, block in found[:i]) for i in range(len(found))
    ]
    assert sum(block.num_targets for _, block in found) == structure.num_nodes
    assert sum(block.num_edges for _, block in found) == structure.num_edges
    assert all(block.num_edges <= 20 or block.num_targets == 1 for _, block in found)


@pytest.mark.parametrize("undirected", [True, False])
def test_inference_with_max_is_the_full_forward_pass(undirected: bool, job_of: Any, monkeypatch: Any) -> None:
    job = job_of("sage", "coo", undirected, aggregator="max")
    monkeypatch.setattr(network_module, "MESSAGE_BYTES_PER_CHUNK", 32 * 50)
    torch.testing.assert_close(job.need("predict")(), full_forward(job), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_inference_leaves_the_mode_and_the_features_alone(training: bool, job_of: Any) -> None:
    job = job_of("sage", "csr")
    before = job.features.whole().clone()
    job.model.train(training)
    job.need("predict")()
    assert job.model.training is training
    assert torch.equal(job.features.whole(), before), "relu_ must not reach the features"
    assert not job.need("predict")().requires_grad


def test_one_layer_is_enough(job_of: Any) -> None:
    job = job_of("gcn", "csr", layers=1)
    torch.testing.assert_close(job.need("predict")(), full_forward(job), atol=1e-5, rtol=1e-5)


# Sampled blocks


def sample(job: Job, fanouts: tuple[int, ...], seeds: Tensor, seed: int = 5) -> Any:
    """The sampled subgraph as PyG's loader would hand it to a model."""
    from torch_geometric.data import Data
    from torch_geometric.sampler import NodeSamplerInput

    out = neighbor_sampler(job.structure, fanouts).sample_from_nodes(NodeSamplerInput(None, seeds), seed=seed)
    return Data(
        n_id=out.node,
        edge_index=torch.stack([out.row, out.col]),
        num_sampled_nodes=out.num_sampled_nodes,
        num_sampled_edges=out.num_sampled_edges,
        batch_size=seeds.numel(),
        y=job.need("labels")[out.node],
        num_nodes=out.node.numel(),
    )


def pyg_model(job: Job, architecture: str) -> Any:
    """PyG's ready-made model with our weights."""
    width, hidden, classes = 24, 8, 3
    if architecture in ("gat", "gatv2"):
        # BasicGNN averages nothing: its last layer has the heads of the others, so ours is built by hand.
        from torch_geometric.nn import GATConv, GATv2Conv

        kind: Any = GATConv if architecture == "gat" else GATv2Conv
        convs = [kind(width, 2, heads=4), kind(8, 2, heads=4), kind(8, classes, heads=1, concat=False)]
        model: Any = GAT(width, hidden, 3, classes, heads=4)
        model.convs = torch.nn.ModuleList(convs)
    else:
        kind = {"gcn": GCN, "sage": GraphSAGE, "gin": GIN}[architecture]
        model = kind(width, hidden, 3, classes)
        if architecture == "gin":  # its MLP normalises batches unless told otherwise
            from techniques.architecture.convs import GIN as OurGin

            convs = []
            for one in job.need("model").convs:
                assert isinstance(one, OurGin)
                from torch_geometric.nn import GINConv

                first, second = one.nn[0], one.nn[2]
                convs.append(
                    GINConv(
                        torch.nn.Sequential(
                            torch.nn.Linear(first.in_features, first.out_features),
                            torch.nn.ReLU(),
                            torch.nn.Linear(second.in_features, second.out_features),
                        )
                    )
                )
            model.convs = torch.nn.ModuleList(convs)
    for one, other in zip(model.convs, job.need("model").convs, strict=True):
        one.load_state_dict(other.state_dict())
    return model.eval()


@every_case
@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("undirected", [True, False])
def test_a_sampled_batch_gives_what_pyg_gives(
    architecture: str, representation: str, trim: bool, undirected: bool, job_of: Any
) -> None:
    job = job_of(architecture, representation, undirected)
    data = sample(job, (4, 3, 2), torch.arange(0, 60, 6))
    batch = BlockMaker(representation == "csr", trim).batch(data, job.features)
    model: Network = job.model.eval()
    out = model(batch.x, batch.blocks)
    if batch.loss_rows is not None:
        out = out[batch.loss_rows]
    x, edge_index = job.features.rows(data.n_id.numpy()), data.edge_index
    reference = pyg_model(job, architecture)
    if trim:
        expected = reference(
            x,
            edge_index,
            num_sampled_nodes_per_hop=data.num_sampled_nodes,
            num_sampled_edges_per_hop=data.num_sampled_edges,
        )
    else:
        expected = reference(x, edge_index)
    torch.testing.assert_close(out, expected[: data.batch_size], atol=1e-5, rtol=1e-5)
    assert out.size(0) == batch.y.numel() == 10


@pytest.mark.parametrize(("architecture", "representation"), [case for case in CASES if case[0] != "gcn"])
@pytest.mark.parametrize("undirected", [True, False])
def test_all_neighbours_give_the_logits_of_the_whole_graph(
    architecture: str, representation: str, undirected: bool, job_of: Any
) -> None:
    job = job_of(architecture, representation, undirected)
    seeds = torch.arange(0, 60, 7)
    data = sample(job, (-1, -1, -1), seeds)
    batch = BlockMaker(representation == "csr", trim=True).batch(data, job.features)
    out = job.model.eval()(batch.x, batch.blocks)
    torch.testing.assert_close(out, full_forward(job)[seeds], atol=1e-5, rtol=1e-5)


def test_gcn_normalises_by_the_degrees_inside_a_block(job_of: Any) -> None:
    """By design, as in PyG: a source that is no target has no edge of its own in a trimmed block.

    With one hop more than layers every node that matters has all its edges, and untrimmed blocks agree again.
    """
    job = job_of("gcn", "csr")
    seeds = torch.arange(0, 60, 7)
    whole = full_forward(job)[seeds]
    data = sample(job, (-1, -1, -1), seeds)
    trimmed = BlockMaker(True, trim=True).batch(data, job.features)
    assert not torch.allclose(job.model.eval()(trimmed.x, trimmed.blocks), whole, atol=1e-4)
    deeper = BlockMaker(True, trim=False).batch(sample(job, (-1, -1, -1, -1), seeds), job.features)
    out = job.model(deeper.x, deeper.blocks[:3])[: seeds.numel()]
    torch.testing.assert_close(out, whole, atol=1e-5, rtol=1e-5)


def test_trimming_is_that_of_pyg(job_of: Any) -> None:
    job = job_of("sage", "coo")
    data = sample(job, (4, 3, 2), torch.arange(0, 60, 6))
    blocks = BlockMaker(False, trim=True).batch(data, job.features).blocks
    x, edge_index = torch.zeros(data.num_nodes, 1), data.edge_index
    for layer, block in enumerate(blocks):
        x, edge_index, _ = trim_to_layer(layer, data.num_sampled_nodes, data.num_sampled_edges, x, edge_index)
        assert block.num_sources == x.size(0)
        assert torch.equal(block.edge_index, edge_index)
        assert block.num_targets == int(sum(data.num_sampled_nodes[: 3 - layer]))


@every_case
def test_training_lowers_the_loss(architecture: str, representation: str, job_of: Any) -> None:
    for sampling in ("full_batch", "neighbor"):
        settings = {"batch_size": 16} if sampling == "neighbor" else {}
        job = job_of(architecture, representation, sampling=sampling, dropout=0.0, hidden=32, layers=2, **settings)
        losses = [train_epoch(job)[0] for _ in range(30 if sampling == "full_batch" else 12)]
        assert min(losses[-3:]) < (0.6 if sampling == "full_batch" else 0.9) * losses[0], sampling


def test_a_sampled_epoch_sees_every_training_node_once(job_of: Any) -> None:
    job = job_of("sage", "csr", sampling="neighbor", batch_size=7)
    train = int(job.masks["train"].sum())
    sizes = [batch.y.numel() for batch in job.moved_batches()]
    assert sum(sizes) == train
    assert sizes == [7] * (train // 7) + ([train % 7] if train % 7 else [])
