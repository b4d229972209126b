"""Edges as ``edge_index``: PyG's default; every message is gathered, then scattered."""

from __future__ import annotations

from dataclasses import dataclass, replace

from techniques.base import USABLE, Knob, Part, Slot, Stage, Verdict
from techniques.facts import INDEX_BYTES, Facts
from techniques.forecast import Forecast
from techniques.job import Job, JobSpec


@dataclass(frozen=True)
class UseBlocks:
    """Tell later stages how blocks of edges are held, and what they weigh."""

    fused: bool
    edge_bytes: float
    row_bytes: float
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        return replace(so_far, fused=self.fused, edge_bytes=self.edge_bytes, row_bytes=self.row_bytes)

    def build(self, job: Job) -> Job:
        job.need("structure").fused = self.fused
        return job


@dataclass(frozen=True)
class Coo:
    """Works for every layer, attention included; needs one row of features per edge (PyG, advanced/sparse_tensor)."""

    slot: Slot = Slot.REPRESENTATION
    name: str = "coo"
    text: str = "edge_index: works for every layer, one message per edge in memory"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return (UseBlocks(fused=False, edge_bytes=2 * INDEX_BYTES, row_bytes=0.0),)

    def recipe(self, spec: JobSpec) -> str:
        return ""


COO = Coo()
