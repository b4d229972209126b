"""Our layers are PyG's layers: same parameters, same outputs, same gradients, whatever the form of edges and input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch_geometric.nn import DenseGCNConv, DenseGINConv, DenseSAGEConv, GATConv, GATv2Conv, GCNConv, GINConv, SAGEConv
from torch_geometric.utils import to_dense_adj

from techniques.architecture.convs import GAT, GCN, GIN, SAGE, set_true_degrees
from techniques.architecture.convs_gatv2 import GATv2
from techniques.representation.block import Block, gcn_sum, neighbor_mean, neighbor_sum
from techniques.sampling.structure import Structure

NODES, WIDTH, OUT, HEADS = 40, 12, 8, 4
FORMS = ["coo", "csr", "dense"]
LAYERS = [
    "gcn",
    "sage",
    "sage-transform-first",
    "gin",
    "gin-transform-first",
    "gat",
    "gat-mean",
    "v2gat",
    "v2gat-mean",
    "sage-max",
]
CASES = [
    (layer, form)
    for layer in LAYERS
    for form in FORMS
    if not ((layer.endswith("max") or "gat" in layer) and form != "coo")
]
every_case = pytest.mark.parametrize(("layer", "form"), CASES)
either_direction = pytest.mark.parametrize("undirected", [True, False])


def edges(undirected: bool, seed: int = 0, num_nodes: int = NODES) -> np.ndarray[Any, Any]:
    """With repeated edges, self-loops and five isolated nodes."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, num_nodes - 5, (2, 5 * num_nodes))
    if undirected:
        drawn = np.concatenate([drawn, drawn[::-1]], axis=1)
    loops = np.arange(6)
    return np.concatenate([drawn, np.stack([loops, loops])], axis=1)


def ours(layer: str) -> nn.Module:
    torch.manual_seed(1)
    made: nn.Module
    if layer == "gcn":
        made = GCN(WIDTH, OUT)
    elif layer == "sage-max":
        made = SAGE(WIDTH, OUT, transform_first=False, aggregator="max")
    elif layer.startswith("sage"):
        made = SAGE(WIDTH, OUT, transform_first=layer.endswith("first"))
    elif layer.startswith("gin"):
        made = GIN(WIDTH, OUT, OUT, transform_first=layer.endswith("first"))
    elif layer == "v2gat":
        made = GATv2(WIDTH, OUT // HEADS, heads=HEADS, concat=True)
    elif layer == "v2gat-mean":
        made = GATv2(WIDTH, OUT, heads=HEADS, concat=False)
    elif layer == "gat":
        made = GAT(WIDTH, OUT // HEADS, heads=HEADS, concat=True)
    else:
        made = GAT(WIDTH, OUT, heads=HEADS, concat=False)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases too
    return made


def theirs(layer: str, state: dict[str, Tensor]) -> nn.Module:
    made: nn.Module
    if layer == "gcn":
        made = GCNConv(WIDTH, OUT)
    elif layer.startswith("sage"):
        made = SAGEConv(WIDTH, OUT, aggr="max" if layer.endswith("max") else "mean")
    elif layer.startswith("gin"):
        made = GINConv(nn.Sequential(nn.Linear(WIDTH, OUT), nn.ReLU(), nn.Linear(OUT, OUT)))
    elif layer.startswith("v2gat"):
        made = (
            GATv2Conv(WIDTH, OUT, heads=HEADS, concat=False) if "-" in layer else GATv2Conv(WIDTH, OUT // HEADS, HEADS)
        )
    elif layer == "gat":
        made = GATConv(WIDTH, OUT // HEADS, heads=HEADS)
    else:
        made = GATConv(WIDTH, OUT, heads=HEADS, concat=False)
    made.load_state_dict(state)
    return made


def structure_of(layer: str, edge_index: np.ndarray[Any, Any], undirected: bool, form: str) -> Structure:
    built = Structure.build(edge_index, NODES, undirected, drop_self_loops=layer == "gcn" or "gat" in layer)
    built.fused, built.dense = form != "coo", form == "dense"
    return built


def features() -> Tensor:
    torch.manual_seed(2)
    return torch.randn(NODES, WIDTH)


@every_case
@either_direction
def test_output_and_gradients_equal_pyg(layer: str, form: str, undirected: bool) -> None:
    edge_index = edges(undirected)
    mine = ours(layer)
    reference = theirs(layer, mine.state_dict())
    block = structure_of(layer, edge_index, undirected, form).whole()
    x, x_reference = features().requires_grad_(), features().requires_grad_()
    out = mine(x, block)
    expected = reference(x_reference, torch.from_numpy(edge_index))
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    weight = torch.linspace(-1, 1, expected.numel()).view_as(expected)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(x.grad, x_reference.grad, atol=2e-5, rtol=1e-5)
    wanted = dict(reference.named_parameters())
    for name, parameter in mine.named_parameters():
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, wanted[name].grad, atol=1e-4, rtol=1e-4)


def dense_layer(layer: str, made: nn.Module) -> nn.Module:
    """PyG's dense layer with the same parameters."""
    state, other = made.state_dict(), nn.Module()
    if layer == "gcn":
        other = DenseGCNConv(WIDTH, OUT)
    elif layer == "sage":
        other = DenseSAGEConv(WIDTH, OUT)
        names = {"lin_l.weight": "lin_rel.weight", "lin_r.weight": "lin_root.weight", "lin_l.bias": "lin_root.bias"}
        state = {names[name]: value for name, value in state.items()}
    else:
        other = DenseGINConv(nn.Sequential(nn.Linear(WIDTH, OUT), nn.ReLU(), nn.Linear(OUT, OUT)))
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("layer", ["gcn", "sage", "gin"])
@either_direction
def test_dense_blocks_equal_the_dense_layers_of_pyg(layer: str, undirected: bool) -> None:
    """Parallel edges count as often as they are stored."""
    edge_index = edges(undirected)
    kept = edge_index[:, edge_index[0] != edge_index[1]] if layer == "gcn" else edge_index
    adjacency = to_dense_adj(torch.from_numpy(kept), max_num_nodes=NODES)[0].t()
    assert adjacency.max() > 1, "some edges are parallel"
    mine = ours(layer)
    block = structure_of(layer, edge_index, undirected, "dense").whole()
    expected = dense_layer(layer, mine)(features(), adjacency)[0]
    torch.testing.assert_close(mine(features(), block), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", ["sage", "gin"])
@pytest.mark.parametrize("form", FORMS)
def test_transform_first_is_aggregate_first(layer: str, form: str) -> None:
    first, second = ours(layer), ours(f"{layer}-transform-first")
    second.load_state_dict(first.state_dict())
    block = structure_of(layer, edges(True), True, form).whole()
    torch.testing.assert_close(first(features(), block), second(features(), block), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layer", "form"), [case for case in CASES if case[0] not in ("sage", "gin", "sage-max")])
def test_sparse_input_is_dense_input(layer: str, form: str) -> None:
    """Layers that transform first take CSR rows; the gradient of their weights is the same."""
    dense = features() * (torch.rand(NODES, WIDTH, generator=torch.manual_seed(3)) < 0.3)
    block = structure_of(layer, edges(False), False, form).whole()
    grads = []
    for x in (dense, dense.to_sparse_csr()):
        made = ours(layer)
        out = made(x, block)
        out.square().sum().backward()
        grads.append([out, *(parameter.grad for parameter in made.parameters())])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@every_case
def test_forward_is_transform_then_combine_in_chunks(layer: str, form: str) -> None:
    """What layer-wise inference relies on: a run of targets, with the whole graph's degrees."""
    made = ours(layer).eval()
    structure = structure_of(layer, edges(False), False, form)
    set_true_degrees(made, structure.degrees())
    with torch.no_grad():
        whole = made(features(), structure.whole())
        projected = made.transform(features())  # type: ignore[operator]
        parts = [
            made.combine(projected, structure.rows(start, min(start + 7, NODES)), start)  # type: ignore[operator]
            for start in range(0, NODES, 7)
        ]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


@every_case
def test_parameters_are_those_of_pyg(layer: str, form: str) -> None:
    state = ours(layer).state_dict()
    theirs(layer, state)  # strict
    assert sum(ours(layer).dense_products()) <= sum(value.numel() for value in state.values())  # type: ignore[operator]


def test_true_degrees_are_forgotten_again() -> None:
    made = ours("gcn")
    block = structure_of("gcn", edges(True), True, "csr").whole()
    before = made(features(), block)
    set_true_degrees(made, torch.full((NODES,), 99.0))
    assert not torch.allclose(made(features(), block), before)
    set_true_degrees(made, None)
    torch.testing.assert_close(made(features(), block), before)


def test_gat_refuses_fused_blocks() -> None:
    block = structure_of("gat", edges(True), True, "csr").whole()
    with pytest.raises(AssertionError, match="COO"):
        ours("gat")(features(), block)


# The products underneath


def block_of(edge_index: np.ndarray[Any, Any], num_nodes: int, undirected: bool, form: str) -> Block:
    structure = Structure.build(edge_index, num_nodes, undirected, drop_self_loops=False)
    structure.fused, structure.dense = form != "coo", form == "dense"
    block = structure.whole()
    if block.dense is not None:
        return block._replace(dense=block.dense._replace(values=block.dense.values.double()))
    if block.csr is None:
        return block
    return block._replace(csr=block.csr._replace(values=block.csr.values.double()))


@pytest.mark.parametrize("form", FORMS)
@either_direction
def test_gradients_of_the_products_in_float64(form: str, undirected: bool) -> None:
    edge_index = edges(undirected, num_nodes=9)
    block = block_of(edge_index, 9, undirected, form)
    h = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    roots = torch.rand(9, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda one: neighbor_sum(block, one), (h,))
    assert torch.autograd.gradcheck(lambda one: gcn_sum(block, one, roots), (h,))


graphs = st.integers(1, 12).flatmap(
    lambda nodes: st.tuples(
        st.just(nodes),
        st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=30),
        st.booleans(),
    )
)


@settings(max_examples=60)
@given(graphs, st.sampled_from(FORMS))
def test_sums_equal_dense_products(graph: tuple[int, list[tuple[int, int]], bool], form: str) -> None:
    """Any multigraph: no edges, parallel edges, loops, sinks."""
    nodes, pairs, undirected = graph
    edge_index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    if undirected:
        edge_index = np.concatenate([edge_index, edge_index[::-1]], axis=1)
    block = block_of(edge_index, nodes, undirected, form)
    dense = torch.zeros(nodes, nodes, dtype=torch.float64)
    dense.index_put_(
        (torch.tensor(edge_index[1]), torch.tensor(edge_index[0])), torch.ones(1).double(), accumulate=True
    )
    h = torch.linspace(-1, 1, nodes * 2, dtype=torch.float64).view(nodes, 2).requires_grad_()
    torch.testing.assert_close(neighbor_sum(block, h), dense @ h)
    degrees = dense.sum(1)
    torch.testing.assert_close(block.in_degrees().double(), degrees)
    mean = dense @ h / degrees.clamp(min=1).unsqueeze(1)
    torch.testing.assert_close(neighbor_mean(block, h), mean)
    roots = (degrees + 1).rsqrt()
    normalised = roots.unsqueeze(1) * (dense + torch.eye(nodes)) * roots
    out = gcn_sum(block, h, roots)
    torch.testing.assert_close(out, normalised @ h)
    grad = torch.autograd.grad(out.square().sum(), h)[0]
    torch.testing.assert_close(grad, 2 * normalised.T @ (normalised @ h))


@pytest.mark.parametrize("columns", [1, 5, WIDTH])
def test_a_maximum_a_few_columns_at_a_time_is_the_same(columns: int, monkeypatch: Any) -> None:
    from techniques.architecture import chunks
    from techniques.representation import block as block_module

    edge_index = torch.from_numpy(edges(False)).long()
    torch.manual_seed(0)
    x = torch.randint(0, 4, (NODES, WIDTH)).float()  # many tie
    found = []
    for most in (chunks.MAX_BYTES, 4 * columns * edge_index.size(1)):
        monkeypatch.setattr(chunks, "MAX_BYTES", most)
        h = x.clone().requires_grad_()
        out = block_module.neighbor_max(Block(NODES, NODES, edge_index=edge_index), h)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found.append((out.detach(), h.grad))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])
