"""How well a model does on a split: one metric that training is judged by, and all that apply for the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from techniques.architecture.chunks import PAIRS_PER_CHUNK, RANKED_AGAINST, RANKED_EDGES
from tuner.metric_names import metric_of
from tuner.quality import best_margin, link_quality, node_quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.job import Job

RANKED_AT_ONCE = 500
"""Held-out edges that are ranked at once."""


class Judge(Protocol):
    """Judges the model of a job as it is now."""

    @property
    def metric(self) -> str:
        """What training is judged by: a key of ``NAMES``."""

    def scores(self, split: str) -> dict[str, float]:
        """Every metric that applies to ``val`` or ``test``; empty where the split is."""

    def settle(self) -> None:
        """Fix what predictions of the finished model need, by looking at validation data."""

    def predictions(self) -> dict[str, Tensor]:
        """What is kept of the finished model's answers for the whole graph."""


def judge(job: Job) -> Judge:
    """The judge of a job's task."""
    if job.targets is not None:
        from tuner.regression import RegressionJudge

        return RegressionJudge(job)
    return LinkJudge(job) if job.links is not None else NodeJudge(job)


class NodeJudge:
    """Looks at the logits of the split's nodes, or graphs.

    Where two classes are judged by their ranking, nothing says at which margin the one ends and the other begins: the
    best margin of the validation nodes is kept for predictions.
    """

    margin = 0.0

    def __init__(self, job: Job) -> None:
        self._job = job
        self._nodes = {split: job.masks[split].nonzero().flatten() for split in ("val", "test")}
        self.metric = metric_of(job.facts)

    def scores(self, split: str) -> dict[str, float]:
        nodes = self._nodes[split]
        if not nodes.numel():
            return {}
        return node_quality(self._shifted(self._job.need("predict")(nodes).cpu()), self._job.need("labels")[nodes])

    def settle(self) -> None:
        nodes, labels = self._nodes["val"], self._job.need("labels")
        if self.metric == "auroc" and nodes.numel():
            self.margin = best_margin(self._job.need("predict")(nodes).cpu(), labels[nodes])

    def predictions(self) -> dict[str, Tensor]:
        """Logits and classes, or labels, of every node."""
        logits = self._job.as_given(self._job.need("predict")()).cpu()
        several = self._job.need("labels").dim() == 2
        predicted = (logits > 0).to(torch.uint8) if several else self._shifted(logits).argmax(1)
        return {"logits": logits, "predictions": predicted}

    def _shifted(self, logits: Tensor) -> Tensor:
        return logits - logits.new_tensor([0.0, self.margin]) if self.margin else logits


class LinkJudge:
    """Embeds every node once, then scores the held-out edges, their non-edges, and random targets to rank against."""

    def __init__(self, job: Job) -> None:
        from techniques.remote.links import corrupt

        self._job, self.metric = job, metric_of(job.facts)
        links = job.need("links")
        self._pairs = {"val": (links.val, links.val_negative), "test": (links.test, links.test_negative)}
        self._ranked = {
            split: corrupt(positive[:, :RANKED_EDGES], job.facts.graph.num_nodes, RANKED_AGAINST, seed=0)
            for split, (positive, _) in self._pairs.items()
        }

    def scores(self, split: str) -> dict[str, float]:
        positive, negative = self._pairs[split]
        if not positive.shape[1]:
            return {}
        embedding = self._job.need("predict")()
        hits, misses = pair_scores(embedding, positive), pair_scores(embedding, negative)
        targets = torch.from_numpy(self._ranked[split])
        sources = torch.from_numpy(positive[0, : targets.size(0)]).unsqueeze(1).expand_as(targets)
        against = [
            pair_scores(embedding, torch.stack([ends.flatten(), others.flatten()]))
            for ends, others in zip(
                torch.split(sources, RANKED_AT_ONCE), torch.split(targets, RANKED_AT_ONCE), strict=True
            )
        ]
        return link_quality(hits, misses, torch.cat(against).view(targets.shape))

    def settle(self) -> None:
        """Links are ranked: no threshold."""

    def predictions(self) -> dict[str, Tensor]:
        """The embedding of every node; dot products are the logits."""
        return {"embeddings": self._job.need("predict")().cpu()}


def pair_scores(embedding: Tensor, pairs: Tensor | NDArray[Any]) -> Tensor:
    """Dot products of the two ends, [B] on the host; ``pairs`` [2, B]."""
    ends = torch.as_tensor(pairs).long()
    found = []
    for start in range(0, ends.size(1), PAIRS_PER_CHUNK):
        source, target = ends[:, start : start + PAIRS_PER_CHUNK].to(embedding.device)
        found.append((embedding[source] * embedding[target]).sum(1).cpu())
    return torch.cat(found) if found else torch.empty(0)
