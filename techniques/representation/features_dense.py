"""Features as a dense float32 matrix, 4 N F bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.hetero.typed import is_typed
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict
from techniques.facts import FLOAT_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec
from techniques.representation.chunks import rows_at_once
from techniques.representation.unit_rows import has_unit_rows, unit_rows_knobs

FILL_BYTES_PER_SECOND = 1e9


@dataclass(frozen=True)
class FillDense:
    """Write the dense matrix; sparse and float16 rows are converted, and rows scaled, chunk by chunk."""

    unit_rows: bool = False
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        matrix = FLOAT_BYTES * graph.num_nodes * graph.features.width
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "features", Range.within(matrix, 0.01))
        if graph.features.sparse_at_rest:
            parts = 8 * graph.features.nonzeros + 8 * graph.num_nodes
            share = min(1.0, rows_at_once(graph.features.width) / graph.num_nodes)
            chunk = 8 * graph.features.nonzeros * share  # the row of an entry as int64
            # The last chunk, which meets the matrix when all of it is there, is seldom a whole one.
            so_far = so_far.spike(
                Phase.PREPARE, Place.HOST, Range(0.5, 1.0, 1.2) * parts + Range(0.0, 0.7, 2.0) * chunk
            )
        return so_far.spend(Phase.PREPARE, Range.factor(matrix / FILL_BYTES_PER_SECOND, 3))

    def build(self, job: Job) -> Job:
        from techniques.remote.rows import degree_rows, dense_rows

        graph = job.facts.graph
        if graph.features.generated:
            return replace(job, features=degree_rows(job.need("structure")))
        return replace(job, features=dense_rows(job.stored, graph.num_nodes, self.unit_rows))


class FeaturesDense:
    """The fastest form for features with few zeros."""

    __slots__ = ()
    slot = Slot.REPRESENTATION_FEATURES
    name = "dense"
    text = "features as a dense matrix: fastest unless most entries are zero"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return unit_rows_knobs(facts)

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        if is_typed(spec):
            from techniques.architecture.hetero.inputs import type_inputs
            from techniques.remote.hetero_parts import FillTypes

            return (FillTypes(type_inputs(facts.graph, spec)),)
        return (FillDense(has_unit_rows(spec)),) if spec.options[Slot.REMOTE_FEATURES] == "memory" else ()

    def recipe(self, spec: JobSpec) -> str:
        return "" if spec.options[Slot.REMOTE_FEATURES] == "memmap" else "data.x = data.x.to_dense().float()"


FEATURES_DENSE = FeaturesDense()
