"""What was forecast and what was measured here, and how forecasts were off: one JSON line a measurement.

Written by every measurement, trial and run (``tuner/history.py``); counted in forecasts with ``--use-history`` only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planner.inspect.calibration import gnnfit_home
from techniques.base import Slot
from techniques.facts import Correction
from techniques.job import JobSpec

FILE, SWITCH = "history.jsonl", "GNNFIT_HISTORY"
LEAST_ROWS = 5
"""Measurements of one kind from which their median says more than the model."""
MOST = 4.0
"""No history corrects a forecast by more than so many times."""
LEAST_BYTES = 100_000_000
"""Of smaller peaks much is the allocator's chance: they say nothing of those that may not fit."""
Row = dict[str, Any]


def history_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the history is kept; ``None`` where ``GNNFIT_HISTORY=off``."""
    return None if environ.get(SWITCH, "").lower() == "off" else gnnfit_home(environ) / FILE


def read_history(path: Path | None = None, fingerprint: str | None = None) -> list[Row]:
    """All measurements, or those of one machine; lines that are damaged are left out."""
    path = path or history_path()
    if path is None or not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and (fingerprint is None or row.get("machine") == fingerprint):
            rows.append(row)
    return rows


def kind_of(spec: JobSpec) -> tuple[str, str, str]:
    """What forecasts are corrected by: architecture, representation, sampler."""
    options = spec.options
    return options[Slot.ARCHITECTURE], options[Slot.REPRESENTATION], options[Slot.SAMPLING]


def corrections(rows: Iterable[Row]) -> tuple[Correction, ...]:
    """The median of measured over expected for every kind, and level, with enough rows."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = tuple(str(row.get(name)) for name in ("architecture", "representation", "sampling", "level"))
        groups.setdefault(key, []).append(row)
    return tuple(_correction(key, found) for key, found in groups.items() if len(found) >= LEAST_ROWS)


def _correction(key: tuple[str, ...], rows: list[Row]) -> Correction:
    seconds, memory = median_ratio(rows, "epoch_seconds") or 1.0, _memory(rows)
    return Correction(
        architecture=key[0],
        representation=key[1],
        sampling=key[2],
        level=key[3],
        rows=len(rows),
        seconds=min(max(seconds, 1 / MOST), MOST),
        memory=min(max(memory, 1 / MOST), MOST),
        epochs=min(max(_epochs(rows), 1 / MOST), MOST),
    )


def _memory(rows: list[Row]) -> float:
    """The same of peaks, where enough were of a size that limits are about."""
    large = [row for row in rows if _ratio(row, "peak_host_bytes") and max(row["peak_host_bytes"]) >= LEAST_BYTES]
    return (median_ratio(large, "peak_host_bytes") or 1.0) if len(large) >= LEAST_ROWS else 1.0


def _epochs(rows: list[Row]) -> float:
    """The same of epochs, where enough trainings went on until the stopping rule held."""
    converged = [row for row in rows if row.get("converged")]
    return (median_ratio(converged, "epochs") or 1.0) if len(converged) >= LEAST_ROWS else 1.0


def median_ratio(rows: Iterable[Row], name: str) -> float | None:
    """Measured over expected."""
    ratios = [found for row in rows if (found := _ratio(row, name)) is not None]
    return _median(ratios) if ratios else None


def median_error(rows: Iterable[Row], name: str) -> float | None:
    """|expected - measured| / measured."""
    ratios = [abs(1 / found - 1) for row in rows if (found := _ratio(row, name)) is not None]
    return _median(ratios) if ratios else None


def _ratio(row: Row, name: str) -> float | None:
    pair = row.get(name)
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, (int, float)) and one > 0 for one in pair):
        return float(pair[1] / pair[0])
    return None


def nothing_to_correct(rows: list[Row]) -> str:
    """Why a history that is asked corrects no forecast."""
    count = f"{len(rows)} measurement{'s' * (len(rows) != 1)} on this machine"
    return f"history corrects nothing: {count}, of one architecture, representation and sampler {LEAST_ROWS} are needed"


def history_line(rows: list[Row]) -> str:
    """How right forecasts have been here, in one line."""
    if not rows:
        return "no measurements on this machine yet"
    parts = []
    for title, name in (("memory", "peak_host_bytes"), ("time", "epoch_seconds")):
        error = median_error(rows, name)
        if error is not None:
            parts.append(f"{title} {error:.0%}")
    count = f"{len(rows)} measurement{'s' * (len(rows) > 1)} on this machine"
    return f"{count}; median error of the forecasts: {', '.join(parts)}" if parts else count


def _median(values: list[float]) -> float:
    from statistics import median

    return median(values)
