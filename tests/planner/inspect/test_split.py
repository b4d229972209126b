"""Splits as the facts count them, and what they say of classes and masks that lack something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.inspect.graph import profile
from planner.inspect.opened import drawer
from techniques.graph_figures import LabelFacts
from techniques.remote.source.stored import StoredGraph
from techniques.remote.splits import stratified_masks

MakeGraph = Callable[..., StoredGraph]
RING = [(0, 1), (1, 2), (2, 3), (3, 0)]


def looked_at(make_graph: MakeGraph, y: list[int], **masks: list[int]) -> tuple[LabelFacts, str]:
    """Label facts and notes; masks as the nodes that they hold."""
    arrays = {f"{name}_mask": np.isin(np.arange(len(y)), nodes) for name, nodes in masks.items()}
    facts = profile(make_graph(len(y), RING, y=np.array(y), **arrays))
    return facts.labels, "\n".join(facts.notes)


def test_without_masks_the_split_is_seeded(make_graph: MakeGraph) -> None:
    labels, notes = looked_at(make_graph, [0, 1] * 5)
    assert (labels.train, labels.val, labels.test, labels.val_classes, labels.split_is_seeded) == (6, 2, 2, 2, True)
    assert "must see" not in notes


def test_a_rare_class_is_trained_on_then_judged_by_then_tested(make_graph: MakeGraph) -> None:
    """Classes of 1, 2, 3 and 20 nodes: 1/0/0, 1/1/0, 2/1/0 and 12/4/4."""
    labels, notes = looked_at(make_graph, [5, 7, 7, 8, 8, 8] + 20 * [9])
    assert (labels.train, labels.val, labels.test, labels.val_classes) == (16, 6, 4, 3)
    assert "validation must see every class, class 5 (1 of 4) is missing: in no score; label more of it" in notes


def test_batches_are_drawn_for_the_nodes_that_are_trained_on(make_graph: MakeGraph) -> None:
    y = np.array(list(range(20)) + 180 * [20])
    graph = make_graph(200, RING, y=y)
    drawn: Any = drawer(graph, profile(graph))
    assert np.array_equal(drawn.graph.train, np.flatnonzero(stratified_masks(y)["train"]))
    assert np.array_equal(drawn.graph.train_classes, y[drawn.graph.train])


@pytest.mark.parametrize("held_out, noted", [([2, 3], False), ([2, 4], True)])
def test_validation_nodes_of_one_class_are_noted(make_graph: MakeGraph, held_out: list[int], noted: bool) -> None:
    labels, notes = looked_at(make_graph, [0, 1, 0, 1, 0], train=[0, 1], val=held_out, test=[4])
    assert labels.val_classes == 1 + (not noted)
    assert ("it holds class 0 only: no AUROC there, training is judged by accuracy" in notes) is noted


def test_a_class_that_no_mask_trains_on_is_noted(make_graph: MakeGraph) -> None:
    _, notes = looked_at(make_graph, [0, 1, 2, 0, 1, 2], train=[0, 1], val=[2, 3, 4], test=[5])
    assert "training must see every class, class 2 (1 of 3) is missing: never learned" in notes
    assert "validation must" not in notes


def test_several_such_classes_are_told_in_the_plural(make_graph: MakeGraph) -> None:
    _, notes = looked_at(make_graph, [0, 1, 2, 3, 0, 1], train=[0, 1], val=[4, 5], test=[2])
    assert "training must see every class, classes 2, 3 (2 of 4) are missing: never learned" in notes


@pytest.mark.parametrize(
    "masks, counts, said",
    [
        ({}, (2, 2, 2), "no val_mask, test_mask stored: what else is labelled is halved, seeded, into"),
        ({"test": [2, 3, 4]}, (2, 2, 1), "no val_mask stored: those of test_mask are halved"),
        ({"val": [], "test": [2, 3]}, (2, 1, 1), "val_mask must pick something labelled, got nothing: those of test"),
        ({"val": [2, 3], "test": [6]}, (2, 1, 1), "test_mask must pick something labelled, got nothing: those of val"),
    ],
)
def test_a_mask_that_picks_nothing_is_made_up_for_and_noted(
    make_graph: MakeGraph, masks: Any, counts: tuple[int, int, int], said: str
) -> None:
    """Node 6 has no label."""
    labels, notes = looked_at(make_graph, [0, 1, 0, 1, 0, 1, -1], train=[0, 1], **masks)
    assert (labels.train, labels.val, labels.test) == counts
    assert said in notes


def test_nothing_to_validate_on_is_said(make_graph: MakeGraph) -> None:
    labels, notes = looked_at(make_graph, [0, 1, 0, 1], train=[0, 1, 2, 3])
    assert labels.val == 0
    assert "nothing is left to validate on, and every score is 0; store a val_mask" in notes


def test_a_graph_of_one_edge_leaves_nothing_to_validate_on(make_graph: MakeGraph) -> None:
    facts = profile(make_graph(2, RING[:1], y=[0, 1]))
    assert (facts.labels.train, facts.labels.val, facts.labels.val_classes) == (2, 0, 0)
    assert "nothing is left to validate on, and every score is 0: a class's first is trained on; label more of it" in (
        facts.notes
    )


def test_splits_side_by_side_and_nodes_in_two_masks_are_noted(make_graph: MakeGraph) -> None:
    train, test = [[True, False], [True, True], [False, True]], [[False, True], [True, False], [True, False]]
    notes = profile(make_graph(3, RING[:2], y=[0, 1, 1], train_mask=train, test_mask=test)).notes
    assert "2 splits are stored side by side: the first one counts" in notes
    assert "train_mask and test_mask share 1: what test_mask judges has been trained on" in notes
