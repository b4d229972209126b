"""What several sessions of one training measured: each of them sees its own memory only."""

from __future__ import annotations

from pathlib import Path

from techniques.forecast import Phase
from tuner.records import Measurement, PhaseMeasurement, TrialState

PEAKS = ("peak_host_bytes", "peak_device_bytes", "mapped_peak_bytes")
TOTALS, SPLIT = (Phase.TRAIN, Phase.EVALUATE), ("sample_seconds", "transfer_seconds")
COUNTS = ("flops_per_epoch", "gemm_flops_per_epoch", "aggregation_flops_per_epoch", "thop_macs_forward")


def with_earlier(measured: Measurement, file: Path) -> Measurement:
    """The measurement of a training that went on, with the peaks and counts of the sessions before it, which ``file`` holds, and
    their seconds of training and judging; a session that had nothing left to train saw none of these."""
    if measured.state is not TrialState.COMPLETE or not file.is_file():
        return measured
    earlier = Measurement.model_validate_json(file.read_text(encoding="utf-8"))
    peaks = {name: max(getattr(measured, name), getattr(earlier, name)) for name in PEAKS}
    counts = {name: getattr(measured, name) or getattr(earlier, name) for name in COUNTS}
    phases = {phase: _together(phase, one, earlier.phases.get(phase)) for phase, one in measured.phases.items()}
    missing: dict[Phase, PhaseMeasurement] = {
        phase: one for phase, one in earlier.phases.items() if phase not in phases
    }
    spent = {name: getattr(measured, name) + getattr(earlier, name) for name in SPLIT}
    train = phases[Phase.TRAIN].seconds if Phase.TRAIN in phases else 0.0
    waited = {"wait_share": spent["sample_seconds"] / train if train else measured.wait_share}
    return measured.model_copy(update={**peaks, **counts, **spent, **waited, "phases": {**phases, **missing}})


def _together(phase: Phase, one: PhaseMeasurement, earlier: PhaseMeasurement | None) -> PhaseMeasurement:
    if earlier is None:
        return one
    seconds = one.seconds + earlier.seconds if phase in TOTALS else one.seconds
    peak = max(one.host_peak_bytes, earlier.host_peak_bytes)
    return one.model_copy(update={"host_peak_bytes": peak, "seconds": seconds})
