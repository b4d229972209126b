"""What several sessions of one training measured: each of them sees its own memory only."""

from __future__ import annotations

from pathlib import Path

from techniques.forecast import Phase
from tuner.records import Measurement, PhaseMeasurement, TrialState

PEAKS = ("peak_host_bytes", "peak_device_bytes", "mapped_peak_bytes")
COUNTS = ("flops_per_epoch", "gemm_flops_per_epoch", "aggregation_flops_per_epoch", "thop_macs_forward")


def with_earlier(measured: Measurement, file: Path) -> Measurement:
    """The measurement of a training that went on, with the peaks and counts of the sessions before it, which ``file`` holds; a
    session that had nothing left to train saw neither."""
    if measured.state is not TrialState.COMPLETE or not file.is_file():
        return measured
    earlier = Measurement.model_validate_json(file.read_text(encoding="utf-8"))
    peaks = {name: max(getattr(measured, name), getattr(earlier, name)) for name in PEAKS}
    counts = {name: getattr(measured, name) or getattr(earlier, name) for name in COUNTS}
    phases = {phase: _higher(one, earlier.phases.get(phase)) for phase, one in measured.phases.items()}
    missing: dict[Phase, PhaseMeasurement] = {
        phase: one for phase, one in earlier.phases.items() if phase not in phases
    }
    return measured.model_copy(update={**peaks, **counts, "phases": {**phases, **missing}})


def _higher(one: PhaseMeasurement, earlier: PhaseMeasurement | None) -> PhaseMeasurement:
    if earlier is None or earlier.host_peak_bytes <= one.host_peak_bytes:
        return one
    return one.model_copy(update={"host_peak_bytes": earlier.host_peak_bytes})
