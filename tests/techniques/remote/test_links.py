"""Link splits: exact counts, no leak in any direction or copy, non-edges that are none, and repeatable draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.inspect.structure import scan
from techniques.errors import GraphError
from techniques.remote.link_counts import link_counts
from techniques.remote.links import LinkSplit, corrupt, count_links, read_links
from techniques.remote.pairs import PairCode, distinct, member
from techniques.remote.source import open_graph
from techniques.remote.source.arrays import ArrayGraph

FOLDER = Path(__file__).parents[3].parent / "shared" / "data"
PARTS = ("train", "val", "test")
ENTRIES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=60)


def graph(entries: Any, num_nodes: int = 12, **arrays: Any) -> ArrayGraph:
    edge_index = np.asarray(entries, np.int32).reshape(-1, 2).T
    return ArrayGraph("links", {"num_nodes": np.array(num_nodes), "edge_index": edge_index, **arrays})


def both(entries: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return entries + [(v, u) for u, v in entries if u != v]


def listed(edges: Any) -> list[tuple[int, int]]:
    return [(int(u), int(v)) for u, v in edges.T]


def around(edges: Any, undirected: bool) -> set[tuple[int, int]]:
    pairs = set(listed(edges))
    return pairs | {(v, u) for u, v in pairs} if undirected else pairs


def check(split: LinkSplit, stored: ArrayGraph, undirected: bool) -> None:
    """Every promise that a split makes, by sets and lists."""
    entries = listed(stored.read("edge_index"))
    positives = [listed(getattr(split, part)) for part in PARTS]
    together = [pair for part in positives for pair in part]
    pairs = {(min(e), max(e)) if undirected else e for e in entries if e[0] != e[1]}
    assert set(together) == pairs and len(together) == len(pairs), "each pair once, no self-loop"
    hidden = around(split.val, undirected) | around(split.test, undirected)
    assert not hidden & set(listed(split.message_edges)), "messages must not use what is hidden"
    assert not hidden & around(split.train, undirected)
    assert Counter(listed(split.message_edges)) == Counter(entry for entry in entries if entry not in hidden)
    non_edges = listed(split.val_negative) + listed(split.test_negative)
    assert split.val_negative.shape == split.val.shape and split.test_negative.shape == split.test.shape
    assert len(set(non_edges)) == len(non_edges)
    assert not set(non_edges) & (pairs | {(node, node) for node in range(12)})
    assert all(0 <= u < 12 and 0 <= v < 12 and (not undirected or u < v) for u, v in non_edges)


@given(ENTRIES, st.booleans(), st.integers(0, 3))
def test_no_split_leaks(entries: list[tuple[int, int]], undirected: bool, seed: int) -> None:
    stored = graph(both(entries) if undirected else entries)
    if all(u == v for u, v in entries):
        with pytest.raises(GraphError, match="needs edges between nodes"):
            read_links(stored, undirected)
        return
    split = read_links(stored, undirected, seed)
    check(split, stored, undirected)
    counts = tuple(getattr(split, part).shape[1] for part in PARTS)
    assert counts == count_links(stored, undirected) == link_counts(sum(counts), False, 0)


@given(ENTRIES.filter(lambda entries: any(u != v for u, v in entries)), st.booleans(), st.data())
def test_a_stored_split_leaks_nothing_whatever_it_says(
    entries: list[tuple[int, int]], undirected: bool, data: st.DataObject
) -> None:
    entries = both(entries) if undirected else entries
    codes = data.draw(st.lists(st.integers(0, 2), min_size=len(entries), max_size=len(entries)))
    stored = graph(entries, edge_split=np.array(codes))
    split = read_links(stored, undirected)
    check(split, stored, undirected)
    assert tuple(getattr(split, part).shape[1] for part in PARTS) == count_links(stored, undirected)
    earliest: dict[tuple[int, int], int] = {}
    for (u, v), code in zip(entries, codes, strict=True):
        pair = (min(u, v), max(u, v)) if undirected else (u, v)
        earliest[pair] = min(code, earliest.get(pair, 2))
    for number, part in enumerate(PARTS):
        assert set(listed(getattr(split, part))) == {
            p for p, code in earliest.items() if code == number and p[0] != p[1]
        }


@pytest.mark.parametrize("undirected", [False, True])
def test_a_split_is_repeatable_and_follows_the_seed(undirected: bool) -> None:
    rng = np.random.default_rng(0)
    stored = graph(both([tuple(pair) for pair in rng.integers(0, 500, (900, 2)).tolist()]), 500)
    first, again, other = (read_links(stored, undirected, seed) for seed in (1, 1, 2))
    for name in LinkSplit.__dataclass_fields__:
        assert np.array_equal(getattr(first, name), getattr(again, name))
    for name in ("val", "test", "val_negative", "test_negative"):
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.message_edges.dtype == first.train.dtype == first.val_negative.dtype == np.int32


def test_the_first_hidden_edges_are_a_fair_sample() -> None:
    """A path of 2000 edges in order: the first half of the hidden ones is not the low half of the path."""
    split = read_links(graph([(node, node + 1) for node in range(2000)], 2001), undirected=False)
    first = split.test[0, :100]
    assert 40 < np.count_nonzero(first < 1000) * 100 / len(first) < 70 and (np.diff(first) < 0).any()


def test_counts_by_hand() -> None:
    """1000 entries, 20 of them self-loops: 980 edges, or 490 pairs in both directions."""
    assert link_counts(1000, False, 20) == (833, 49, 98)
    assert link_counts(1000, True, 20) == (490 - 24 - 49, 24, 49)
    assert [link_counts(count, False, 0) for count in (0, 2, 3)] == [(0, 0, 0), (2, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize("undirected", [False, True])
def test_a_nearly_complete_graph_gives_all_its_non_edges(undirected: bool) -> None:
    """12 nodes, all pairs but as many as are hidden: each non-edge must be found."""
    pairs = [(u, v) for u in range(12) for v in range(12) if (u < v if undirected else u != v)]
    kept = pairs[: len(pairs) - round(0.15 * len(pairs))]
    entries = both(kept) if undirected else kept
    split = read_links(graph(entries), undirected)
    found = listed(split.val_negative) + listed(split.test_negative)
    assert set(found) <= set(pairs) - set(kept)
    stuffed = both(pairs[:-1]) if undirected else pairs[:-1]
    with pytest.raises(GraphError, match=r"as many non-edges as hidden edges \(\d+\), the graph has 1"):
        read_links(graph(stuffed), undirected)


@pytest.mark.parametrize("undirected", [False, True])
def test_non_edges_are_uniform(undirected: bool) -> None:
    """600 seeds draw a few non-edges of 12 nodes each: all of them come up, none far too often (chi-square)."""
    path = [(node, node + 1) for node in range(11)]
    stored = graph(both(path) if undirected else path)
    drawn: Counter[tuple[int, int]] = Counter()
    for seed in range(600):
        split = read_links(stored, undirected, seed)
        drawn.update(listed(split.val_negative) + listed(split.test_negative))
    free = 66 - 11 if undirected else 132 - 11
    expected = sum(drawn.values()) / free
    assert len(drawn) == free
    chi_square = sum((count - expected) ** 2 / expected for count in drawn.values())
    assert chi_square < free + 5 * (2 * free) ** 0.5


@pytest.mark.parametrize("edge_split", [np.array([0, 1, 3]), np.array([0, 1]), np.array([0.5, 1, 2])])
def test_an_edge_split_of_other_values_is_refused(edge_split: Any) -> None:
    stored = graph([(0, 1), (1, 2), (2, 3)], edge_split=edge_split)
    with pytest.raises(GraphError, match="edge_split must be 0, 1 or 2 for each of the 3 edges"):
        read_links(stored, undirected=False)


@pytest.mark.parametrize("undirected", [False, True])
@pytest.mark.parametrize("num_nodes", [2, 3, 17, 2**31 - 1])
def test_pair_codes_come_back(undirected: bool, num_nodes: int) -> None:
    code = PairCode(num_nodes, undirected)
    ends = np.array([0, 1, code.size // 3, code.size // 2, code.size - 2, code.size - 1])
    codes = np.unique(np.clip(ends, 0, code.size - 1))
    pairs = code.decode(codes, np.int64)
    assert np.array_equal(code.encode(pairs[0], pairs[1]), codes)
    assert ((pairs >= 0) & (pairs < num_nodes)).all() and (pairs[0] != pairs[1]).all()


@given(st.integers(2, 2**31 - 2))
def test_triangular_codes_are_exact_where_a_row_ends(high: int) -> None:
    """The first and last code of a row, where a rounded root would slip into the next one."""
    codes = high * (high - 1) // 2 + np.array([0, high - 1])
    assert PairCode(2**31 - 1, True).decode(codes, np.int64).tolist() == [[0, high - 1], [high, high]]


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 20), min_size=1))
def test_membership_and_distinct_as_sets_have_them(codes: list[int], among: list[int]) -> None:
    ordered = distinct(np.sort(np.array(among, np.int64)))
    assert ordered.tolist() == sorted(set(among))
    assert member(np.array(codes, np.int64), ordered).tolist() == [code in among for code in codes]


def test_corrupted_targets_are_other_nodes_and_all_of_them() -> None:
    pairs = np.array([[0, 3, 4], [1, 2, 0]], np.int32)
    targets = corrupt(pairs, 5, 400, seed=0)
    assert targets.shape == (3, 400) and targets.dtype == np.int32
    assert [set(row.tolist()) for row in targets] == [{2, 3, 4}, {0, 1, 4}, {1, 2, 3}]
    assert np.array_equal(targets, corrupt(pairs, 5, 400, seed=0))
    assert not np.array_equal(targets, corrupt(pairs, 5, 400, seed=1))
    with pytest.raises(GraphError, match="at least 3 nodes, got 2"):
        corrupt(pairs[:, :1], 2, 1, seed=0)


def test_read_only_maps_are_read(tmp_path: Path) -> None:
    entries = np.random.default_rng(0).integers(0, 12, (2, 40))
    np.save(tmp_path / "edges.npy", entries)
    mapped = ArrayGraph("m", {"num_nodes": np.array(12), "edge_index": np.load(tmp_path / "edges.npy", mmap_mode="r")})
    split = read_links(mapped, undirected=False)
    check(split, mapped, undirected=False)
    assert split.train.dtype == np.int64


def test_wiki_vote_is_split_without_a_leak() -> None:
    if not (FOLDER / "wiki_vote.npz").is_file():
        pytest.skip("the real graphs are not on this machine")
    stored = open_graph(str(FOLDER / "wiki_vote.npz"))
    edge_index: Any = stored.read("edge_index")
    assert not scan(edge_index, 7115).undirected
    split = read_links(stored, undirected=False)
    assert [getattr(split, part).shape[1] for part in PARTS] == [88136, 5184, 10369]
    hidden, used = around(np.concatenate([split.val, split.test], 1), False), around(split.message_edges, False)
    assert not hidden & used and not hidden & around(split.train, False)
    edges = around(edge_index, False)
    assert hidden | used == edges
    assert not edges & (around(split.val_negative, False) | around(split.test_negative, False))
