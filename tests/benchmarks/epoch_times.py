"""Forecast against measured seconds per epoch, at levels 1 (counts), 2 (graph) and 3 (calibrated to this machine).

    python tests/benchmarks/epoch_times.py GRAPH... --out epoch_times.csv [--calibration FILE]

Every candidate is trained in a fresh child process; its row is written as soon as it is measured, and rows that are there
already are not measured again: their forecasts are made afresh. Calibrate and measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csv_rows import append_row

from planner.costing import cost
from planner.inspect.calibration import read_calibration
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import drawer, profiled
from planner.pins import Pins
from planner.proposal import Refusal, proposals
from planner.records import ForecastFigures
from techniques.base import SettingValue, Slot
from techniques.facts import Facts, HardwareFacts, Task
from techniques.hardware.calibration import Calibration
from techniques.job import JobSpec
from tuner.ingest import ingest
from tuner.records import Limits, TrialState, WorkRequest
from tuner.runner import Runner

EPOCHS, SECONDS = 4, 12.0
LEVELS = ("counts", "graph", "calibrated")
GRID: tuple[tuple[str, str, str, dict[str, SettingValue]], ...] = (
    ("gcn", "full_batch", "csr", {"hidden": 128, "layers": 2}),
    ("gcn", "full_batch", "coo", {"hidden": 32, "layers": 2}),
    ("sage", "full_batch", "csr", {"hidden": 128, "layers": 3}),
    ("gin", "full_batch", "csr", {"hidden": 64, "layers": 2}),
    ("gat", "full_batch", "coo", {"hidden": 32, "layers": 2}),
    ("appnp", "full_batch", "csr", {"hidden": 64, "layers": 2}),
    ("sage", "neighbor", "csr", {"hidden": 128, "layers": 2, "fanouts": (10, 5)}),
    ("gcn", "neighbor", "csr", {"hidden": 64, "layers": 3, "fanouts": (10, 5, 5)}),
    ("gat", "neighbor", "coo", {"hidden": 64, "layers": 2, "fanouts": (10, 5), "batch_size": 512}),
    ("sage", "shadow_k_hop", "csr", {"hidden": 64, "layers": 2}),
    ("sage", "graph_saint", "csr", {"hidden": 64, "layers": 2}),
    ("gcn", "random_node", "csr", {"hidden": 64, "layers": 2}),
)
FIELDS = ("graph", "architecture", "sampling", "representation", "settings", "state", "reason", "epoch_seconds",
          "evaluate_seconds", "evaluations", "wait_share", "wall_seconds")  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One candidate on one graph."""

    key: tuple[str, ...]
    spec: JobSpec
    facts: Facts
    draw: Any
    folder: str


def cases(names: list[str], scratch: Path, hardware: HardwareFacts, few: int) -> Iterator[Case]:
    """Every candidate that can be used; ``few`` takes every so many of the grid, another one first for each graph."""
    for turn, name in enumerate(names):
        stored = ingest(name, scratch / f"graph{turn}")
        facts = Facts(graph=profiled(stored, Task.NODE, name, False), hardware=hardware)
        draw = drawer(stored, facts.graph)
        for architecture, sampling, representation, settings in GRID[turn % few :: few]:
            options = {Slot.ARCHITECTURE: architecture, Slot.SAMPLING: sampling, Slot.REPRESENTATION: representation}
            spec = next(iter(proposals(facts, Pins({**options, Slot.HARDWARE: "cpu"}, dict(settings)))))
            if isinstance(spec, Refusal):
                continue
            text = " ".join(f"{one}={value}" for one, value in settings.items())
            key = (Path(name).name.removesuffix(".npz"), architecture, sampling, representation, text)
            yield Case(key, spec, facts, draw, str(stored.path))


def measured(runner: Runner, case: Case) -> Row:
    """One training of a few epochs."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(host_bytes=case.facts.host_limit_bytes, seconds=SECONDS, epochs=EPOCHS)
        request = WorkRequest(
            spec=case.spec, facts=case.facts, graph=case.folder, folder=folder, limits=limits, check_values=False
        )
        found = runner.measure(request)
    evaluate = found.phases.get("evaluate")  # type: ignore[call-overload]
    return {
        "state": found.state.value,
        "reason": found.reason,
        "epoch_seconds": found.epoch_seconds if found.state is TrialState.COMPLETE else None,
        "evaluate_seconds": evaluate.seconds if evaluate else None,
        "evaluations": len(found.history),
        "wait_share": found.wait_share,
        "wall_seconds": round(found.wall_seconds, 2),
    }


def forecasts(case: Case, calibration: Calibration | None) -> dict[str, ForecastFigures]:
    """By level; level 3 where there is a calibration."""
    found = {"counts": cost(case.facts, case.spec), "graph": cost(case.facts, case.spec, case.draw)}
    if calibration is not None:
        hardware = case.facts.hardware.model_copy(update={"calibration": calibration})
        facts = case.facts.model_copy(update={"hardware": hardware})
        found["calibrated"] = cost(facts, case.spec, case.draw)
    return found


def report(rows: list[tuple[Row, dict[str, ForecastFigures]]]) -> str:
    """Expected over measured, candidate by candidate, then medians and ranks."""
    levels = [level for level in LEVELS if rows and level in rows[0][1]]
    lines = [f"{'graph':26}{'candidate':34}{'measured':>10}" + "".join(f"{level:>12}" for level in levels)]
    for row, figures in rows:
        name = f"{row['architecture']}/{row['sampling']}/{row['representation']}"
        ratios = [figures[level].epoch_seconds.expected / float(row["epoch_seconds"]) for level in levels]
        text = f"{row['graph']:26}{name:34}{1e3 * float(row['epoch_seconds']):8.1f}ms"
        lines.append(text + "".join(f"{ratio:12.2f}" for ratio in ratios))
    for level in levels:
        pairs = [(row, one[level].epoch_seconds) for row, one in rows]
        errors = [max(e.expected / float(r["epoch_seconds"]), float(r["epoch_seconds"]) / e.expected) for r, e in pairs]
        inside = [e.low <= float(r["epoch_seconds"]) <= e.high for r, e in pairs]
        lines.append(
            f"{level}: {len(pairs)} rows, median off by a factor {statistics.median(errors):.2f}, 90 % within "
            f"{sorted(errors)[int(0.9 * len(errors))]:.2f}, inside the range {statistics.mean(inside):.0%}, "
            f"high/low {statistics.median(e.high / e.low for _, e in pairs):.2f}, Kendall tau {_taus(pairs)}"
        )
    return "\n".join(lines)


def _taus(pairs: list[tuple[Row, Any]]) -> str:
    """Rank agreement within each graph: mean over graphs of at least three candidates."""
    found = []
    for graph in {row["graph"] for row, _ in pairs}:
        both = [(float(row["epoch_seconds"]), one.expected) for row, one in pairs if row["graph"] == graph]
        if len(both) >= 3:
            found.append(kendall(both))
    return f"{statistics.mean(found):.2f} over {len(found)} graphs" if found else "-"


def kendall(pairs: list[tuple[float, float]]) -> float:
    """Concordant less discordant pairs over all pairs."""
    total = agreement = 0
    for index, (first, expected) in enumerate(pairs):
        for second, other in pairs[index + 1 :]:
            total += 1
            agreement += 1 if (first - second) * (expected - other) > 0 else -1
    return agreement / max(total, 1)


def _read(path: Path) -> dict[tuple[str, ...], Row]:
    if not path.exists():
        return {}
    with path.open(newline="") as stream:
        return {tuple(row[name] for name in FIELDS[:5]): row for row in csv.DictReader(stream)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("epoch_times.csv"))
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9, help="start no measurement after so many")
    parser.add_argument("--few", type=int, default=1, help="every so many candidates of the grid only")
    options = parser.parse_args()
    known, calibration = _read(options.out), options.calibration and read_calibration(options.calibration)
    started, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as scratch, Runner() as runner:
        for case in cases(options.graphs, Path(scratch), inspect_machine(), options.few):
            row: Row | None = known.get(case.key)
            if row is None and time.perf_counter() - started < options.seconds:
                row = dict(zip(FIELDS[:5], case.key, strict=True)) | measured(runner, case)
                append_row(options.out, FIELDS, row)
                print(*case.key, row["state"], row["epoch_seconds"], file=sys.stderr, flush=True)
            if row is not None and row["epoch_seconds"]:
                rows.append((row, forecasts(case, calibration)))
    print(report(rows))


if __name__ == "__main__":
    main()
