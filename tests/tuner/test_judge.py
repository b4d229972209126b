"""Which metric training is judged by, and what the judges make of predictions that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tuner.judge as judge_module
from planner.inspect.estimate import for_links, from_counts
from techniques.architecture.chunks import RANKED_AGAINST
from techniques.facts import Facts, Task
from techniques.job import Job
from techniques.remote.links import LinkSplit
from tuner.judge import LinkJudge, NodeJudge, judge, pair_scores
from tuner.metric_names import DOMINATED, NAMES, metric_of
from tuner.quality import auroc, node_quality


@pytest.fixture
def facts_of(make_facts: Any) -> Callable[..., Facts]:
    """``facts_of(classes, majority_share=..., multi_label=...)``."""

    def build(classes: int = 3, **labels: Any) -> Facts:
        graph = from_counts(100, 500, 8, classes, directed=False)
        update = {"num_classes": classes, **labels}
        facts: Facts = make_facts(graph.model_copy(update={"labels": graph.labels.model_copy(update=update)}))
        return facts

    return build


@pytest.mark.parametrize(
    ("classes", "labels", "expected"),
    [
        (3, {"majority_share": None}, "accuracy"),
        (2, {"majority_share": None}, "accuracy"),
        (2, {"majority_share": DOMINATED - 0.001}, "accuracy"),
        (5, {"majority_share": DOMINATED - 0.001}, "accuracy"),
        (2, {"majority_share": DOMINATED}, "auroc"),
        (2, {"majority_share": DOMINATED, "val_classes": 2}, "auroc"),
        (2, {"majority_share": DOMINATED, "val_classes": 1}, "accuracy"),
        (5, {"majority_share": DOMINATED}, "macro_f1"),
        (3, {"majority_share": 0.99}, "macro_f1"),
        (4, {"multi_label": True}, "micro_f1"),
        (2, {"multi_label": True, "majority_share": 0.99}, "micro_f1"),
    ],
)
def test_the_metric_of_node_labels(classes: int, labels: dict[str, Any], expected: str, facts_of: Any) -> None:
    assert metric_of(facts_of(classes, **labels)) == expected
    assert expected in NAMES


@pytest.mark.parametrize("labels", [{}, {"multi_label": True}, {"majority_share": 0.99}])
def test_links_are_judged_by_auroc_whatever_the_labels(labels: dict[str, Any], facts_of: Any, make_facts: Any) -> None:
    facts = facts_of(3, **labels)
    assert metric_of(make_facts(facts.graph, task=Task.LINK)) == "auroc", "the user asks for links"
    assert metric_of(make_facts(for_links(facts.graph))) == "auroc", "the graph allows for nothing else"


# Nodes


def node_job(facts: Facts, logits: Tensor, labels: Tensor, **splits: list[int]) -> Job:
    """A job whose model says ``logits``; counts what it is asked for."""
    masks = {split: torch.zeros(len(labels), dtype=torch.bool) for split in ("train", "val", "test")}
    for split, nodes in splits.items():
        masks[split][nodes] = True
    job = Job(SimpleNamespace(), facts, SimpleNamespace(), Path())  # type: ignore[arg-type]
    job.labels, job.masks, job.predict = labels, masks, lambda nodes: logits[nodes]
    return job


LOGITS = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0], [1.0, 0.0], [9.0, 0.0]])
LABELS = torch.tensor([0, 1, 1, 1, -1, 0])


def test_nodes_are_judged_on_their_split_alone(facts_of: Any) -> None:
    job = node_job(facts_of(2), LOGITS, LABELS, train=[5], val=[0, 1, 2, 3], test=[0, 2])
    found = judge(job)
    assert isinstance(found, NodeJudge) and found.metric == "accuracy"
    expected = {"accuracy": 0.75, "macro_f1": (2 / 3 + 4 / 5) / 2, "auroc": 2 / 3}
    scores = found.scores("val")
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert set(scores) <= set(NAMES)
    assert found.scores("test") == node_quality(LOGITS[[0, 2]], LABELS[[0, 2]])


@pytest.mark.parametrize("classes", [2, 3])
def test_a_dominated_split_is_judged_by_what_it_says(classes: int, facts_of: Any) -> None:
    job = node_job(facts_of(classes, majority_share=0.9), LOGITS, LABELS, val=[0, 1, 2, 3])
    found = judge(job)
    assert found.metric in found.scores("val")
    assert found.scores("val")[found.metric] != found.scores("val")["accuracy"]


def test_several_labels_a_node_are_judged_by_micro_f1(facts_of: Any) -> None:
    wanted = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    found = judge(node_job(facts_of(2, multi_label=True), logits, wanted, val=[0, 1, 2]))
    assert found.scores("val")[found.metric] == pytest.approx(2 * 3 / (4 + 4))
    assert "accuracy" not in found.scores("val")


def test_an_empty_split_of_nodes_has_no_scores(facts_of: Any) -> None:
    job = node_job(facts_of(2), LOGITS, LABELS, val=[0, 1])
    job.predict = None
    assert judge(job).scores("test") == {}


def test_a_score_that_is_not_defined_is_absent(facts_of: Any) -> None:
    scores = judge(node_job(facts_of(2), LOGITS, LABELS, val=[1, 2, 3])).scores("val")
    assert set(scores) == {"accuracy", "macro_f1"}, "one class only: nothing to rank"


# Links


def link_job(make_facts: Any, embedding: Tensor, num_nodes: int, **pairs: Any) -> Job:
    """``val``, ``val_negative``, ``test``, ``test_negative`` as lists of pairs; those left out are empty."""
    names = ("train", "val", "test", "val_negative", "test_negative", "message_edges")
    arrays = {name: np.array(pairs.get(name, []), np.int32).reshape(-1, 2).T for name in names}
    facts = make_facts(for_links(from_counts(num_nodes, 5 * num_nodes, 8, directed=False)))
    job = Job(SimpleNamespace(), facts, SimpleNamespace(), Path())  # type: ignore[arg-type]
    job.links = LinkSplit(**arrays)
    job.predict = lambda: embedding
    return job


def test_links_by_hand(make_facts: Any) -> None:
    """Dot products of the edges 6 and 1, of the non-edges 2 and 0: 3 of 4 pairs are in order."""
    embedding = torch.tensor([[2.0, 0.0], [3.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    job = link_job(make_facts, embedding, 5, val=[(0, 1), (2, 3)], val_negative=[(0, 2), (0, 4)])
    found = judge(job)
    assert isinstance(found, LinkJudge) and found.metric == "auroc"
    scores = found.scores("val")
    assert scores["auroc"] == 3 / 4
    assert scores["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert set(scores) == {"auroc", "average_precision", "mrr"} <= set(NAMES)
    assert found.scores("test") == {}, "an empty split has no scores"


def test_each_edge_is_ranked_against_targets_of_its_own_source(make_facts: Any) -> None:
    """Rank 1 where the target is the best of all nodes for its source, the last where it is the worst."""
    embedding = torch.eye(40)
    embedding[0, 1], embedding[2] = 5.0, -1.0
    best = link_job(make_facts, embedding, 40, val=[(0, 1)], val_negative=[(3, 4)])
    assert judge(best).scores("val")["mrr"] == 1.0
    worst = embedding.clone()
    worst[0] = torch.arange(40.0)
    worst[1] = -1.0
    worst[2:] = 1.0
    last = link_job(make_facts, worst, 40, val=[(0, 1)], val_negative=[(3, 4)])
    assert judge(last).scores("val")["mrr"] == pytest.approx(1 / (RANKED_AGAINST + 1))
    tied = link_job(make_facts, torch.ones(40, 4), 40, val=[(0, 1), (5, 3)], val_negative=[(3, 4), (7, 8)])
    assert judge(tied).scores("val") == pytest.approx(
        {"auroc": 0.5, "average_precision": 0.5, "mrr": 1 / (RANKED_AGAINST / 2 + 1)}
    )


def test_sources_and_targets_are_not_exchanged(make_facts: Any) -> None:
    """Corrupted pairs keep the source: node 0 likes its target best, node 1 likes everything better than node 0."""
    embedding = torch.zeros(40, 2)
    embedding[0], embedding[1], embedding[2:] = (
        torch.tensor([1.0, 0.0]),
        torch.tensor([1.0, 9.0]),
        torch.tensor([0, 1.0]),
    )
    forth = link_job(make_facts, embedding, 40, val=[(0, 1)], val_negative=[(3, 4)])
    back = link_job(make_facts, embedding, 40, val=[(1, 0)], val_negative=[(3, 4)])
    assert judge(forth).scores("val")["mrr"] == 1.0
    assert judge(back).scores("val")["mrr"] == pytest.approx(1 / (RANKED_AGAINST + 1))


def test_only_the_first_edges_are_ranked(make_facts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first edge ranks first, the others last."""
    monkeypatch.setattr(judge_module, "RANKED_EDGES", 1)
    embedding = -torch.ones(40, 1)
    embedding[:2] = 3.0
    pairs = {"val": [(0, 1), (0, 5), (0, 6)], "val_negative": [(3, 4), (0, 7), (1, 8)]}
    assert judge(link_job(make_facts, embedding, 40, **pairs)).scores("val")["mrr"] == 1.0


def test_links_are_judged_alike_every_time_and_embedded_once(make_facts: Any) -> None:
    embedding, calls = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)), []
    rng = np.random.default_rng(0)
    pairs = {name: rng.permutation(40).reshape(-1, 2).tolist() for name in ("test", "test_negative")}
    job = link_job(make_facts, embedding, 40, **pairs)
    job.predict = lambda: calls.append(1) or embedding  # type: ignore[func-returns-value]
    first = judge(job).scores("test")
    assert len(calls) == 1
    torch.manual_seed(7)
    assert judge(job).scores("test") == first
    links: Any = job.links
    scored = torch.cat([(embedding[a] * embedding[b]).sum(1) for a, b in (links.test, links.test_negative)])
    assert first["auroc"] == pytest.approx(auroc(scored, torch.arange(len(scored)) < 20))


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 100])
@pytest.mark.parametrize("kind", ["tensor", "int32", "int64"])
def test_pairs_are_scored_chunk_by_chunk(chunk: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "PAIRS_PER_CHUNK", chunk)
    embedding = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    pairs: Any = np.random.default_rng(0).integers(0, 12, (2, 10)).astype(np.int32 if kind == "int32" else np.int64)
    expected = torch.stack([embedding[u] @ embedding[v] for u, v in pairs.T.tolist()])
    found = pair_scores(embedding, torch.from_numpy(pairs) if kind == "tensor" else pairs)
    torch.testing.assert_close(found, expected)


def test_a_chunk_gathers_no_more_than_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "PAIRS_PER_CHUNK", 4)
    gathered: list[int] = []

    class Counted(torch.Tensor):
        def __getitem__(self, index: Any) -> Any:
            gathered.append(index.numel())
            return super().__getitem__(index)

    embedding = torch.zeros(12, 5).as_subclass(Counted)
    pair_scores(embedding, torch.zeros(2, 10, dtype=torch.int64))
    assert gathered == [4, 4, 4, 4, 2, 2]


def test_no_pairs_have_no_scores() -> None:
    assert pair_scores(torch.zeros(3, 2), np.empty((2, 0), np.int32)).shape == (0,)


def test_scores_that_are_not_numbers_are_absent(make_facts: Any) -> None:
    job = link_job(make_facts, torch.full((40, 2), math.nan), 40, val=[(0, 1)], val_negative=[(3, 4)])
    assert judge(job).scores("val") == {}
