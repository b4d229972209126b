"""Facts about link splits: counts are in edges and are those of the split itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.catalog.datasets import DatasetEntry
from planner.inspect import labels
from planner.inspect.estimate import from_dataset
from planner.inspect.graph import profile
from techniques.errors import GraphError
from techniques.facts import Task
from techniques.remote.link_counts import HIDDEN_NOTE
from techniques.remote.links import read_links
from techniques.remote.source import open_graph

MakeGraph = Callable[..., Any]
FOLDER = Path(__file__).parents[3].parent / "shared" / "data"
ENTRY = DatasetEntry(
    name="links", title="Links", num_nodes=100, num_edges=2000, source="test", undirected=True, task="link", features=4
)


def counts(stored: Any, undirected: bool) -> tuple[int, ...]:
    split = read_links(stored, undirected)
    return tuple(part.shape[1] for part in (split.train, split.val, split.test))


def known(facts: Any) -> tuple[int, ...]:
    return facts.labels.train, facts.labels.val, facts.labels.test


def random_edges(undirected: bool) -> Any:
    """400 entries between 50 nodes: parallel ones, and self-loops."""
    edges = np.random.default_rng(0).integers(0, 50, (400, 2))
    return np.concatenate([edges, edges[edges[:, 0] != edges[:, 1]][:, ::-1]]) if undirected else edges


@pytest.mark.parametrize("undirected", [False, True])
def test_counts_are_those_of_the_split(make_graph: MakeGraph, undirected: bool) -> None:
    stored = make_graph(50, random_edges(undirected))
    facts = profile(stored)
    assert facts.undirected is undirected
    assert known(facts) == counts(stored, undirected)
    assert facts.labels.split_is_seeded and facts.labels.num_classes == 0 and facts.labels.labelled is None
    assert any(HIDDEN_NOTE in note for note in facts.notes)


def test_a_stored_edge_split_is_counted(make_graph: MakeGraph) -> None:
    """An undirected path of six edges, 3 for training, 1 and 2 hidden, and a self-loop."""
    path = [(node, node + 1) for node in range(6)]
    codes = [0, 0, 0, 1, 2, 2]
    stored = make_graph(9, path + [(v, u) for u, v in path] + [(8, 8)], edge_split=[*codes, *codes, 2])
    facts = profile(stored)
    assert known(facts) == counts(stored, True) == (3, 1, 2)
    assert not facts.labels.split_is_seeded
    assert not any("hidden" in note for note in facts.notes)
    with pytest.raises(GraphError, match="edge_split must be 0, 1 or 2"):
        profile(make_graph(9, path, edge_split=[0, 0, 0, 0, 0, 7]))
    with pytest.raises(GraphError, match=r"must leave edges to train on .*got 5 to validate on, 1 to test on"):
        profile(make_graph(9, path, edge_split=[1, 1, 1, 1, 1, 2]))
    notes = profile(make_graph(9, path, edge_split=[0, 0, 0, 0, 0, 2])).notes
    assert "edge_split must mark edges to validate on (1), got none: every score is 0; mark some" in notes


def test_labels_of_nodes_play_no_part_in_a_link_task(make_graph: MakeGraph) -> None:
    labelled = make_graph(50, random_edges(False), y=np.arange(50) % 3, train_mask=np.ones(50, bool))
    facts = profile(labelled, task=Task.LINK)
    assert facts.labels == profile(make_graph(50, random_edges(False))).labels


@pytest.mark.parametrize("stored_split", [False, True])
def test_very_large_graphs_are_counted_without_sorting(
    make_graph: MakeGraph, stored_split: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No parallel edges here, so both ways agree."""
    edges = np.unique(np.sort(random_edges(False), axis=1), axis=0)
    both = np.concatenate([edges, edges[edges[:, 0] != edges[:, 1]][:, ::-1]])
    codes = {"edge_split": (both.sum(1) % 3)} if stored_split else {}
    stored = make_graph(50, both, **codes)
    exact = profile(stored)
    monkeypatch.setattr(labels, "MAX_ENTRIES_SORTED", 10)
    estimated = profile(stored)
    assert exact.undirected and known(estimated) == known(exact)
    assert any("parallel ones were not looked for" in note for note in estimated.notes)


def test_counts_alone_give_the_same_shares() -> None:
    facts = from_dataset(ENTRY)
    assert known(facts) == (850, 50, 100)
    assert known(from_dataset(replace(ENTRY, undirected=False))) == (1700, 100, 200)
    assert facts.labels.split_is_seeded and HIDDEN_NOTE in facts.notes
    assert facts.num_train == 850


def test_wiki_vote() -> None:
    if not (FOLDER / "wiki_vote.npz").is_file():
        pytest.skip("the real graphs are not on this machine")
    stored = open_graph(str(FOLDER / "wiki_vote.npz"))
    assert known(profile(stored)) == counts(stored, False) == (88136, 5184, 10369)
