"""Edges as ``edge_index``: PyG's default; every message is gathered, then scattered."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.architecture.edge_inputs import read_columns, reads_weights
from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict
from techniques.facts import FLOAT_BYTES, INDEX_BYTES, Facts
from techniques.forecast import Forecast
from techniques.job import Job, JobSpec


@dataclass(frozen=True)
class UseBlocks:
    """Tell later stages how blocks of edges are held, and what they weigh."""

    fused: bool
    edge_bytes: float
    row_bytes: float
    edge_weighted: bool = False
    edge_data_bytes: float = 0.0
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        return so_far.changed(
            fused=self.fused,
            edge_bytes=self.edge_bytes,
            row_bytes=self.row_bytes,
            edge_weighted=self.edge_weighted,
            edge_data_bytes=self.edge_data_bytes,
        )

    def build(self, job: Job) -> Job:
        job.need("structure").fused = self.fused
        return job


class Coo:
    """Works for every layer, attention included; needs one row of features per edge (PyG, advanced/sparse_tensor)."""

    __slots__ = ()
    slot = Slot.REPRESENTATION
    name = "coo"
    text = "edge_index: works for every layer, one message per edge in memory"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        weights = reads_weights(facts, spec)
        data = FLOAT_BYTES * (weights + read_columns(facts, spec))
        degrees = FLOAT_BYTES * weights
        return (UseBlocks(False, 2 * INDEX_BYTES + data, degrees, weights, data),)

    def recipe(self, spec: JobSpec) -> str:
        return ""


COO = Coo()
