"""Coarsening in a job: train on the coarse graph, then go back to the graph itself, which is what evaluation sees.

Between the two parts every stage finds the coarse graph where it would find the graph: samplers need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.base import Part, Stage
from techniques.coarsening.sizes import level_bytes
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job
from techniques.sampling.cluster import METIS_LEFT
from techniques.step_shape import Draw

if TYPE_CHECKING:
    from techniques.coarsening.plan import CoarseningPlan

POINTER_BYTES, SOURCE_BYTES = 8, 4
SORT_BYTES_PER_NODE = 16
"""Partners, random order, members and clusters while one level is made."""
HEAP_LEFT, MOST_LEFT_BYTES = 1.2, 40e6
"""Of what was needed for a moment, what stays in the heap (measured on like:ogbn-products@0.02, road_ny and
amazon_computers)."""
SECONDS_PER_EDGE = 130e-9
"""Matching and contracting one level, one thread: 1.2 s at 10 M stored edges (tests/benchmarks/coarsening.py)."""
METIS_BYTES_PER_EDGE = 76
"""While METIS cuts into super-nodes, per edge."""
METIS_SECONDS_PER_EDGE = Range(0.2e-6, 1e-6, 2.5e-6)
"""Matching, cutting 128 parts at most and refining them: 1.7 us at 10 M entries of a random graph, less where there are
communities."""
POOL_BYTES, POOL_BYTES_PER_SECOND = 4 * 2**20, 1e9


@dataclass(frozen=True)
class Coarsen:
    """Cluster the nodes, contract the edges, pool features and training labels; from here on the job sees the result.

    It comes first among what follows ``prepare``: structure and features of the graph are there, in their forms.
    """

    plan: CoarseningPlan
    trained: Facts
    """Expected facts of the coarse graph."""
    forms: tuple[Part, ...]
    """How the coarse graph's edges are held."""
    maximum: bool
    labels: str
    weights: bool
    """Whether the layers read the weights of the coarse graph's edges, attributes those of the graph's."""
    attributes: bool
    sparse_features: bool
    stage: Stage = Stage.SEEDS

    def forecast(self, so_far: Forecast) -> Forecast:
        fine, before = so_far.facts.graph, so_far
        trained, draw = self._trained(so_far)
        coarse = trained.graph
        so_far = self._spend(so_far, fine, coarse)
        structure = POINTER_BYTES * (coarse.num_nodes + 1) + SOURCE_BYTES * coarse.num_edges
        structure += FLOAT_BYTES * coarse.num_edges * (self.weights + self.attributes * coarse.edge_features)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "coarse structure", Range.within(structure, 0.1))
        features = FLOAT_BYTES * coarse.num_nodes * coarse.features.width
        if self.sparse_features:
            features = 8 * coarse.features.nonzeros + POINTER_BYTES * coarse.num_nodes
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "coarse features", Range.within(features, 0.05))
        labels = 1 + (FLOAT_BYTES * coarse.labels.num_classes if self._shares(coarse) else 8)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "coarse labels", Range.exact(labels * coarse.num_nodes))
        if not self.sparse_features:
            gathered = min(FLOAT_BYTES * fine.features.width * fine.num_nodes, POOL_BYTES)
            so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range(0.0, gathered, 2 * gathered))
        so_far = so_far.changed(facts=trained, draw=draw, whole=before)
        for part in self.forms:
            so_far = part.forecast(so_far)
        return so_far

    def _trained(self, so_far: Forecast) -> tuple[Facts, Draw | None]:
        """Facts of the coarse graph, measured where the graph is at hand and not too large to coarsen while planning."""
        measure = getattr(so_far.draw, "coarsened", None)
        found = None if measure is None else measure(self.plan)
        if found is None:
            return self.trained, None
        graph, draw = found
        return self.trained.model_copy(update={"graph": graph}), draw

    def _shares(self, graph: GraphFacts) -> bool:
        return self.labels == "soft" or graph.labels.multi_label

    def _spend(self, so_far: Forecast, fine: GraphFacts, coarse: GraphFacts) -> Forecast:
        scratch = level_bytes(fine, self.plan, coarse.num_edges) + SORT_BYTES_PER_NODE * fine.num_nodes
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(scratch, 0.3))
        left = min(HEAP_LEFT * scratch, MOST_LEFT_BYTES)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "heap left by coarsening", Range(0.0, left, 2 * left))
        if self.plan.method == "metis":
            metis = METIS_BYTES_PER_EDGE * fine.num_edges
            so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(metis, 0.6))
            left = METIS_LEFT * metis
            so_far = so_far.hold(Phase.PREPARE, Place.HOST, "heap left by METIS", Range(0.0, left, 2 * left))
            so_far = so_far.spend(Phase.PREPARE, METIS_SECONDS_PER_EDGE * float(fine.num_edges))
        seconds = SECONDS_PER_EDGE * fine.num_edges + FLOAT_BYTES * fine.features.nonzeros / POOL_BYTES_PER_SECOND
        return so_far.spend(Phase.PREPARE, Range.factor(seconds + 0.01, 3))

    def build(self, job: Job) -> Job:
        from techniques.coarsening.live import coarsened

        job = coarsened(job, self)
        for part in self.forms:
            job = part.build(job)
        return job


@dataclass(frozen=True)
class BackToGraph:
    """The weights go to the graph itself: evaluation, and whoever asks the job from now on, sees it."""

    batches: tuple[Part, ...]
    """Batches of the graph itself: networks that read ego graphs are judged by those."""
    stage: Stage = Stage.EVALUATE

    def forecast(self, so_far: Forecast) -> Forecast:
        whole = so_far.whole
        assert whole is not None, "what was coarsened can be undone"
        return so_far.changed(
            facts=whole.facts,
            draw=whole.draw,
            fused=whole.fused,
            edge_bytes=whole.edge_bytes,
            row_bytes=whole.row_bytes,
            pair_bytes=whole.pair_bytes,
            edge_weighted=whole.edge_weighted,
            edge_data_bytes=whole.edge_data_bytes,
        )

    def build(self, job: Job) -> Job:
        whole = job.whole
        assert whole is not None, "what was coarsened can be undone"
        ego_batches = job.ego_batches
        if ego_batches is not None:
            for part in self.batches:
                ego_batches = part.build(replace(whole, seed_order=job.seed_order)).ego_batches
        return replace(
            job,
            structure=whole.structure,
            features=whole.features,
            labels=whole.labels,
            masks=whole.masks,
            ego_batches=ego_batches,
        )
