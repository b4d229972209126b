"""Labels, targets and splits per graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.inspect.graph import profile
from techniques.errors import GraphError, OptionError
from techniques.remote.graphs import read_graphs, seeded_split
from techniques.remote.source.arrays import ArrayGraph
from techniques.remote.source.validate import check_headers, check_structure


@settings(max_examples=100)
@given(y=st.lists(st.integers(-1, 3), min_size=1, max_size=200), seed=st.integers(0, 5))
def test_a_split_has_every_labelled_graph_once(y: list[int], seed: int) -> None:
    labels = np.array(y)
    masks = seeded_split(labels, seed)
    together = sum(mask.astype(int) for mask in masks.values())
    assert np.array_equal(together, (labels >= 0).astype(int))
    known = int((labels >= 0).sum())
    if known >= 3:
        assert all(mask.any() for mask in masks.values())
    if known >= 100:
        assert masks["train"].sum() == pytest.approx(0.8 * known, abs=4)
        for label in range(4):
            count = int((labels == label).sum())
            assert abs(int((masks["train"] & (labels == label)).sum()) - 0.8 * count) <= 2


def test_a_class_of_one_graph_is_trained_on() -> None:
    """Ten such classes in a row: two of them would be every tenth graph that validates or is tested."""
    labels = np.array(30 * [0] + list(range(1, 11)))
    masks = seeded_split(labels)
    assert set(labels[masks["train"]]) == set(range(11))
    assert masks["val"].any() and masks["test"].any()


def test_counts_of_the_plan_are_those_of_training(tiny_set: Any) -> None:
    for labels in ("classes", "multi", "target", "targets"):
        stored = tiny_set(labels=labels)
        facts = profile(stored).labels
        _, masks, scale = read_graphs(stored)
        assert (facts.train, facts.val, facts.test) == tuple(int(masks[one].sum()) for one in ("train", "val", "test"))
        assert (scale is not None) == (facts.num_targets > 0) == (labels in ("target", "targets"))


def test_targets_are_standardised_by_the_training_graphs(tiny_set: Any) -> None:
    stored = tiny_set(labels="targets")
    labels, masks, scale = read_graphs(stored)
    train = labels[masks["train"]]
    assert torch.allclose(train.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(train.std(0, unbiased=False), torch.ones(2), atol=1e-6)
    assert scale is not None
    assert torch.allclose(scale.restored(labels), torch.from_numpy(stored.read("y")).float(), atol=1e-5)


def test_unknown_targets_are_in_no_split(tiny_set: Any) -> None:
    stored = tiny_set(labels="target")
    stored.arrays["y"][:4] = np.nan
    labels, masks, _ = read_graphs(stored)
    assert torch.isfinite(labels).all()
    assert not any(bool(mask[:4].any()) for mask in masks.values())
    assert profile(stored).labels.labelled == 36


def test_own_masks_hold(tiny_set: Any) -> None:
    stored = tiny_set()
    for number, name in enumerate(("train_mask", "val_mask", "test_mask")):
        stored.arrays[name] = np.arange(40) % 3 == number
    _, masks, _ = read_graphs(stored)
    assert masks["val"].nonzero().flatten().tolist() == list(range(1, 40, 3))
    assert not profile(stored).labels.split_is_seeded


def refused(stored: ArrayGraph) -> str:
    with pytest.raises((GraphError, OptionError)) as caught:
        check_headers(stored)
        check_structure(stored)
        profile(stored)
    return str(caught.value)


def test_damage_is_said(tiny_set: Any) -> None:
    across = tiny_set()
    across.arrays["edge_index"] = np.array([[0], [int(across.read("num_nodes")) - 1]])
    assert "edges must stay inside a graph" in refused(across)
    nodes = tiny_set()
    nodes.arrays["train_mask"] = np.ones(int(nodes.read("num_nodes")), bool)
    assert "must pick graphs, one entry for each of 40" in refused(nodes)
    alike = tiny_set(labels="target")
    alike.arrays["y"][:] = 1.5
    assert "must differ between graphs" in refused(alike)
    endless = tiny_set(labels="target")
    endless.arrays["y"][3] = np.inf
    assert "finite targets, got 1 infinite" in refused(endless)
    several = tiny_set(labels="multi")
    several.arrays["y"] = several.arrays["y"].astype(np.float32)
    assert "several labels per graph must be integers" in refused(several)
