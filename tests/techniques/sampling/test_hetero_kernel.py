"""The typed neighbour kernel against brute force on tiny graphs: who is found, which edges, how many of each type."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.kernels.hetero_neighbor import HeteroNeighborKernel, TypedEdges

SIZES = (9, 6, 4)
ENDS = ((0, 1), (1, 0), (0, 0), (2, 0), (0, 1))


def graph(seed: int = 0, edges: int = 25) -> tuple[HeteroNeighborKernel, list[Any]]:
    """A kernel, and the edges [2, E] of every edge type sorted by target."""
    rng = np.random.default_rng(seed)
    types, lists = [], []
    for source, target in ENDS:
        pairs = np.stack([rng.integers(0, SIZES[kind], edges) for kind in (source, target)]).astype(np.int32)
        colptr, row, _ = build_csc(pairs, max(SIZES))
        types.append(TypedEdges(source, target, colptr[: SIZES[target] + 1].copy(), row))
        lists.append(pairs[:, np.argsort(pairs[1], kind="stable")])
    return HeteroNeighborKernel(SIZES, types), lists


def brute_force(
    lists: list[Any], seeds: dict[int, Any], hops: int
) -> tuple[list[set[int]], list[list[tuple[int, int]]]]:
    """All nodes and edges that a sample with all neighbours has, by type."""
    found = [set(map(int, seeds.get(kind, ()))) for kind in range(len(SIZES))]
    fresh = [set(one) for one in found]
    edges: list[list[tuple[int, int]]] = [[] for _ in ENDS]
    for _ in range(hops):
        heads: list[set[int]] = [set() for _ in SIZES]
        for place, (source, target) in enumerate(ENDS):
            for u, v in lists[place].T.tolist():
                if v in fresh[target]:
                    edges[place].append((u, v))
                    heads[source].add(u)
        fresh = [one - before for one, before in zip(heads, found, strict=True)]
        found = [before | one for before, one in zip(found, fresh, strict=True)]
    return found, edges


def global_edges(hops: Any, place: int) -> list[tuple[int, int]]:
    source, target = ENDS[place]
    rows = hops.node[source][hops.col_source[place]]
    columns = hops.node[target][hops.col_target(place)]
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


@settings(max_examples=60)
@given(seed=st.integers(0, 50), depth=st.integers(0, 4), count=st.integers(0, 4), kind=st.integers(0, 2))
def test_all_neighbours_are_those_of_brute_force(seed: int, depth: int, count: int, kind: int) -> None:
    kernel, lists = graph(seed)
    seeds = {kind: np.random.default_rng(seed).permutation(SIZES[kind])[:count].astype(np.int64)}
    hops = kernel.sample(seeds, [[-1] * len(ENDS)] * depth, seed)
    nodes, edges = brute_force(lists, seeds, depth)
    for number, node in enumerate(hops.node):
        assert len(set(node.tolist())) == len(node) and set(node.tolist()) == nodes[number]
        assert sum(hops.num_sampled_nodes[number]) == len(node) and len(hops.num_sampled_nodes[number]) == depth + 1
    for place in range(len(ENDS)):
        assert sorted(global_edges(hops, place)) == sorted(edges[place])
        assert sum(hops.num_sampled_edges[place]) == len(edges[place])
    assert hops.node[kind][: len(seeds[kind])].tolist() == seeds[kind].tolist()


@settings(max_examples=60)
@given(seed=st.integers(0, 50), fanouts=st.lists(st.lists(st.integers(-1, 5), min_size=5, max_size=5), max_size=3))
def test_fanouts_hold_for_every_hop_and_edge_type(seed: int, fanouts: list[list[int]]) -> None:
    kernel, lists = graph(seed)
    hops = kernel.sample({0: np.arange(3)}, fanouts, seed, with_edge=True)
    starts = [np.concatenate([[0], np.cumsum(counts)]) for counts in hops.num_sampled_nodes]
    for place, (_, target) in enumerate(ENDS):
        per_target = np.diff(hops.ptr[place])
        degrees = np.bincount(lists[place][1], minlength=SIZES[target])
        for hop, fanout in enumerate(row[place] for row in fanouts):
            expanded = np.arange(starts[target][hop], starts[target][hop + 1])
            wanted = degrees[hops.node[target][expanded]]
            kept = wanted if fanout < 0 else np.minimum(wanted, fanout)
            assert per_target[expanded].tolist() == kept.tolist()
            assert hops.num_sampled_edges[place][hop] == kept.sum()
        assert hops.edge is not None and len(set(hops.edge[place].tolist())) == len(hops.edge[place]), "no edge twice"
        assert [tuple(pair) for pair in lists[place][:, hops.edge[place]].T.tolist()] == global_edges(hops, place)


def test_one_type_is_the_homogeneous_kernel_in_distribution() -> None:
    """The same draws, since the stages are the same: node for node."""
    rng = np.random.default_rng(3)
    colptr, row, _ = build_csc(rng.integers(0, 200, (2, 4000)).astype(np.int32), 200)
    plain = NeighborKernel(colptr, row, 200).sample(np.arange(20), (5, 3), 7)
    typed = HeteroNeighborKernel([200], [TypedEdges(0, 0, colptr, row)]).sample({0: np.arange(20)}, [[5], [3]], 7)
    assert plain.node.tolist() == typed.node[0].tolist()
    assert plain.col_source.tolist() == typed.col_source[0].tolist()
    assert plain.num_sampled_edges == typed.num_sampled_edges[0]


def test_choices_are_uniform() -> None:
    colptr, row = np.array([0, 10]), np.arange(10, dtype=np.int32)
    kernel = HeteroNeighborKernel([10, 1], [TypedEdges(0, 1, colptr, row)])
    counts = np.zeros(10)
    for seed in range(4000):
        counts[kernel.sample({1: np.zeros(1, np.int64)}, [[3]], seed).node[0]] += 1
    expected = 4000 * 3 / 10
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


def test_equal_seeds_give_equal_samples_on_any_thread() -> None:
    kernel, _ = graph(1, edges=200)
    fanouts = [[4] * len(ENDS)] * 3
    first = kernel.sample({0: np.arange(4)}, fanouts, 11)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(kernel.sample({0: np.arange(4)}, fanouts, 11))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(pickle.loads(pickle.dumps(kernel)).sample({0: np.arange(4)}, fanouts, 11))
    for other in found:
        assert [one.tolist() for one in other.node] == [one.tolist() for one in first.node]
        assert [one.tolist() for one in other.col_source] == [one.tolist() for one in first.col_source]
    different = kernel.sample({0: np.arange(4)}, fanouts, 12)
    assert [one.tolist() for one in different.col_source] != [one.tolist() for one in first.col_source]


def test_repeated_seeds_and_types_without_edges() -> None:
    kernel, _ = graph(2)
    hops = kernel.sample({0: np.array([3, 3, 5])}, [[2] * len(ENDS)], 0)
    assert hops.node[0][:3].tolist() == [3, 3, 5] and hops.num_sampled_nodes[0][0] == 3
    empty = HeteroNeighborKernel([3, 2], [TypedEdges(1, 0, np.zeros(4, np.int64), np.empty(0, np.int32))])
    hops = empty.sample({0: np.arange(3)}, [[5], [5]], 0)
    assert [len(one) for one in hops.node] == [3, 0] and hops.num_sampled_edges == [[0, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": {0: np.array([9])}}, "must lie in 0..8"),
        ({"seeds": {7: np.array([0])}}, "node types 0..2"),
        ({"fanouts": [[1, 2]]}, "each of 5 edge types"),
        ({"fanouts": [[1, 1, 1, 1, -2]]}, "at least 0, or -1"),
        ({"fanouts": [[1, 1, 1, 1, 0.5]]}, "whole numbers"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(change: dict[str, Any], message: str) -> None:
    kernel, _ = graph()
    wanted: dict[str, Any] = {"seeds": {0: np.array([0])}, "fanouts": [[1] * 5], "seed": 0, **change}
    with pytest.raises(ValueError, match=message):
        kernel.sample(**wanted)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (TypedEdges(0, 5, np.zeros(10, np.int64), np.empty(0, np.int32)), "must join node types"),
        (TypedEdges(0, 1, np.zeros(3, np.int64), np.empty(0, np.int32)), r"must be int64 \[7\]"),
        (TypedEdges(0, 1, np.zeros(7, np.int64), np.empty(4, np.int32)), "must rise from 0 to the 4"),
        (TypedEdges(0, 1, np.zeros(7, np.int64), np.empty(0, np.int16)), "int32 or int64"),
    ],
)
def test_wrong_arrays_say_what_is_wrong(edges: TypedEdges, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeteroNeighborKernel(SIZES, [edges])
