"""Edges by target: nothing lost, loops dropped on request, chunks within their budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from techniques.sampling.structure import Structure

graphs = st.integers(1, 15).flatmap(
    lambda nodes: st.tuples(
        st.just(nodes),
        st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=40),
    )
)


def built(graph: tuple[int, list[tuple[int, int]]], drop: bool = False, fused: bool = False, **kind: Any) -> Structure:
    nodes, pairs = graph
    edge_index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    structure = Structure.build(edge_index, nodes, kind.get("undirected", False), drop_self_loops=drop)
    structure.fused = fused
    return structure


def pairs_of(block: Any, first_target: int = 0) -> list[tuple[int, int]]:
    if block.csr is None:
        source, target = block.edge_index.tolist()
    else:
        source = block.csr.source.tolist()
        target = torch.repeat_interleave(torch.arange(block.num_targets), block.csr.ptr.diff().long()).tolist()
    return sorted(zip(source, (one + first_target for one in target), strict=True))


@given(graphs, st.booleans(), st.booleans())
def test_every_edge_is_kept_once(graph: tuple[int, list[tuple[int, int]]], drop: bool, fused: bool) -> None:
    structure = built(graph, drop, fused)
    kept = sorted(pair for pair in graph[1] if not drop or pair[0] != pair[1])
    assert pairs_of(structure.whole()) == kept
    assert (structure.num_nodes, structure.num_edges) == (graph[0], len(kept))
    degrees = [sum(target == node for _, target in kept) for node in range(graph[0])]
    assert structure.degrees().tolist() == degrees
    assert structure.whole().in_degrees().tolist() == degrees


@given(graphs, st.booleans(), st.integers(0, 12))
def test_chunks_are_the_whole(graph: tuple[int, list[tuple[int, int]]], fused: bool, budget: int) -> None:
    structure = built(graph, fused=fused)
    start, found = 0, []
    while start < structure.num_nodes:
        stop = structure.chunk_end(start, budget)
        assert start < stop <= structure.num_nodes
        block = structure.rows(start, stop)
        assert block.num_targets == stop - start and block.num_sources == structure.num_nodes
        assert block.num_edges <= budget or block.num_targets == 1
        if stop < structure.num_nodes:
            assert structure.rows(start, stop + 1).num_edges > budget or block.num_targets == 1, "longest run"
        found += pairs_of(block, start)
        start = stop
    assert sorted(found) == sorted(graph[1])


@given(graphs)
def test_the_transposed_copy_holds_the_same_edges(graph: tuple[int, list[tuple[int, int]]]) -> None:
    csr = built(graph, fused=True).whole().csr
    assert csr is not None and csr.transposed_ptr is not None and csr.transposed_target is not None
    source = torch.repeat_interleave(torch.arange(graph[0]), csr.transposed_ptr.diff().long()).tolist()
    assert sorted(zip(source, csr.transposed_target.tolist(), strict=True)) == sorted(graph[1])


def test_an_undirected_graph_shares_its_transpose() -> None:
    pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 2)]
    csr = built((3, pairs), fused=True, undirected=True).whole().csr
    assert csr is not None
    assert csr.transposed_ptr is csr.ptr and csr.transposed_target is csr.source, "no second copy"
    directed = built((3, pairs), fused=True).whole().csr
    assert directed is not None and directed.transposed_ptr is not csr.ptr


def test_indices_are_narrow() -> None:
    structure = built((3, [(0, 1), (1, 2)]), fused=True)
    csr = structure.whole().csr
    assert structure.row.dtype == np.int32
    assert csr is not None
    assert {part.dtype for part in csr if part is not None} == {torch.int32, torch.float32}


@pytest.mark.parametrize("writeable", [True, False])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_edges_are_left_alone(writeable: bool, dtype: Any) -> None:
    edge_index = np.array([[0, 1, 1], [0, 0, 1]], dtype=dtype)
    edge_index.flags.writeable = writeable
    before = edge_index.copy()
    structure = Structure.build(edge_index, 2, False, drop_self_loops=True)
    assert structure.num_edges == 1
    assert np.array_equal(edge_index, before)


def test_a_graph_of_loops_only_has_no_edges_left() -> None:
    for fused in (True, False):
        structure = built((2, [(0, 0), (1, 1)]), drop=True, fused=fused)
        assert structure.whole().num_edges == 0
