"""How far from the best is what the search finds, and at what cost? Measured on grids, replayed with many seeds.

    python tests/benchmarks/regret.py collect GRAPH TABLE.csv [--configurations 300] [--seconds 6] [--threads 1]
    python tests/benchmarks/regret.py replay TABLE.csv... [--seeds 50] [--share 0.05]
    python tests/benchmarks/regret.py confirm GRAPH TABLE.csv [--share 0.05] [--turns 5]
    python tests/benchmarks/regret.py all DIR --out TABLES     the whole benchmark: over two hours on a quiet machine

``collect`` appends one row per configuration, measured at every fidelity, and goes on where it was interrupted.
``replay`` runs the product's own search on the table instead of a machine, random search at equal cost beside it.
``confirm`` runs the search live, then measures the table's ten best and the live winner again in turn before it states
the regret. Costs are seconds of whole trials: start, loading, preparing, training and evaluating.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from planner.proposal import Pins
from planner.records import Plan
from tuner.ingest import ingest
from tuner.parts import RUNGS, Part, part_of
from tuner.planning import planned
from tuner.records import Limits, Measurement, WorkRequest
from tuner.replay import Row, Table
from tuner.runner import Runner
from tuner.space import Point, Space, changed, families

REFERENCE_FANOUTS = ((25, 10), (15, 10, 5))
REFERENCE_RATES = (0.001, 0.003, 0.01, 0.03)
REFERENCE_SECONDS = 5.0
"""PyG's defaults train so many times as long as a configuration: they are to reach what they can."""


class Collector:
    """One graph with its parts, measured configuration by configuration."""

    def __init__(self, graph: str, folder: Path, threads: int) -> None:
        pins = Pins({}, {"threads": threads})
        self.graph = ingest(graph, folder / "graph")
        self.plan: Plan = planned(self.graph, graph, set=dict(pins.settings))
        self.space = Space(self.plan.facts, families(self.plan.candidates, self.plan.baseline), pins)
        self.threads, self.folder = threads, folder
        whole = Part(1.0, self.graph, self.plan.facts)
        self.parts = [*(part_of(self.graph, self.plan.facts, one, folder / f"part-{one:.2f}") for one in RUNGS[:-1])]
        self.parts.append(whole)

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
        return [Point(f"reference-{len(one['fanouts'])}", changed(base.spec, one)) for one in values]

    def row(self, runner: Runner, point: Point, seconds: float, parts: list[Part]) -> Row:
        spec = changed(point.spec, {"threads": self.threads})
        measured = {part.share: self.measure(runner, spec, part, seconds * part.share) for part in parts}
        return Row.of(point.family, spec, seconds, measured, load=os.getloadavg()[0])

    def measure(self, runner: Runner, spec: Any, part: Part, seconds: float) -> Measurement:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            limits = Limits(host_bytes=self.plan.facts.host_limit_bytes, seconds=seconds)
            graph = str(part.graph.path)
            return runner.measure(
                WorkRequest(spec=spec, facts=part.facts, graph=graph, folder=scratch, limits=limits, check_values=False)
            )


def collect(arguments: argparse.Namespace) -> None:
    """Append what is missing of a table."""
    table = Table(Path(arguments.table))
    with tempfile.TemporaryDirectory() as folder, Runner() as runner:
        collector = Collector(arguments.graph, Path(folder), arguments.threads)
        wanted = [
            (point, arguments.seconds, collector.parts) for point in collector.configurations(arguments.configurations)
        ]
        wanted += [
            (point, arguments.seconds * REFERENCE_SECONDS, collector.parts[-1:]) for point in collector.references()
        ]
        for number, (point, seconds, parts) in enumerate(wanted, 1):
            spec = changed(point.spec, {"threads": arguments.threads})
            if table.find(spec, point.family) is None:
                row = collector.row(runner, point, seconds, parts)
                table.append(row)
                print(f"{number}/{len(wanted)} {row.family} {row.measurement(1.0).metric}", flush=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("collect")
    one.add_argument("graph")
    one.add_argument("table")
    one.add_argument("--configurations", type=int, default=300)
    one.add_argument("--seconds", type=float, default=6.0)
    one.add_argument("--threads", type=int, default=1)
    one.set_defaults(run=collect)
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
