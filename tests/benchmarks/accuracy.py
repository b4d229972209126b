"""Forecast against measured peak host memory, over a stated grid of real and generated graphs.

    python tests/benchmarks/accuracy.py DIR --out accuracy.csv

Every candidate of the grid is trained in a fresh child process, under the limits and allocator settings of every run.
Its row is written as soon as it is measured; rows that are there already are not measured again. What is left out
(refused combinations, graphs without labels, time limits) has a row with its reason.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planner.costing import BASELINE_HOST_BYTES, cost, fits
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import LIKE, checked, drawer, open_any, open_like, profiled
from planner.proposal import Pins, Refusal, proposals
from planner.records import ForecastFigures
from techniques.base import SettingValue, Slot
from techniques.errors import GnnfitError
from techniques.facts import Facts, Goal, Task
from techniques.forecast import Draw, Phase
from techniques.job import JobSpec
from techniques.remote.source.folder import FolderGraph, spill
from tuner.records import Limits, TrialState, WorkRequest
from tuner.runner import Runner

LIKE_GRAPHS = ("ogbn-products@0.02", "reddit2@0.1", "ogbn-arxiv@1", "flickr@1", "ogbn-products@0.05")
ARCHITECTURES = ("gcn", "sage", "gat", "gin")
SMALL_FILE_BYTES = 250_000
REPRESENTATIONS = ("coo", "csr")
LIMITS = (0.6, 0.8, 0.95, 1.05, 1.25, 2.0)
MEGABYTE = 1e6
SMALL, LARGE = 100 * MEGABYTE, 500 * MEGABYTE
EPOCHS = {"full_batch": 2, "cluster": 3, "graph_saint": 3, "random_node": 3}
"""Every tensor of training is there from the second step on."""
SECONDS = 60.0
WIDTHS, NARROW = (256, 512), 128
SAMPLED: tuple[dict[str, SettingValue], ...] = (
    {"layers": 2, "fanouts": (10, 10), "batch_size": 2048},
    {"layers": 3, "fanouts": (10, 5, 5), "batch_size": 1024},
    {"layers": 2, "fanouts": (25, 10), "batch_size": 1024},
    {"layers": 3, "fanouts": (15, 10, 5), "batch_size": 512},
)
SUBGRAPHS: dict[str, dict[str, SettingValue]] = {
    "cluster": {"layers": 3, "parts_per_batch": 8},
    "graph_saint": {"layers": 3, "batch_size": 4096},
    "random_node": {"layers": 3},
    "shadow_k_hop": {"layers": 3, "batch_size": 1024, "depth": 2, "num_neighbors": 10},
}
"""Samplers that train on subgraphs, one architecture each in turn; left out on small local graphs."""
KEY = ("graph", "architecture", "sampling", "representation", "settings")
FIELDS = (
    *KEY,
    "features",
    "state",
    "reason",
    "measured",
    "baseline",
    "low",
    "expected",
    "high",
    "counts_low",
    "counts_expected",
    "counts_high",
    "baseline_high",
    "gemm_flops_measured",
    "gemm_flops_expected",
    "counts_input_nodes",
    "graph_input_nodes",
    "wall_seconds",
    *(f"{phase.value}_{kind}" for phase in Phase for kind in ("measured", "expected")),
)
Row = dict[str, Any]


def grid(kind: str, first: int) -> Iterator[tuple[dict[Slot, str], dict[str, SettingValue]]]:
    """Every architecture and sampling; widths, depths, batches and fanouts take turns, as do COO and CSR on local graphs.

    Small local graphs take two candidates of the eight: little of theirs is above 100 MB. Where every message of a
    generated graph is in memory, the network is narrow.
    """
    for position, (architecture, sampling) in enumerate(itertools.product(ARCHITECTURES, ("full_batch", "neighbor"))):
        if kind == "small" and position % 4 != first % 4:
            continue
        turn = first + 1 + position
        for representation in REPRESENTATIONS if kind == "like" else _one_in_turn(architecture, turn + position // 2):
            every_message = kind == "like" and (sampling, representation) == ("full_batch", "coo")
            hidden = NARROW if every_message else WIDTHS[turn % 2]
            settings: dict[str, SettingValue] = {"hidden": hidden, "layers": 2 + turn // 2 % 2}
            if sampling == "neighbor":
                settings |= SAMPLED[turn // 2 % len(SAMPLED)]
            options = {
                Slot.ARCHITECTURE: architecture,
                Slot.SAMPLING: sampling,
                Slot.REPRESENTATION: representation,
                Slot.HARDWARE: "cpu",
            }
            yield options, settings
    if kind != "small":
        yield from _subgraph_candidates(first)


def _subgraph_candidates(first: int) -> Iterator[tuple[dict[Slot, str], dict[str, SettingValue]]]:
    for turn, (sampling, settings) in enumerate(SUBGRAPHS.items(), start=first):
        architecture = ARCHITECTURES[turn % len(ARCHITECTURES)]
        options = {
            Slot.ARCHITECTURE: architecture,
            Slot.SAMPLING: sampling,
            Slot.REPRESENTATION: _one_in_turn(architecture, turn)[0],
            Slot.HARDWARE: "cpu",
        }
        yield options, {"hidden": WIDTHS[turn % 2], **settings}


def _one_in_turn(architecture: str, turn: int) -> tuple[str, ...]:
    return ("coo",) if architecture == "gat" else (REPRESENTATIONS[turn % 2],)


def graphs(folders: list[Path], like: list[str]) -> Iterator[tuple[str, str, Callable[[Path], FolderGraph]]]:
    """Name, kind and how to get a folder of arrays."""
    files = sorted(file for folder in folders for file in folder.glob("*.npz"))
    for file in files:
        kind = "small" if file.stat().st_size < SMALL_FILE_BYTES else "local"
        yield file.stem, kind, lambda target, file=file: spill(open_any(str(file)), target)  # type: ignore[misc]
    for name in like:
        yield LIKE + name, "like", lambda target, name=name: open_like(LIKE + name)  # type: ignore[misc]


class Benchmark:
    """Measures what the file does not hold yet; the forecasts of all rows are made afresh."""

    def __init__(self, out: Path, limit: int | None, samplers: tuple[str, ...] = ()) -> None:
        self.out, self.left = out, limit if limit is not None else sys.maxsize
        self.samplers = samplers
        self.rows = {tuple(row[field] for field in KEY): row for row in _read(out)}
        self.hardware = inspect_machine()
        self.asked: list[Row] = []
        """Rows of the grid at hand; the file may hold others."""

    def run(self, folders: list[Path], like: list[str]) -> None:
        """Every graph, every candidate."""
        with Runner() as runner, tempfile.TemporaryDirectory() as scratch:
            for turn, (name, kind, fetch) in enumerate(graphs(folders, like)):
                chosen = [
                    one for one in grid(kind, turn) if one[0][Slot.SAMPLING] in self.samplers or not self.samplers
                ]
                self._graph(runner, name, fetch, chosen, Path(scratch))
        temporary = self.out.with_suffix(".part")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(self.rows.values())
        temporary.replace(self.out)

    def _graph(self, runner: Runner, name: str, fetch: Any, candidates: list[Any], scratch: Path) -> None:
        if self.left <= 0 and not any(_key(name, *one) in self.rows for one in candidates):
            return None
        try:
            stored = fetch(scratch / name.replace(":", "-"))
            checked(stored, check_values=False)
            graph = profiled(stored, Task.NODE, name, check_values=False)
        except GnnfitError as error:
            return self._exclude_all(name, candidates, str(error))
        facts = Facts(graph=graph, hardware=self.hardware)
        if graph.num_graphs > 1 or "y" not in stored.headers:
            return self._exclude_all(name, candidates, "not trained yet: a set of graphs, or no labels")
        draw = drawer(stored, graph)
        for options, settings in candidates:
            self._candidate(runner, name, facts, draw, stored.path, options, settings)
        return None

    def _exclude_all(self, name: str, candidates: list[Any], reason: str) -> None:
        for options, settings in candidates:
            self._add(_key(name, options, settings), {"state": "excluded", "reason": reason})

    def _candidate(
        self,
        runner: Runner,
        name: str,
        facts: Facts,
        draw: Draw,
        folder: str | None,
        options: dict[Slot, str],
        settings: dict[str, SettingValue],
    ) -> None:
        key = _key(name, options, settings)
        spec = next(iter(proposals(facts, Pins(options, settings))))
        if isinstance(spec, Refusal):
            return self._add(key, {"state": "excluded", "reason": spec.verdict.reasons[0].text})
        figures = cost(facts, spec, draw)
        forecasts = _forecasts(spec, figures, cost(facts, spec))
        if key in self.rows:
            self.rows[key] |= {field: str(value) for field, value in forecasts.items()}
            self.asked.append(self.rows[key])
        elif not fits(facts, figures):
            reason = f"needs {figures.needs_host_bytes:,} bytes: more than there is"
            self._add(key, {"state": "excluded", "reason": reason})
        elif self.left > 0:
            self.left -= 1
            self._add(key, forecasts | _measured(runner, spec, facts, folder))
        return None

    def _add(self, key: tuple[str, ...], values: Row) -> None:
        if key in self.rows:
            self.asked.append(self.rows[key])
            return
        row = dict(zip(KEY, key, strict=True)) | values
        fresh = not self.out.exists()
        with self.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        self.rows[key] = {field: str(value) for field, value in row.items()}
        self.asked.append(self.rows[key])
        print(_line(row), file=sys.stderr, flush=True)


def _key(name: str, options: dict[Slot, str], settings: dict[str, SettingValue]) -> tuple[str, ...]:
    text = " ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    names = (options[Slot.ARCHITECTURE], options[Slot.SAMPLING], options[Slot.REPRESENTATION])
    return (name, *names, text)


def _measured(runner: Runner, spec: JobSpec, facts: Facts, folder: str | None) -> Row:
    assert folder is not None
    with tempfile.TemporaryDirectory() as trial:
        limits = Limits(
            host_bytes=facts.host_limit_bytes, seconds=SECONDS, epochs=EPOCHS.get(spec.options[Slot.SAMPLING], 1)
        )
        measured = runner.measure(
            WorkRequest(spec=spec, facts=facts, graph=folder, folder=trial, limits=limits, check_values=False)
        )
    return {
        "state": measured.state.value if measured.state is TrialState.COMPLETE else "excluded",
        "reason": measured.reason,
        "measured": measured.peak_host_bytes,
        "baseline": measured.baseline_host_bytes,
        "gemm_flops_measured": measured.gemm_flops_per_epoch,
        "wall_seconds": round(measured.wall_seconds, 2),
        **{f"{phase.value}_measured": one.host_peak_bytes for phase, one in measured.phases.items()},
    }


def _forecasts(spec: JobSpec, figures: ForecastFigures, counts: ForecastFigures) -> Row:
    row: Row = {
        "features": spec.options[Slot.REPRESENTATION_FEATURES],
        "baseline_high": int(figures.baseline_host_bytes.high),
        "gemm_flops_expected": figures.gemm_flops_per_epoch.expected,
        "graph_input_nodes": round(figures.input_nodes_per_step),
        "counts_input_nodes": round(counts.input_nodes_per_step),
        **{f"{phase.value}_expected": int(one.host_peak_bytes.expected) for phase, one in figures.phases.items()},
    }
    for prefix, one in (("", figures), ("counts_", counts)):
        peak = one.peak_host_bytes
        row |= {f"{prefix}low": int(peak.low), f"{prefix}expected": int(peak.expected), f"{prefix}high": int(peak.high)}
    return row


def _line(row: Row) -> str:
    head = " ".join(str(row[field]) for field in KEY)
    if row["state"] != "complete":
        return f"{head}: {row['state']}: {row['reason']}"
    error = float(row["expected"]) / max(float(row["measured"]), 1) - 1
    return f"{head}: {int(row['measured']) / 1e6:.0f} MB measured, forecast {error:+.1%}, {row['wall_seconds']} s"


def _read(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def report(rows: list[Row]) -> str:
    """The tables."""
    complete = [_numbers(row) for row in rows if row["state"] == "complete"]
    if not complete:
        return "nothing measured"
    judged = [row for row in complete if row["measured"] >= SMALL]
    lines = [
        f"{len(rows)} rows, {len(complete)} measured, {len(rows) - len(complete)} excluded; "
        f"{len({row['graph'] for row in complete})} graphs; "
        f"{_share(row['measured'] >= LARGE for row in complete):.0%} of the measured peak above 500 MB",
        "",
        f"{'peak host memory':34}{'rows':>6}{'median':>9}{'95th':>8}{'inside':>8}{'high/low':>10}",
        *_errors("all rows", complete),
        *_errors("measured >= 100 MB", judged),
        *_errors("measured < 100 MB", [row for row in complete if row["measured"] < SMALL]),
        *(line for name in ARCHITECTURES for line in _errors(name, _where(judged, "architecture", name))),
        *(
            line
            for name in ("full_batch", "neighbor", *SUBGRAPHS)
            for line in _errors(name, _where(judged, "sampling", name))
        ),
        *(line for name in ("coo", "csr") for line in _errors(name, _where(judged, "representation", name))),
        "",
        *_decisions(complete),
    ]
    return "\n".join(lines)


def _errors(title: str, rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    for prefix, level in (("", "graph"), ("counts_", "counts")):
        errors = sorted(abs(row[f"{prefix}expected"] / row["measured"] - 1) for row in rows)
        inside = _share(row[f"{prefix}low"] <= row["measured"] <= row[f"{prefix}high"] for row in rows)
        width = statistics.median(row[f"{prefix}high"] / row[f"{prefix}low"] for row in rows)
        tail = errors[min(int(0.95 * len(errors)), len(errors) - 1)]
        name = f"{title}, level {level}"
        yield f"{name:34}{len(rows):6}{statistics.median(errors):9.1%}{tail:8.1%}{inside:8.0%}{width:10.2f}"


def _decisions(rows: list[Row]) -> Iterator[str]:
    """Says the planner "fits" where it does not, or "does not fit" where it does?"""
    yield "limit / (measured baseline + peak)" + "".join(f"{limit:>8}" for limit in LIMITS)
    said = {limit: _share(_says_fits(row, limit) for row in rows) for limit in LIMITS}
    yield f"{'share called fitting':34}" + "".join(f"{said[limit]:8.1%}" for limit in LIMITS)
    alone = {limit: _share(row["high"] <= limit * row["measured"] for row in rows) for limit in LIMITS}
    yield f"{'the same, peak alone':34}" + "".join(f"{alone[limit]:8.1%}" for limit in LIMITS)
    below, above = (0.6, 0.8, 0.95), (1.25, 2.0)
    for title, shares in (("baseline + peak", said), ("peak alone", alone)):
        yield (
            f"{title}: false fits {statistics.mean(shares[one] for one in below):.1%} (limits {below}), "
            f"false refusals {statistics.mean(1 - shares[one] for one in above):.1%} (limits {above})"
        )


def _says_fits(row: Row, limit: float) -> bool:
    """The planner's own test, with this row's figures."""
    goal = Goal(host_memory_bytes=int(limit * (row["baseline"] + row["measured"])))
    facts = _ANY_FACTS.model_copy(update={"goal": goal})
    return fits(facts, _figures(row))


def _figures(row: Row) -> Any:
    class Figures:
        needs_host_bytes = int(row["baseline_high"] + row["high"])
        needs_device_bytes = 0

    return Figures


_ANY_FACTS = Facts.model_construct(goal=Goal())


def _share(values: Any) -> float:
    found = [bool(value) for value in values]
    return sum(found) / max(len(found), 1)


def _where(rows: list[Row], field: str, value: str) -> list[Row]:
    return [row for row in rows if row[field] == value]


def _numbers(row: Row) -> Row:
    texts = {*KEY, "features", "state", "reason"}
    return {key: value if key in texts else float(value or 0) for key, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of .npz graphs")
    parser.add_argument("--out", type=Path, default=Path("accuracy.csv"))
    parser.add_argument("--like", nargs="*", default=list(LIKE_GRAPHS), metavar="NAME@SCALE")
    parser.add_argument("--limit", type=int, help="measure at most so many candidates")
    parser.add_argument("--sampling", nargs="*", default=[], help="only these samplers")
    options = parser.parse_args()
    started = time.perf_counter()
    benchmark = Benchmark(options.out, options.limit, tuple(options.sampling))
    benchmark.run(options.folders, options.like)
    print(report(benchmark.asked))
    print(f"\n{time.perf_counter() - started:.0f} s; rows in {options.out}; baseline {BASELINE_HOST_BYTES}")


if __name__ == "__main__":
    main()
