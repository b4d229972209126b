"""Features as a sparse CSR matrix: 8 bytes a non-zero instead of 4 an entry."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.architecture.hetero.typed import is_typed
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.job import Job, JobSpec
from techniques.recipe_parts import pools_graphs
from techniques.representation.chunks import SCALED_BYTES, VALUES_PER_CHUNK, rows_at_once
from techniques.representation.unit_rows import has_unit_rows, unit_rows_knobs

MAX_DENSITY = 0.1
"""Above one non-zero in ten the sparse product is slower than the dense one (measured on coauthor_cs, 0.9 %: 6 times faster)."""
BYTES_PER_NONZERO = 8


def csr_bytes(graph: GraphFacts) -> int:
    """Bytes of the matrix: a float32 value and an int32 column per non-zero, an int64 position per row."""
    return BYTES_PER_NONZERO * graph.features.nonzeros + 8 * graph.num_nodes


@dataclass(frozen=True)
class FillSparse:
    """Read or build the CSR parts."""

    unit_rows: bool = False
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        held = csr_bytes(graph)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "features", Range.within(held, 0.05))
        if not graph.features.sparse_at_rest:
            chunk = 4 * min(graph.num_nodes, rows_at_once(graph.features.width)) * graph.features.width
            so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(held + chunk, 0.2))
        if self.unit_rows:
            scaled = SCALED_BYTES * min(graph.features.nonzeros, VALUES_PER_CHUNK)
            so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(scaled, 0.3))
        return so_far.spend(Phase.PREPARE, Range.factor(held / 500e6 + 0.01, 3))

    def build(self, job: Job) -> Job:
        from techniques.remote.rows import sparse_rows

        return replace(job, features=sparse_rows(job.stored, job.facts.graph.num_nodes, self.unit_rows))


class FeaturesCsr:
    """For bag-of-words and one-hot features: the first layer multiplies non-zeros only."""

    __slots__ = ()
    slot = Slot.REPRESENTATION_FEATURES
    name = "csr"
    text = "features as a sparse matrix: smaller and faster where most entries are zero"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        density = facts.graph.features.density(facts.graph.num_nodes)
        if facts.graph.features.generated or density > MAX_DENSITY:
            rule = f"sparse features pay below {MAX_DENSITY:.0%} non-zeros"
            return refuse("feature density", f"{density:.1%}", rule, "source, technique 2", "too few zeros")
        if spec.options[Slot.HARDWARE] != "cpu":
            rule = "sparse features are trained on the CPU only"
            return refuse("hardware", spec.options[Slot.HARDWARE], rule, "gnnfit", "not measured on a GPU yet")
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return unit_rows_knobs(facts)

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        if is_typed(spec):
            from techniques.architecture.hetero.inputs import type_inputs
            from techniques.remote.hetero_parts import FillTypes

            return (FillTypes(type_inputs(facts.graph, spec)),)
        return (FillSparse(has_unit_rows(spec)),)

    def recipe(self, spec: JobSpec) -> str:
        if spec.options[Slot.SAMPLING] != "full_batch" or pools_graphs(spec):
            return "data.x = data.x.to_dense().float()  # PyG's loaders cut dense rows only"
        if spec.options[Slot.ARCHITECTURE] in ("sage", "gin"):
            return "data.x = data.x.to_dense().float()  # PyG's layer sums rows before it multiplies"
        return "data.x = data.x.to_dense().float().to_sparse_csr()"


FEATURES_CSR = FeaturesCsr()
