"""Appends forecast and measurement to this machine's history."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime

from planner.costing import correction_of
from planner.history import history_path, kind_of
from planner.inspect.fingerprint_machine import machine_fingerprint
from planner.records import ForecastFigures
from techniques.facts import Facts
from techniques.job import JobSpec
from tuner.records import Measurement, TrialState


def remember(facts: Facts, spec: JobSpec, expected: ForecastFigures, measured: Measurement) -> None:
    """One line, in one write: several processes may append at once. No paths, no data but the graph's name and sizes.

    What was not completed is not kept, nor is it an error if the file cannot be written.
    """
    path = history_path()
    if path is None or measured.state is not TrialState.COMPLETE:
        return
    architecture, representation, sampling = kind_of(spec)
    correction = correction_of(facts, spec, expected.level)  # what was forecast before history corrected it
    seconds, memory = (correction.seconds, correction.memory) if correction else (1.0, 1.0)
    row = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_fingerprint(facts.hardware),
        "graph": facts.graph.name,
        "nodes": facts.graph.num_nodes,
        "edges": facts.graph.num_edges,
        "architecture": architecture,
        "representation": representation,
        "sampling": sampling,
        "level": expected.level.value,
        "epoch_seconds": [expected.epoch_seconds.expected / seconds, measured.epoch_seconds],
        "peak_host_bytes": [expected.peak_host_bytes.expected / memory, measured.peak_host_bytes],
        "peak_device_bytes": [expected.peak_device_bytes.expected, measured.peak_device_bytes],
        "epochs": [expected.epochs_to_converge.expected, measured.epochs],
        "converged": measured.convergence_seconds is not None,
    }
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        line = (json.dumps(row) + "\n").encode()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
