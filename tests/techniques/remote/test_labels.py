"""Labels and splits as they are trained on, and as the facts count them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from planner.inspect.labels import read_labels as label_facts
from techniques.errors import GraphError
from techniques.facts import Task
from techniques.remote.labels import read_labels, read_splits, stratified_split
from techniques.remote.source.arrays import ArrayGraph

RING = np.stack([np.arange(10), (np.arange(10) + 1) % 10])


def graph(**arrays: Any) -> ArrayGraph:
    return ArrayGraph("g", {key: np.asarray(value) for key, value in arrays.items()})


def split(stored: ArrayGraph) -> dict[str, torch.Tensor]:
    return read_splits(stored, read_labels(stored))


def mask(*nodes: int, size: int = 10) -> Any:
    return np.isin(np.arange(size), nodes)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8"])
def test_gaps_in_class_ids_are_closed(dtype: str) -> None:
    labels = read_labels(graph(y=np.array([7, 3, 100, 3, 7], dtype=dtype)))
    assert labels.tolist() == [1, 0, 2, 0, 1]
    assert labels.dtype is torch.int64


def test_unlabelled_nodes_stay_minus_one() -> None:
    assert read_labels(graph(y=[-1, 5, -3, 2, 5])).tolist() == [-1, 1, -1, 0, 1]


def test_several_labels_are_float_rows() -> None:
    labels = read_labels(graph(y=np.array([[0, 1], [1, 1]], dtype=np.uint8)))
    assert labels.dtype is torch.float32
    assert labels.tolist() == [[0, 1], [1, 1]]


def test_no_labels_is_one_clear_error() -> None:
    with pytest.raises(GraphError, match="needs labels"):
        read_labels(graph(edge_index=RING))


def test_the_graphs_own_split_wins() -> None:
    masks = split(graph(y=np.arange(10) % 2, train_mask=mask(0, 1), val_mask=mask(2), test_mask=mask(3, 4)))
    assert [masks[name].nonzero().flatten().tolist() for name in ("train", "val", "test")] == [[0, 1], [2], [3, 4]]


def test_nodes_without_a_label_are_in_no_split() -> None:
    y = np.array([0, 1, -1, 0, 1, -1, 0, 1, -1, 0])
    own = graph(y=y, train_mask=mask(0, 1, 2), val_mask=mask(3, 5), test_mask=mask(4, 8))
    only_train = graph(y=y, train_mask=mask(0, 1, 2))
    for stored in (own, only_train, graph(y=y)):
        for name, chosen in split(stored).items():
            assert not (chosen & torch.from_numpy(y < 0)).any(), name
            assert chosen.any(), name


def test_training_nodes_alone_leave_the_rest_to_validation_and_test() -> None:
    """As Karate Club comes: four training nodes and nothing else."""
    masks = split(graph(y=np.arange(10) % 2, train_mask=mask(0, 9)))
    assert masks["train"].sum() == 2
    assert (masks["val"].sum(), masks["test"].sum()) == (4, 4)
    total = sum(one.int() for one in masks.values())
    assert torch.equal(total, torch.ones(10, dtype=torch.int32)), "each node in one split"


@pytest.mark.parametrize("given", ["val_mask", "test_mask"])
def test_one_held_out_mask_is_halved(given: str) -> None:
    masks = split(graph(y=np.arange(10) % 2, train_mask=mask(0, 1), **{given: mask(2, 3, 4, 5)}))
    assert (masks["val"].sum(), masks["test"].sum()) == (2, 2)
    assert (masks["val"] | masks["test"]).nonzero().flatten().tolist() == [2, 3, 4, 5]


def test_the_first_of_several_splits_counts() -> None:
    """Some collections store ten splits side by side."""
    both = {
        f"{name}_mask": np.stack([mask(index), mask(9 - index)], axis=1)
        for index, name in enumerate(("train", "val", "test"))
    }
    masks = split(graph(y=np.arange(10) % 2, **both))
    assert [masks[name].nonzero().flatten().tolist() for name in ("train", "val", "test")] == [[0], [1], [2]]


labels_of = st.lists(st.integers(-1, 5), min_size=3, max_size=200)


@given(labels_of)
def test_a_seeded_split_is_stratified_and_repeatable(values: list[int]) -> None:
    y = torch.tensor(values)
    masks = stratified_split(y)
    again = stratified_split(y)
    assert all(torch.equal(masks[name], again[name]) for name in masks)
    total = sum(one.int() for one in masks.values())
    assert torch.equal(total, (y >= 0).int()), "every labelled node in exactly one split"
    for label in set(values) - {-1}:
        size = values.count(label)
        train = int((masks["train"] & (y == label)).sum())
        assert train >= 1, "no class without a training node"
        assert abs(train - 0.6 * size) <= 1
        assert abs(int((masks["val"] & (y == label)).sum()) - 0.2 * size) <= 1


def test_another_seed_is_another_split() -> None:
    y = torch.arange(100) % 2
    assert not torch.equal(stratified_split(y, seed=0)["train"], stratified_split(y, seed=1)["train"])


def test_several_labels_are_split_as_one_class() -> None:
    masks = split(graph(y=np.random.default_rng(0).integers(0, 2, (50, 3)).astype(np.uint8)))
    assert [int(masks[name].sum()) for name in ("train", "val", "test")] == [30, 10, 10]


@given(labels_of.filter(lambda values: len({value for value in values if value >= 0}) > 1))
def test_the_facts_count_what_is_trained_on(values: list[int]) -> None:
    y = np.array(values)
    stored = graph(y=y)
    edges = np.stack([np.arange(len(y)), np.roll(np.arange(len(y)), 1)])
    facts, _ = label_facts(stored, edges, len(y), Task.NODE)
    labels = read_labels(stored)
    assert facts.num_classes == len(np.unique(labels[labels >= 0])) == int(labels.max()) + 1
    assert facts.labelled == int((labels >= 0).sum())
    masks = read_splits(stored, labels)
    assert (facts.train, facts.val, facts.test) == tuple(int(masks[name].sum()) for name in ("train", "val", "test"))
    assert facts.val_classes == labels[masks["val"]].unique().numel()


def test_the_facts_count_the_graphs_own_split() -> None:
    stored = graph(y=[0, 1, -1, 0, 1, 1, 1, 1, 0, 0], train_mask=mask(0, 1, 2), val_mask=mask(3), test_mask=mask(4, 5))
    facts, _ = label_facts(stored, RING, 10, Task.NODE)
    masks = split(stored)
    assert (facts.train, facts.val, facts.test) == tuple(int(masks[name].sum()) for name in ("train", "val", "test"))
