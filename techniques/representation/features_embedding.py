"""Features that are learned: one row of a table per node, for graphs that have none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import INDEX_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec
from techniques.sampling.batches import needs_one_graph

SOURCE = "Hamilton et al., NeurIPS 2017, section 3.1"
DEFAULT_WIDTH = 64


@dataclass(frozen=True)
class NumberNodes:
    """A batch carries node ids; the network looks up their rows (the table is counted with its parameters)."""

    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        ids = INDEX_BYTES * so_far.facts.graph.num_nodes
        return so_far.hold(Phase.PREPARE, Place.HOST, "features", Range.within(ids, 0.01))

    def build(self, job: Job) -> Job:
        from techniques.remote.node_ids import NodeIds

        return replace(job, features=NodeIds(job.facts.graph.num_nodes))


@dataclass(frozen=True)
class FeaturesEmbedding:
    """16 N d bytes of weights, gradient and Adam's moments; knows nothing of nodes that come later."""

    slot: Slot = Slot.REPRESENTATION_FEATURES
    name: str = "embedding"
    text: str = "a learned row per node, for graphs without features; unseen nodes have none"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        text = "nodes of held-out graphs are in no training batch: their rows would stay as they were drawn"
        if refused := needs_one_graph(facts, "features", self.name, text):
            return refused
        if not facts.graph.features.generated:
            rule = "embeddings stand in for features that are absent"
            return refuse("features", f"{facts.graph.features.width} columns", rule, SOURCE, "the graph has features")
        if facts.goal.grow > 1:
            rule = "a table has a row for every node that it was trained with"
            return refuse("growth", f"{facts.goal.grow:g}x", rule, SOURCE, "nodes that come later have no row")
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        text = "columns of the learned table"
        return (Knob(name="embedding_width", text=text, default=DEFAULT_WIDTH, choices=(16, 32, 64, 128)),)

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (NumberNodes(),)

    def recipe(self, spec: JobSpec) -> str:
        return "data.x = torch.arange(data.num_nodes)  # rows of a learned table"


FEATURES_EMBEDDING = FeaturesEmbedding()
