"""Labels and features of super-nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from techniques.architecture.loss import soft_loss
from techniques.coarsening.pooled import pooled_features, pooled_labels
from techniques.remote.rows import DenseRows, MappedRows

LABELS = torch.tensor([0, 2, 2, 1, 0, 1, 2])


TRAIN = torch.tensor([1, 1, 1, 1, 1, 0, 0]).bool()


CLUSTER = np.array([0, 0, 0, 1, 1, 1, 2], np.int32)


def test_mode_takes_the_class_of_most_training_members() -> None:
    y, known = pooled_labels(LABELS, TRAIN, CLUSTER, 3, "mode", 3)
    assert y.tolist() == [2, 0, -1], "the lowest of several, nothing where nobody trains"
    assert known.tolist() == [True, True, False]


def test_mean_rounds_the_mean_class() -> None:
    y, _ = pooled_labels(LABELS, TRAIN, CLUSTER, 3, "mean", 3)
    assert y.tolist() == [1, 0, -1]


def test_soft_labels_are_shares() -> None:
    y, _ = pooled_labels(LABELS, TRAIN, CLUSTER, 3, "soft", 3)
    torch.testing.assert_close(y, torch.tensor([[1 / 3, 0, 2 / 3], [0.5, 0.5, 0], [0, 0, 0]]))


@pytest.mark.parametrize("how", ["mode", "soft"])
def test_several_labels_are_shares_or_majorities(how: str) -> None:
    labels = torch.tensor([[1.0, 0], [1, 1], [0, 0], [1, 1]])
    train = torch.tensor([True, True, True, False])
    y, known = pooled_labels(labels, train, np.array([0, 0, 0, 1], np.int32), 2, how, 2)
    wanted = [[1.0, 0], [0, 0]] if how == "mode" else [[2 / 3, 1 / 3], [0, 0]]
    torch.testing.assert_close(y, torch.tensor(wanted))
    assert known.tolist() == [True, False]


def wanted_first(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    return -(shares[0] * logits[0].log_softmax(0)).sum()


def test_the_loss_of_shares_is_cross_entropy() -> None:
    logits, shares = torch.randn(4, 3), torch.softmax(torch.randn(4, 3), 1)
    wanted = -(shares * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(soft_loss(logits, shares), wanted)
    torch.testing.assert_close(soft_loss(logits, shares, torch.tensor([1.0, 0, 0, 0])), wanted_first(logits, shares))


@pytest.mark.parametrize("maximum", [False, True])
def test_features_are_pooled_in_chunks_and_from_a_memory_map(maximum: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr("techniques.coarsening.pooled.BYTES_AT_ONCE", 48)
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    wanted = np.stack([x[one == CLUSTER].max(0) if maximum else x[one == CLUSTER].mean(0) for one in range(3)])
    for store in (DenseRows(x), MappedRows(x.astype(np.float64))):
        found = pooled_features(store, CLUSTER, 3, maximum)
        assert isinstance(found, DenseRows)
        np.testing.assert_allclose(found.values, wanted, rtol=1e-6)
