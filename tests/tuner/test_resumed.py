"""A training that went on from its checkpoint peaked where any of its sessions did."""

from __future__ import annotations

from pathlib import Path

from techniques.forecast import Phase
from tuner.records import Measurement, PhaseMeasurement, TrialState
from tuner.resumed import with_earlier


def session(peak: int, flops: float | None, **phases: int) -> Measurement:
    by_phase = {Phase(name): PhaseMeasurement(host_peak_bytes=one, seconds=1.0) for name, one in phases.items()}
    return Measurement(
        state=TrialState.COMPLETE, peak_host_bytes=peak, flops_per_epoch=flops, phases=by_phase, metric=0.9
    )


def test_a_session_with_nothing_left_to_train_keeps_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "measurement.json"
    file.write_text(session(18, 155.0, train=15, evaluate=18).model_dump_json(), encoding="utf-8")
    found = with_earlier(session(7, None, evaluate=7), file)
    assert (found.peak_host_bytes, found.flops_per_epoch, found.metric) == (18, 155.0, 0.9)
    assert {phase.value: one.host_peak_bytes for phase, one in found.phases.items()} == {"train": 15, "evaluate": 18}
    assert with_earlier(session(30, 99.0, train=30), file).phases[Phase.TRAIN].host_peak_bytes == 30
    assert with_earlier(session(7, None), tmp_path / "none.json").peak_host_bytes == 7


def test_seconds_of_training_are_those_of_all_sessions(tmp_path: Path) -> None:
    file = tmp_path / "measurement.json"
    first = session(18, 155.0, load=1, train=15, evaluate=18).model_copy(update={"sample_seconds": 0.5})
    file.write_text(first.model_dump_json(), encoding="utf-8")
    second = session(7, None, load=1, train=1, evaluate=7).model_copy(update={"sample_seconds": 0.1})
    found = with_earlier(second, file)
    assert {phase.value: one.seconds for phase, one in found.phases.items()} == {"load": 1, "train": 2, "evaluate": 2}
    assert (found.sample_seconds, found.wait_share) == (0.6, 0.3)
