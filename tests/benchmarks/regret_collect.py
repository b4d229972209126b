"""Tables of measured configurations: what ``regret.py collect`` appends to."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from regret_replay import REFERENCE

from planner.costing import cost
from planner.pins import Pins
from planner.records import Plan
from techniques.errors import InputError
from techniques.job import JobSpec
from tuner.ingest import ingest
from tuner.parts import RUNGS, Part, part_of
from tuner.planning import Wanted, planned
from tuner.race import Race
from tuner.records import Limits, Measurement, WorkRequest
from tuner.replay import Row, Table
from tuner.runner import Runner
from tuner.space import Point, Space, changed, families

REFERENCE_FANOUTS = ((25, 10), (15, 10, 5))
REFERENCE_RATES = (0.001, 0.003, 0.01, 0.03)
REFERENCE_SECONDS = 5.0
"""PyG's defaults train so many times as long as a configuration: they are to reach what they can."""

SAME_GRAPH = 1.5
"""Forecast FLOPs of an epoch over those measured, either way, in the median of rows: other graphs are further off."""


class Collector:
    """One graph with its parts, measured configuration by configuration."""

    def __init__(self, graph: str, folder: Path, threads: int) -> None:
        pins = Pins({}, {"threads": threads})
        self.graph = ingest(graph, folder / "graph")
        self.plan: Plan = planned(self.graph, graph, Wanted(set=dict(pins.settings)))
        self.space = Space(self.plan.facts, families(self.plan.candidates, self.plan.baseline), pins)
        self.threads, self.folder = threads, folder
        whole = Part(1.0, self.graph, self.plan.facts)
        self.parts = [*(part_of(self.graph, self.plan.facts, one, folder / f"part-{one:.2f}") for one in RUNGS[:-1])]
        self.parts.append(whole)

    def refuse_another(self, rows: Iterable[Row], file: Path) -> None:
        """Refuse a table of another graph.

        Raises:
            InputError: epochs on this graph take other FLOPs than its rows measured.
        """
        facts = self.plan.facts
        pairs = [(row.spec, found) for row in rows if (found := row.measurement(1.0).flops_per_epoch)]
        ratios = [cost(facts, spec).flops_per_epoch.expected / found for spec, found in pairs]
        if ratios and not 1 / SAME_GRAPH < (ratio := statistics.median(ratios)) < SAME_GRAPH:
            raise InputError(
                f"a table must hold rows of one graph, those of {file} were measured on another than {self.graph.name}: "
                f"its epochs are forecast at {ratio:.3g} times the FLOPs that they took",
                "Name another table, or the graph of this one",
            )

    def configurations(self, count: int) -> list[Point]:
        """The plan's candidates and PyG's defaults, then random points: the same ones every time."""
        rng, found = np.random.default_rng(0), self.space.first()
        while len(found) < count:
            found += [point for point in self.space.draw(rng, 1) if point not in found]
        return found

    def references(self) -> list[Point]:
        """PyG's examples with each learning rate."""
        base = self.space.defaults()[0]
        values = [
            {"fanouts": fanouts, "layers": len(fanouts), "learning_rate": rate}
            for fanouts in REFERENCE_FANOUTS
            for rate in REFERENCE_RATES
        ]
        return [Point(f"{REFERENCE}-{len(one['fanouts'])}", changed(base.spec, one)) for one in values]

    def row(self, runner: Runner, point: Point, seconds: float, parts: list[Part]) -> Row:
        spec = changed(point.spec, {"threads": self.threads})
        measured = {part.share: self.measure(runner, spec, part, seconds * part.share) for part in parts}
        return Row.of(point.family, spec, seconds, measured, os.getloadavg()[0], cost(self.plan.facts, spec))

    def measure(
        self,
        runner: Runner,
        spec: JobSpec,
        part: Part,
        seconds: float,
        target: float | None = None,
        race: Race | None = None,
    ) -> Measurement:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            limits = Limits(host_bytes=self.plan.facts.host_limit_bytes, seconds=seconds, target=target, race=race)
            graph = str(part.graph.path)
            return runner.measure(
                WorkRequest(spec=spec, facts=part.facts, graph=graph, folder=scratch, limits=limits, check_values=False)
            )


def collect(graph: str, file: Path, configurations: int, seconds: float, threads: int) -> None:
    """Append what is missing of a table."""
    table = Table(file)
    with tempfile.TemporaryDirectory() as folder, Runner() as runner:
        collector = Collector(graph, Path(folder), threads)
        collector.refuse_another(table.rows, file)
        wanted = [(point, seconds, collector.parts) for point in collector.configurations(configurations)]
        wanted += [(point, seconds * REFERENCE_SECONDS, collector.parts[-1:]) for point in collector.references()]
        for number, (point, longest, parts) in enumerate(wanted, 1):
            spec = changed(point.spec, {"threads": threads})
            if table.find(spec, point.family) is None:
                row = collector.row(runner, point, longest, parts)
                table.append(row)
                print(f"{number}/{len(wanted)} {row.family} {row.measurement(1.0).metric}", flush=True)
