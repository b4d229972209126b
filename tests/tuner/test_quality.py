"""Qualities against values worked out by hand and against definitions that count pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuner.quality import (
    accuracy,
    auroc,
    average_precision,
    hits_at,
    link_quality,
    macro_f1,
    macro_ranking,
    mean_reciprocal_rank,
    micro_f1,
    node_quality,
    quality,
    ranking_quality,
)

# Few distinct scores, so that most examples have ties.
RANKED = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30).filter(
    lambda items: len({wanted for _, wanted in items}) == 2
)


def split(items: list[tuple[int, bool]]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([float(score) for score, _ in items]), torch.tensor([wanted for _, wanted in items])


@given(RANKED)
def test_auroc_counts_pairs(items: list[tuple[int, bool]]) -> None:
    wanted = [score for score, is_wanted in items if is_wanted]
    rest = [score for score, is_wanted in items if not is_wanted]
    pairs = [1.0 if ours > other else 0.5 if ours == other else 0.0 for ours in wanted for other in rest]
    assert auroc(*split(items)) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@given(RANKED)
def test_average_precision_is_the_sum_over_thresholds(items: list[tuple[int, bool]]) -> None:
    """AP = sum of (R_n - R_(n-1)) P_n over the distinct scores as thresholds, highest first, as scikit-learn has it."""
    total, recall, expected = sum(wanted for _, wanted in items), 0.0, 0.0
    for threshold in sorted({score for score, _ in items}, reverse=True):
        found = [wanted for score, wanted in items if score >= threshold]
        expected += (sum(found) / total - recall) * sum(found) / len(found)
        recall = sum(found) / total
    assert average_precision(*split(items)) == pytest.approx(expected, abs=1e-12)


def test_rankings_by_hand() -> None:
    """scikit-learn's own example: 3 of 4 pairs in order; precision 1 at the first hit and 2/3 at the second."""
    scores, wanted = torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0, 0, 1, 1])
    assert auroc(scores, wanted) == 0.75
    assert average_precision(scores, wanted) == pytest.approx((1 + 2 / 3) / 2)


def test_all_tied_is_chance() -> None:
    ranking = ranking_quality(torch.zeros(5), torch.tensor([1, 0, 0, 0, 0]))
    assert ranking == (0.5, 0.2)


def test_double_scores_keep_their_order() -> None:
    scores = torch.tensor([1.0, 1.0 + 1e-12], dtype=torch.float64)
    assert auroc(scores, torch.tensor([0, 1])) == 1.0
    assert auroc(torch.tensor([1.0, 2.0], dtype=torch.float16), torch.tensor([0, 1])) == 1.0


@pytest.mark.parametrize("wanted", [[0, 0], [1, 1]])
def test_one_class_has_no_ranking(wanted: list[int]) -> None:
    assert all(math.isnan(value) for value in ranking_quality(torch.tensor([0.1, 0.2]), torch.tensor(wanted)))


@pytest.mark.parametrize("place", [0, 1])
def test_scores_that_are_not_numbers_have_no_ranking(place: int) -> None:
    scores = torch.tensor([0.1, 0.2])
    scores[place] = math.nan
    assert math.isnan(auroc(scores, torch.tensor([0, 1])))
    assert math.isnan(mean_reciprocal_rank(scores[:1], scores[1:]))
    assert math.isnan(hits_at(scores[:1], scores[1:].unsqueeze(0), 1))


def test_multi_class_is_the_mean_over_the_classes_that_occur() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, 9.0], [1.0, 2.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0], [1.0, 0.0, 2.0, 0.0]])
    y = torch.tensor([0, 1, 1, 2])  # nobody is of class 3
    each = [ranking_quality(logits.softmax(1)[:, column], y == column) for column in range(3)]
    assert macro_ranking(logits, y).auroc == pytest.approx(np.mean([one.auroc for one in each]))
    assert macro_ranking(logits, y).average_precision == pytest.approx(np.mean([one.average_precision for one in each]))


def test_multi_class_ranks_probabilities_not_logits() -> None:
    """Row 1 has the larger logit for class 1, but row 0 the larger probability."""
    logits = torch.tensor([[0.0, 3.0], [9.0, 4.0]])
    assert macro_ranking(logits, torch.tensor([1, 0])).auroc == 1.0


def test_multi_label_leaves_out_labels_of_one_kind() -> None:
    """Label a ranks 1 of 2 pairs in order, label b is in every row."""
    logits = torch.tensor([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]])
    y = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    assert macro_ranking(logits, y) == (0.5, 0.5)
    assert set(node_quality(logits, y)) == {"micro_f1", "macro_f1", "auroc", "average_precision"}


def test_node_quality_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    y = torch.tensor([0, 1, 1, 1])
    found = node_quality(logits, y)
    assert found == pytest.approx({"accuracy": 0.75, "macro_f1": (2 / 3 + 4 / 5) / 2, "auroc": 2 / 3,
                                   "average_precision": 1 / 2})  # fmt: skip
    assert found["accuracy"] == accuracy(logits, y) == quality(logits, y)
    assert found["macro_f1"] == macro_f1(logits, y)


def test_what_is_not_defined_is_left_out() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    assert set(node_quality(logits, torch.tensor([0, 0]))) == {"accuracy", "macro_f1"}
    assert node_quality(logits[:0], torch.tensor([], dtype=torch.int64)) == {}
    assert set(node_quality(logits * math.nan, torch.tensor([0, 1]))) == {"accuracy", "macro_f1"}
    assert link_quality(torch.tensor([]), torch.tensor([1.0])) == {}


def test_multi_label_f1_by_hand() -> None:
    """Label a: 1 hit, 1 false alarm, 1 miss (F1 1/2); label b: 2 hits (F1 1); label c occurs nowhere."""
    logits = torch.tensor([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    wanted = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert micro_f1(logits, wanted) == quality(logits, wanted) == pytest.approx(3 / 4)
    assert macro_f1(logits, wanted) == pytest.approx((1 / 2 + 1) / 2)
    nothing = torch.zeros(2, 3)
    assert (micro_f1(nothing, nothing), macro_f1(nothing, nothing)) == (0.0, 0.0)


def test_mean_reciprocal_rank_by_hand() -> None:
    """Ranks 1, 2 and, tied with both negatives, the mean 2 of 1 and 3."""
    positive = torch.tensor([3.0, 2.0, 1.0])
    negative = torch.tensor([[1.0, 2.0], [3.0, 1.0], [1.0, 1.0]])
    assert mean_reciprocal_rank(positive, negative) == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert hits_at(positive, negative, 1) == pytest.approx(1 / 3)
    assert hits_at(positive, negative, 2) == 1.0


def test_hits_in_one_pool_must_be_above_the_kth_negative() -> None:
    positive, pool = torch.tensor([4.0, 3.0, 2.0]), torch.tensor([3.0, 2.0, 1.0])
    assert [hits_at(positive, pool, k) for k in (1, 2, 3, 4)] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert hits_at(torch.tensor([3.0]), torch.tensor([3.0, 3.0]), 2) == 0.0, "tied with the second best"


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_a_pool_ranks_like_a_copy_of_it_for_each_edge(ours: list[int], pool: list[int]) -> None:
    positive, negative = torch.tensor(ours).float(), torch.tensor(pool).float()
    copies = negative.expand(len(ours), -1)
    ranks = [1 + sum((other > one) + (other >= one) for other in pool) / 2 for one in ours]
    expected = sum(1 / rank for rank in ranks) / len(ranks)
    assert mean_reciprocal_rank(positive, negative) == pytest.approx(expected)
    assert mean_reciprocal_rank(positive, copies) == pytest.approx(expected)


def test_link_quality_by_hand() -> None:
    """Pairs in order: 2 of 2 and 1 of 2; ranks in the pool 1 and 2, among the corrupted 1 and 1."""
    positive, negative = torch.tensor([4.0, 2.0]), torch.tensor([1.0, 3.0])
    expected = {"auroc": 3 / 4, "average_precision": (1 + 2 / 3) / 2}
    assert link_quality(positive, negative) == pytest.approx({**expected, "mrr": 3 / 4})
    corrupted = torch.tensor([[0.0], [1.0]])
    assert link_quality(positive, negative, corrupted) == pytest.approx({**expected, "mrr": 1.0})
    assert link_quality(positive, negative, torch.tensor([[5.0]]))["mrr"] == 0.5, "only the first edge is ranked"
    assert link_quality(positive, negative.unsqueeze(1))["mrr"] == pytest.approx((1 + 1 / 2) / 2)


def test_the_best_margin_is_found_by_trying_them_all() -> None:
    from tuner.quality import best_margin

    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        logits = torch.randint(-3, 4, (20, 2), generator=generator).float()
        y = (torch.rand(20, generator=generator) < 0.2).long()
        if not 0 < int(y.sum()) < 20:
            continue
        tried = [logits - torch.tensor([0.0, margin]) for margin in torch.arange(-6.5, 6.6, 1.0)]
        both = [macro_f1(one, y) for one in tried if one.argmax(1).unique().numel() == 2]
        found = logits - torch.tensor([0.0, best_margin(logits, y)])
        assert found.argmax(1).unique().numel() == 2, "one class for all is no answer"
        assert macro_f1(found, y) == pytest.approx(max(both))


def test_one_class_has_no_margin() -> None:
    from tuner.quality import best_margin

    assert best_margin(torch.randn(5, 2), torch.zeros(5, dtype=torch.long)) == 0.0
    assert best_margin(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])) == 0.0, "no margin tells equal rows apart"


def test_of_two_classes_the_rarer_one_is_looked_for() -> None:
    logits, y = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.0, 0.5]]), torch.tensor([0, 1, 1, 1])
    found = node_quality(logits, y)
    assert found["average_precision"] == average_precision(logits[:, 0] - logits[:, 1], y == 0)
