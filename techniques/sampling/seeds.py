"""The order in which seed-based samplers take their training nodes: uniform, or with rare classes drawn more often."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from techniques.base import Knob, Stage
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec
from techniques.sampling.batches import at_least_one

IMBALANCED = 10.0
"""Largest class over smallest from which rare classes are drawn more often (source, technique 4: rare classes)."""
UNIFORM, BALANCED = "uniform", "imbalanced"


def seed_order_knob(facts: Facts) -> Knob:
    """Uniform, unless a class is rare."""
    return Knob(
        name="seed_order",
        text="uniform, or imbalanced: rare classes drawn more often (PyG ImbalancedSampler)",
        default=BALANCED if is_imbalanced(facts.graph) else UNIFORM,
        choices=(UNIFORM,) if facts.graph.labels.multi_label else (UNIFORM, BALANCED),
        tuned=is_imbalanced(facts.graph),
    )


def is_imbalanced(graph: GraphFacts) -> bool:
    """Whether the largest class outnumbers the smallest by ``IMBALANCED`` or more; several labels a node never do."""
    imbalance = graph.labels.imbalance
    return imbalance is not None and imbalance >= IMBALANCED and not graph.labels.multi_label


def draws_balanced(spec: JobSpec) -> bool:
    """Whether a spec's seeds are drawn with rare classes more often."""
    return spec.settings.get("seed_order") == BALANCED


def seeds_per_step(facts: Facts, spec: JobSpec) -> int:
    """The batch size, of which no more than there are to train on counts."""
    return min(at_least_one(spec.settings, "batch_size"), max(facts.graph.num_train, 1))


def distinct_seeds(graph: GraphFacts, batch_size: int, balanced: bool) -> float:
    """Different nodes among the seeds of a batch: drawing rare classes more often draws their nodes again and again.

    Class sizes lie on a geometric ladder between the smallest and the largest; a class of n nodes that gets d draws
    gives n (1 - exp(-d / n)) of them.
    """
    seeds = min(batch_size, graph.num_train)
    classes, imbalance = graph.labels.num_classes, graph.labels.imbalance
    if not balanced or imbalance is None or classes < 2:
        return seeds
    ladder: list[float] = [imbalance ** (-rank / (classes - 1)) for rank in range(classes)]
    sizes = [graph.num_train * step / sum(ladder) for step in ladder]
    draws = seeds / classes
    return sum(size * -math.expm1(-draws / size) for size in sizes)


@dataclass(frozen=True)
class OrderedSeeds:
    """Train nodes in a fresh random order every epoch; as many draws an epoch whatever the order.

    ``imbalanced`` draws with replacement, every class alike, as PyG's ``ImbalancedSampler`` does.
    """

    imbalanced: bool
    stage: Stage = Stage.SEEDS

    def forecast(self, so_far: Forecast) -> Forecast:
        each = 16 + (8 if self.imbalanced else 0)
        return so_far.hold(Phase.PREPARE, Place.HOST, "seeds", Range.exact(each * so_far.facts.graph.num_train))

    def build(self, job: Job) -> Job:
        import torch

        count = job.num_train
        if not self.imbalanced:
            return replace(job, seed_order=lambda: torch.randperm(count))
        labels = job.need("labels")[job.masks["train"]]
        # torch.multinomial stops at 2**24 nodes, a search in the cumulated weights does not.
        ladder = labels.bincount().double().reciprocal()[labels].cumsum(0)
        draws = torch.Size([count])
        return replace(
            job,
            seed_order=lambda: torch.searchsorted(ladder, torch.rand(draws, dtype=torch.float64) * ladder[-1]).clamp_(
                max=count - 1
            ),
        )
