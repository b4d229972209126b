"""Weights and attributes of edges: every sampler hands out those of the edges that it drew, in every form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from techniques.architecture.network import Batch, target_chunks
from techniques.remote.source.arrays import ArrayGraph
from techniques.representation.block import Block
from techniques.sampling.edge_data import EdgeData, weight_sums
from techniques.sampling.structure import Structure

NODES, COLUMNS = 60, 3
SAMPLERS: dict[str, dict[str, Any]] = {
    "full_batch": {},
    "neighbor": {"fanouts": (3, 2), "batch_size": 16},
    "link_neighbor": {"fanouts": (3, 2), "batch_size": 32},
    "shadow_k_hop": {"num_neighbors": 3, "batch_size": 16},
    "cluster": {"num_parts": 5, "parts_per_batch": 2},
    "graph_saint": {"batch_size": 10, "sample_coverage": 0},
    "random_node": {"num_parts": 2},
}
every_sampler = pytest.mark.parametrize("sampling", SAMPLERS)


def numbered(undirected: bool, symmetric: bool, labelled: bool) -> ArrayGraph:
    """Features begin with the node's id; weights and attributes tell the two ends of their edge."""
    rng = np.random.default_rng(0)
    edges = rng.integers(0, NODES, (2, 240))
    edges = np.concatenate([edges, edges[::-1]], axis=1) if undirected else edges
    edges = edges[:, rng.permutation(edges.shape[1])]
    edges = edges[:, edges[0] != edges[1]]  # some layers drop loops
    arrays: dict[str, Any] = {"num_nodes": np.array(NODES), "edge_index": edges.astype(np.int32)}
    arrays["x"] = np.stack([np.arange(NODES), np.ones(NODES)], axis=1).astype(np.float32)
    arrays["edge_weight"] = weight_of(*edges, symmetric)
    arrays["edge_attr"] = np.stack([edges[0], edges[1], edges[0] - edges[1]], axis=1)  # integers
    if labelled:
        arrays["y"] = np.arange(NODES) % 3
    return ArrayGraph("numbered", arrays)


def weight_of(source: Any, target: Any, symmetric: bool) -> Any:
    return source + target + 1.0 if symmetric else source + 100.0 * target + 1.0


def ends(block: Block) -> tuple[torch.Tensor, torch.Tensor]:
    if block.edge_index is not None:
        return block.edge_index[0], block.edge_index[1]
    assert block.csr is not None
    target = torch.repeat_interleave(torch.arange(block.num_targets), block.csr.ptr.diff().long())
    return block.csr.source.long(), target


def back(block: Block) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ends and values of the transposed copy."""
    csr = block.csr
    assert csr is not None and csr.transposed_ptr is not None and csr.transposed_target is not None
    source = torch.repeat_interleave(torch.arange(block.num_sources), csr.transposed_ptr.diff().long())
    values = csr.values if csr.transposed_values is None else csr.transposed_values
    return source, csr.transposed_target.long(), values


@pytest.fixture
def job_of(profiled: Any, make_job: Any, spec_for: Any) -> Any:
    def build(sampling: str, architecture: str, form: str, undirected: bool = True, symmetric: bool = True) -> Any:
        links = sampling == "link_neighbor"
        stored = numbered(undirected, symmetric, labelled=not links)
        facts = profiled(stored)
        assert (facts.graph.edge_weighted, facts.graph.edge_features) == (True, COLUMNS)
        assert facts.graph.edge_weight_symmetric == (undirected and symmetric)
        chosen = {"sampling": sampling, "architecture": architecture, "representation": form}
        settings = {"hidden": 8, "layers": 2, "prefetch": 0, "threads": 1, **SAMPLERS[sampling]}
        return make_job(facts, stored, spec_for(facts, chosen, **settings))

    return build


def blocks_of(job: Any) -> list[tuple[Batch, Block]]:
    batches = list(job.batches())
    assert batches and all(batch.blocks for batch in batches)
    return [(batch, block) for batch in batches for block in batch.blocks]


@every_sampler
@pytest.mark.parametrize("form", ["coo", "csr"])
@pytest.mark.parametrize(("undirected", "symmetric"), [(True, True), (True, False), (False, False)])
def test_every_edge_has_its_own_weight(
    sampling: str, form: str, undirected: bool, symmetric: bool, job_of: Any
) -> None:
    seen = 0
    for batch, block in blocks_of(job_of(sampling, "gcn", form, undirected, symmetric)):
        ids = batch.x[:, 0]
        source, target = ends(block)
        weight = block.weight if form == "coo" else block.csr.values  # type: ignore[union-attr]
        assert weight is not None and torch.equal(weight, weight_of(ids[source], ids[target], symmetric))
        degrees = torch.zeros(block.num_sources).index_add_(0, target, weight)
        assert block.degrees is not None
        torch.testing.assert_close(block.degrees, degrees, rtol=1e-6, atol=0)
        if form == "csr":
            u, v, values = back(block)
            assert torch.equal(values, weight_of(ids[u], ids[v], symmetric))
            assert sorted(zip(u.tolist(), v.tolist(), strict=True)) == sorted(
                zip(source.tolist(), target.tolist(), strict=True)
            )
        assert block.edge_attr is None, "GCN does not read attributes"
        seen += block.num_edges
    assert seen > 50


@every_sampler
def test_every_edge_has_its_own_attributes(sampling: str, job_of: Any) -> None:
    seen = 0
    for batch, block in blocks_of(job_of(sampling, "gat", "coo", undirected=False, symmetric=False)):
        ids = batch.x[:, 0]
        source, target = (ids[end] for end in ends(block))
        assert block.edge_attr is not None and block.edge_attr.dtype == torch.float32
        assert torch.equal(block.edge_attr, torch.stack([source, target, source - target], dim=1))
        assert block.weight is None and block.degrees is None, "GAT does not read weights"
        seen += block.num_edges
    assert seen > 50


@pytest.mark.parametrize("architecture", ["sage", "gin"])
@every_sampler
def test_others_carry_nothing(architecture: str, sampling: str, job_of: Any) -> None:
    job = job_of(sampling, architecture, "coo")
    assert not job.structure.edges.given
    assert all(block.weight is None and block.edge_attr is None for _, block in blocks_of(job))


@pytest.mark.parametrize("form", ["coo", "csr"])
def test_graphsaint_multiplies_both_weights(form: str, job_of: Any, monkeypatch: Any) -> None:
    """GraphSAGE, which reads no weights of the graph's own, draws the same subgraphs and has the norm alone."""
    monkeypatch.setitem(SAMPLERS, "graph_saint", {"batch_size": 10, "sample_coverage": 20})
    weights = []
    for architecture in ("gcn", "sage"):
        job = job_of("graph_saint", architecture, form)
        torch.manual_seed(0)
        found = blocks_of(job)
        weights.append([block.weight if form == "coo" else block.csr.values for _, block in found])  # type: ignore[union-attr]
        for batch, block in found:
            assert torch.equal(block.degrees, job.structure.degrees()[batch.x[:, 0].long()])  # type: ignore[arg-type]
    both, norms = weights
    for (batch, block), one, norm in zip(found, both, norms, strict=True):
        source, target = (batch.x[:, 0][end] for end in ends(block))
        torch.testing.assert_close(one, norm * weight_of(source, target, True))


def test_a_symmetric_graph_shares_its_transpose(job_of: Any) -> None:
    for sampling in ("full_batch", "random_node", "shadow_k_hop"):
        for _, block in blocks_of(job_of(sampling, "gcn", "csr")):
            assert block.csr is not None and block.csr.transposed_target is block.csr.source
    for _, block in blocks_of(job_of("full_batch", "gcn", "csr", symmetric=False)):
        assert block.csr is not None and block.csr.transposed_values is not None


graphs = st.integers(1, 12).flatmap(
    lambda nodes: st.tuples(
        st.just(nodes),
        st.lists(st.tuples(*[st.integers(0, nodes - 1)] * 2, st.integers(0, 9)), max_size=30),
        st.booleans(),
        st.booleans(),
    )
)


@given(graphs)
def test_any_graph_keeps_its_data(graph: tuple[int, list[tuple[int, int, int]], bool, bool]) -> None:
    """Parallel edges, loops dropped or not, no edges at all; whole and in chunks."""
    nodes, entries, drop, fused = graph
    array = np.array(entries, dtype=np.int64).reshape(-1, 3)
    data = EdgeData(array[:, 2], array[:, 2:] * np.array([[1, -1]]))
    structure = Structure.build(array[:, :2].T, nodes, False, drop, data)
    structure.fused = fused
    expected = sorted(one for one in entries if not drop or one[0] != one[1])
    found = []
    for start, block in target_chunks(structure, 1, torch.device("cpu")):
        source, target = ends(block)
        weight = block.csr.values if block.csr is not None else block.weight
        assert weight is not None
        found += list(zip(source.tolist(), (target + start).tolist(), weight.tolist(), strict=True))
        if not fused:
            assert block.edge_attr is not None
            assert torch.equal(block.edge_attr, torch.stack([weight, -weight], dim=1))
    assert sorted(found) == expected
    degrees = [sum(value for _, target, value in expected if target == node) for node in range(nodes)]
    assert structure.degrees().tolist() == degrees


def test_small_weights_behind_large_ones_are_not_lost() -> None:
    ptr = np.array([0, 1, 1, 3])
    sums = weight_sums(ptr, np.array([1e12, 1e-6, 1e-6], dtype=np.float32))
    np.testing.assert_allclose(sums, [1e12, 0.0, 2e-6], rtol=1e-6)
