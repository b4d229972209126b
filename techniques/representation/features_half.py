"""Features as float16 at rest, 2 N F bytes; rows become float32 as they are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import FLOAT_BYTES, Facts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec
from techniques.representation.chunks import rows_at_once
from techniques.representation.features_csr import MAX_DENSITY
from techniques.representation.features_dense import FILL_BYTES_PER_SECOND

HALF_BYTES = 2
SOURCE = "IEEE 754, binary16"


@dataclass(frozen=True)
class FillHalf:
    """Write the float16 matrix chunk by chunk."""

    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        matrix = HALF_BYTES * graph.num_nodes * graph.features.width
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "features", Range.within(matrix, 0.01))
        chunk = FLOAT_BYTES * min(graph.num_nodes, rows_at_once(graph.features.width)) * graph.features.width
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range(0.0, chunk, 2 * chunk))
        return so_far.spend(Phase.PREPARE, Range.factor(matrix / FILL_BYTES_PER_SECOND, 3))

    def build(self, job: Job) -> Job:
        from techniques.remote.half_rows import half_rows

        return replace(job, features=half_rows(job.stored, job.facts.graph.num_nodes))


@dataclass(frozen=True)
class FeaturesHalf:
    """Half the memory of float32 at 11 significant bits; the arithmetic stays float32."""

    slot: Slot = Slot.REPRESENTATION_FEATURES
    name: str = "half"
    text: str = "features as float16 at rest: half the host memory, values rounded to 11 bits"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        features = facts.graph.features
        density = features.density(facts.graph.num_nodes)
        if features.generated:
            return refuse("features", "none", "float16 needs features", SOURCE, "the graph has no features")
        if features.sparse_at_rest:
            rule = "float16 rows are read from dense ones"
            return refuse("features", "a sparse matrix in the file", rule, SOURCE, "use csr, or dense")
        if density <= MAX_DENSITY:
            rule = f"float16 pays above {MAX_DENSITY:.0%} non-zeros"
            return refuse("feature density", f"{density:.1%}", rule, SOURCE, "a sparse matrix is smaller")
        if features.fits_half is False:
            rule = "finite values stay below 65,520, others than 0 stay above 3e-8"
            return refuse("feature values", "out of range", rule, SOURCE, "float16 would lose values")
        if spec.options[Slot.SAMPLING] == "full_batch":
            rule = "float16 at rest needs sampled batches"
            text = "a full batch holds every row as float32 beside it"
            return refuse("sampling", "full_batch", rule, SOURCE, text)
        if features.fits_half is None:
            return Verdict(
                usable=True, warnings=("feature values not checked: float16 refuses them if they do not fit",)
            )
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (FillHalf(),)

    def recipe(self, spec: JobSpec) -> str:
        return "data.x = data.x.to_dense().half()  # a batch's rows become float32"


FEATURES_HALF = FeaturesHalf()
