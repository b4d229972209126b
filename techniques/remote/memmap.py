"""Features left on disk in a ``.npy`` file and memory-mapped: the kernel keeps what is used and drops it under need."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict, refuse
from techniques.facts import Facts
from techniques.forecast import Forecast
from techniques.job import Job, JobSpec
from techniques.representation.unit_rows import has_unit_rows

SOURCE = "source, technique 6"


@dataclass(frozen=True)
class MapFeatures:
    """Map the feature file; rows are read, and scaled, when a batch asks for them."""

    unit_rows: bool = False
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        return so_far

    def build(self, job: Job) -> Job:
        from techniques.remote.rows import MappedRows

        return replace(job, features=MappedRows(job.stored.read("x"), self.unit_rows))


class FeaturesMapped:
    """Feature bytes do not count as memory: the file's pages can be dropped. Every batch may wait for the disk."""

    __slots__ = ()
    slot = Slot.REMOTE_FEATURES
    name = "memmap"
    text = "features stay on disk, memory-mapped: no host memory, slower first reads"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        features = facts.graph.features
        if features.generated:
            return refuse("features", "none", "memmap needs features on disk", SOURCE, "the graph has no features")
        if features.sparse_at_rest or spec.options[Slot.REPRESENTATION_FEATURES] != "dense":
            text = "only dense rows can be mapped; sparse ones are small enough to hold"
            return refuse("features", "sparse", "memmap needs dense rows of fixed size", SOURCE, text)
        if spec.options[Slot.SAMPLING] == "full_batch":
            text = "a full batch reads every feature in every epoch, so nothing is saved"
            return refuse("sampling", "full_batch", "memmap needs sampled batches", SOURCE, text)
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (MapFeatures(has_unit_rows(spec)),)

    def recipe(self, spec: JobSpec) -> str:
        # Copy on write: torch warns about arrays that cannot be written, though nobody writes here.
        return 'import numpy as np\ndata.x = torch.from_numpy(np.load("x.npy", mmap_mode="c"))'


FEATURES_MAPPED = FeaturesMapped()
