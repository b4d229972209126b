"""The rows of ``accuracy.py``: forecasts of three levels beside what a fresh child process measured."""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from accuracy_flops import FlopCheck
from accuracy_grid import Choice, graphs, grid, size_kind
from accuracy_rounds import Row, agree, together
from csv_rows import append_row

from planner.api import make_plan
from planner.costing import cost
from planner.inspect.calibration import calibrated
from planner.inspect.estimate import from_counts
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import checked, drawer, profiled
from planner.pins import Pins
from planner.proposal import Refusal, proposals
from planner.records import ForecastFigures
from techniques.base import SettingValue, Slot
from techniques.errors import GnnfitError
from techniques.facts import Facts, GraphFacts, HardwareFacts, Task
from techniques.forecast import Phase
from techniques.job import JobSpec
from techniques.remote.source.stored import StoredGraph
from techniques.step_shape import Draw
from tuner.records import Limits, TrialState, WorkRequest
from tuner.runner import Runner

LEVELS = ("counts", "graph", "calibrated")
PEAKS = ("low", "expected", "high")
KEY = ("graph", "architecture", "sampling", "representation", "settings")
FIELDS = (
    *KEY, "kind", "features", "state", "reason",
    "measured", "baseline", *(f"{level}_baseline_high" for level in LEVELS), "data_bytes", "peak_phase", "measured_phase", "parameters",
    *(f"{level}_{end}" for level in LEVELS for end in PEAKS),
    "epoch_seconds", *(f"{level}_epoch_{end}" for level in LEVELS for end in PEAKS),
    "flops_counted", "flops_formula", "counts_nodes", "graph_nodes", "graph_edges",
    "counts_plan_seconds", "graph_plan_seconds", "wall_seconds",
    *(f"{phase.value}_{kind}" for phase in Phase for kind in ("measured", *PEAKS)),
)  # fmt: skip
TEXTS = {*KEY, "kind", "features", "state", "reason", "peak_phase", "measured_phase"}
MOST_EPOCHS = 20
"""As many epochs as fit into the seconds, up to so many: one epoch's time is chance (two in turn differed by up to 80 %), the
mean of the later half is less so. Every tensor of training is there from the second step on, the heap's worst from the second epoch on."""
MOST_COUNTED_BYTES = 400e6
"""FLOPs are counted in a process of their own where a step takes no more."""


@dataclass
class Known:
    """A graph at hand, by task, and how long planning with it takes."""

    name: str
    stored: StoredGraph
    graph: GraphFacts
    hardware: HardwareFacts
    draws: dict[Task, tuple[Facts, Facts, Facts, Draw]] = field(default_factory=dict)

    def facts(self, task: Task) -> tuple[Facts, Facts, Facts, Draw]:
        """What levels 1, 2 and 3 know, and batches of the graph."""
        if task not in self.draws:
            graph = (
                self.graph if task is self.graph.task else profiled(self.stored, task, self.name, check_values=False)
            )
            self.draws[task] = (
                Facts(graph=counts_only(graph), hardware=self.hardware),
                Facts(graph=graph, hardware=self.hardware),
                Facts(graph=graph, hardware=calibrated(self.hardware)),
                drawer(self.stored, graph),
            )
        return self.draws[task]

    def plan_seconds(self) -> Row:
        """A whole plan at level 1, and one at level 2 with the inspection of the open graph; the imports are paid for."""
        counts = self.facts(self.graph.task)[0]
        return {
            "counts_plan_seconds": round(min(_seconds(lambda: make_plan(counts, Pins())) for _ in range(3)), 4),
            "graph_plan_seconds": round(_seconds(self._plan), 3),
        }

    def _plan(self) -> None:
        graph = profiled(self.stored, self.graph.task, self.name, check_values=False)
        make_plan(Facts(graph=graph, hardware=self.hardware), Pins(), drawer(self.stored, graph))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def counts_only(graph: GraphFacts) -> GraphFacts:
    """What a user would type: nodes, edges, features, classes and how many nodes to train on; degrees are assumed."""
    typed = from_counts(
        graph.num_nodes,
        graph.num_edges // 2 if graph.undirected else graph.num_edges,
        features=graph.features.width,
        classes=graph.labels.num_classes,
        directed=not graph.undirected,
        name=graph.name,
    )
    known = {"task": graph.task, "features": graph.features, "labels": graph.labels, "num_edges": graph.num_edges}
    return typed.model_copy(update=known)


class Rows:
    """Measures what the file does not hold yet; the forecasts of all rows are made afresh.

    The file has a row per candidate and round.
    """

    def __init__(
        self,
        out: Path,
        limit: int | None,
        seconds: float,
        memory_bytes: int,
        samplers: Sequence[str] = (),
        rounds: int = 1,
    ) -> None:
        self.out, self.left, self.rounds = out, limit if limit is not None else sys.maxsize, rounds
        self.seconds, self.memory_bytes, self.samplers = seconds, memory_bytes, samplers
        self.known: dict[tuple[str, ...], list[Row]] = {}
        for row in _read(out):
            self.known.setdefault(tuple(row[name] for name in KEY), []).append(row)
        self.asked: list[tuple[str, ...]] = []
        """Candidates of the grid at hand; the file may hold others."""

    def measure(self, folders: list[Path], like: list[str], wanted: Sequence[str] = ()) -> list[Row]:
        """Every graph, or those that are wanted; every candidate."""
        hardware = inspect_machine()
        with Runner() as runner, FlopCheck() as flops, tempfile.TemporaryDirectory() as scratch:
            for turn, (name, fetch) in enumerate(graphs(folders, like)):
                if wanted and name not in wanted:
                    continue
                try:
                    stored = fetch(Path(scratch) / name.replace(":", "-"))
                    checked(stored, check_values=False)
                    task = Task.NODE if "y" in stored.headers else Task.LINK
                    graph = profiled(stored, task, name, check_values=False)
                except GnnfitError as error:  # a set of graphs
                    print(f"{name}: left out: {error}", file=sys.stderr)
                    continue
                self._graph(runner, flops, Known(name, stored, graph, hardware), turn)
        self._rewrite()
        return [together(self.known[key]) for key in self.asked if key in self.known]

    def _graph(self, runner: Runner, flops: FlopCheck, known: Known, turn: int) -> None:
        choices = [one for one in grid(known.graph, turn) if self._is_wanted(one)]
        planned = known.plan_seconds() if choices else {}
        self.asked += [key_of(known.name, choice) for choice in choices]
        for number in range(1, self.rounds + 1):
            for choice in choices:
                self._candidate(runner, flops, known, choice, planned, number)

    def _is_wanted(self, choice: Choice) -> bool:
        return not self.samplers or choice.options[Slot.SAMPLING] in self.samplers

    def _candidate(
        self, runner: Runner, flops: FlopCheck, known: Known, choice: Choice, planned: Row, number: int
    ) -> None:
        key = key_of(known.name, choice)
        if number > 1 and (self.left <= 0 or agree(self.known.get(key, []), number)):
            return None
        counts, facts, calibrated_facts, draw = known.facts(choice.task)
        spec = next(iter(proposals(facts, Pins(choice.options, choice.settings))))
        if isinstance(spec, Refusal):
            reason = spec.verdict.reasons[0].text
            return None if key in self.known else self._add(key, {"state": "excluded", "reason": reason})
        figures = cost(facts, spec, draw)
        levels = (cost(counts, spec), figures, cost(calibrated_facts, spec, draw))
        values = forecasts(spec, facts, levels) | planned | {"kind": size_kind(known.graph)}
        for row in self.known.get(key, []):
            row |= {name: str(value) for name, value in values.items()}
        if len(self.known.get(key, [])) >= number:
            return None
        if figures.needs_host_bytes > self.memory_bytes:
            reason = f"may need {figures.needs_host_bytes:,} bytes, the benchmark's limit is {self.memory_bytes:,}"
            return self._add(key, {"state": "excluded", "reason": reason})
        if self.left > 0:
            self.left -= 1
            if number == 1 and figures.peak_host_bytes.expected < MOST_COUNTED_BYTES:
                values |= flops.count(spec, facts, str(known.stored.path))
            self._add(key, values | self._measured(runner, spec, facts, str(known.stored.path)))
        return None

    def _measured(self, runner: Runner, spec: JobSpec, facts: Facts, folder: str) -> Row:
        limits = Limits(
            host_bytes=self.memory_bytes,
            seconds=self.seconds,
            epochs=MOST_EPOCHS,
        )
        with tempfile.TemporaryDirectory() as trial:
            measured = runner.measure(
                WorkRequest(spec=spec, facts=facts, graph=folder, folder=trial, limits=limits, check_values=False)
            )
        peaks = {phase.value: one.host_peak_bytes for phase, one in measured.phases.items()}
        return {
            "state": measured.state.value if measured.state is TrialState.COMPLETE else "excluded",
            "reason": measured.reason,
            "measured": measured.peak_host_bytes,
            "baseline": measured.baseline_host_bytes,
            "measured_phase": max(peaks, key=lambda name: peaks[name], default=""),
            "epoch_seconds": measured.epoch_seconds,
            "wall_seconds": round(measured.wall_seconds, 2),
            **{f"{name}_measured": peak for name, peak in peaks.items()},
        }

    def _add(self, key: tuple[str, ...], values: Row) -> None:
        row = dict(zip(KEY, key, strict=True)) | values
        append_row(self.out, FIELDS, row)
        kept = {name: "" if value is None else str(value) for name, value in row.items()}
        self.known.setdefault(key, []).append(kept)
        print(_line(row), file=sys.stderr, flush=True)

    def _rewrite(self) -> None:
        """The file with the forecasts of today."""
        temporary = self.out.with_suffix(".part")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for rows in self.known.values() for row in rows)
        temporary.replace(self.out)


def key_of(name: str, choice: Choice) -> tuple[str, ...]:
    """What tells a row from the others."""
    settings: dict[str, SettingValue] = choice.settings
    text = " ".join(f"{key}={value}" for key, value in sorted(settings.items()))
    options = choice.options
    return (name, options[Slot.ARCHITECTURE], options[Slot.SAMPLING], options[Slot.REPRESENTATION], text)


def forecasts(spec: JobSpec, facts: Facts, levels: tuple[ForecastFigures, ...]) -> Row:
    """What every level says; level 3 is level 2 until the machine is calibrated."""
    counts, figures, _ = levels
    row: Row = {
        "features": spec.options[Slot.REPRESENTATION_FEATURES],
        "data_bytes": facts.graph.dataset_bytes,
        "peak_phase": figures.peak_phase.value,
        "parameters": figures.parameters,
        "counts_nodes": round(counts.input_nodes_per_step),
        "graph_nodes": round(figures.input_nodes_per_step),
        "graph_edges": round(figures.input_edges_per_step),
        **{
            f"{phase.value}_{end}": int(getattr(one.host_peak_bytes, end))
            for phase, one in figures.phases.items()
            for end in PEAKS
        },
    }
    for level, one in zip(LEVELS, levels, strict=True):
        row[f"{level}_baseline_high"] = int(one.baseline_host_bytes.high)
        for end in PEAKS:
            row[f"{level}_{end}"] = int(getattr(one.peak_host_bytes, end))
            row[f"{level}_epoch_{end}"] = round(getattr(one.epoch_seconds, end), 5)
    return row


def numbers(row: Row) -> Row:
    """The row with its figures as numbers; what was not measured is 0."""
    return {name: row.get(name, "") if name in TEXTS else float(row.get(name) or 0) for name in FIELDS}


def _line(row: Row) -> str:
    head = " ".join(str(row[name]) for name in KEY)
    if row["state"] != "complete":
        return f"{head}: {row['state']}: {row['reason']}"
    error = float(row["graph_expected"]) / max(float(row["measured"]), 1) - 1
    return f"{head}: {int(row['measured']) / 1e6:.0f} MB measured, forecast {error:+.1%}, {row['wall_seconds']} s"


def _read(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))
