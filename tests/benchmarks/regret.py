"""How far from the best is what the search finds, and at what cost? Measured on grids, replayed with many seeds.

    python tests/benchmarks/regret.py collect GRAPH TABLE.csv [--configurations 300] [--seconds 6] [--threads 1]
    python tests/benchmarks/regret.py replay TABLE.csv... [--seeds 50] [--share 0.05]
    python tests/benchmarks/regret.py confirm GRAPH TABLE.csv [--share 0.05] [--turns 5]
    python tests/benchmarks/regret.py all DIR [--out TABLES]

``all`` is the whole benchmark on the four graphs below, DIR holds the real ones: over two hours of a quiet machine.

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

import numpy as np
from regret_replay import REFERENCE, Replayed, percent

from planner.costing import cost
from planner.pins import Pins
from planner.records import Plan
from planner.render import table as table_lines
from techniques.job import JobSpec
from tuner.bench import SEARCH_SHARE, Bench, ladder
from tuner.ingest import ingest
from tuner.parts import RUNGS, Fidelity, Part, part_of
from tuner.planning import Wanted, planned
from tuner.records import Limits, Measurement, WorkRequest
from tuner.replay import Row, Table
from tuner.runner import Runner
from tuner.scoring import target_seconds
from tuner.search import Search
from tuner.space import Point, Space, changed, families
from tuner.study import Study

GRAPHS = (
    ("amazon_photo", 300, 6.0, 0.05),
    ("coauthor_cs", 300, 6.0, 0.05),
    ("amazon_computers", 120, 20.0, 0.10),
    ("like:ogbn-products@0.02", 120, 20.0, 0.10),
)
"""Configurations, seconds each, and the search's share of the grid's cost."""

REFERENCE_FANOUTS = ((25, 10), (15, 10, 5))
REFERENCE_RATES = (0.001, 0.003, 0.01, 0.03)
REFERENCE_SECONDS = 5.0
"""PyG's defaults train so many times as long as a configuration: they are to reach what they can."""


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
        return Row.of(point.family, spec, seconds, measured, load=os.getloadavg()[0])

    def measure(
        self, runner: Runner, spec: JobSpec, part: Part, seconds: float, target: float | None = None
    ) -> Measurement:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            limits = Limits(host_bytes=self.plan.facts.host_limit_bytes, seconds=seconds, target=target)
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


def replay(arguments: argparse.Namespace) -> None:
    """One line per table: search cost, regret, random search at equal cost, speed-up over PyG's defaults."""
    rows = []
    for name in arguments.tables:
        found = Replayed(Path(name), arguments.share, arguments.own_target)
        searched = np.array([found.searched(seed) for seed in range(arguments.seeds)])
        random = np.array([found.random(seed) for seed in range(arguments.seeds)])
        rows.append(
            [
                Path(name).stem,
                f"{len(found.rows)} x {found.rows[0].seconds:g} s = {found.cost:.0f} s",
                f"{searched[:, 1].mean():.0f} s ({searched[:, 1].mean() / found.cost:.1%})",
                f"{searched[:, 2].mean():.0f}",
                *(f"{percent(np.quantile(one[:, 0], level))}" for one in (searched, random) for level in (0.5, 0.9)),
                found.speed_up(searched[:, 3]),
                f"{found.load:.1f}",
            ]
        )
    header = ["graph", "grid", "search cost", "trials", "regret", "90th", "random", "90th", "PyG/winner", "load"]
    print("\n".join(table_lines(header, rows)))


def confirm(arguments: argparse.Namespace) -> None:
    """One live search, then its winner and the table's ten best again in turn."""
    found = Replayed(Path(arguments.table), arguments.share, own_target=False)
    with tempfile.TemporaryDirectory() as folder, Runner() as runner:
        collector = Collector(arguments.graph, Path(folder), arguments.threads)
        winner = _live(found, collector, runner)
        best = np.argsort([found.regret(place, found.target) for place in range(len(found.rows))])[:10]
        specs = [winner, *(found.rows[int(place)].spec for place in best)]
        seconds = [[] for _ in specs]  # type: list[list[float]]
        for _ in range(arguments.turns):
            for place, spec in enumerate(specs):
                again = collector.measure(runner, spec, collector.parts[-1], found.rows[0].seconds * 2)
                reached = target_seconds(again, found.target or 0.0)
                seconds[place].append(float("inf") if reached is None else reached)
    medians = [float(np.median(one)) for one in seconds]
    print(f"winner {medians[0]:.2f} s to {found.target:.3f}, the table's ten best {sorted(medians[1:])}")
    print(f"regret {percent(medians[0] / min(medians) - 1.0)} over {arguments.turns} turns")


def _live(found: Replayed, collector: Collector, runner: Runner) -> JobSpec:
    """The winner of a search on the machine, with the table's budget and target."""
    goal = collector.plan.facts.goal.model_copy(update={"target": found.target})
    spent = [0.0]

    def measure(number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None) -> Measurement:
        measured = collector.measure(runner, point.spec, collector.parts[-1], fidelity.seconds, target)
        spent[0] += measured.wall_seconds
        return measured

    facts = collector.plan.facts.model_copy(update={"goal": goal})
    forecast = lambda spec: cost(facts, spec)  # noqa: E731
    rungs = ladder(found.rows[0].seconds, target=found.target)
    bench = Bench(facts, rungs, measure, lambda: spent[0], found.budget / SEARCH_SHARE, forecast)
    search = Search(bench, collector.space, Study(None))
    print(f"live search: {len(bench.trials)} trials in {spent[0]:.0f} s, stopped: {search.run()}")
    return bench.scored(bench.whole())[0][1].spec


def everything(arguments: argparse.Namespace) -> None:
    """Collect, replay and confirm the four graphs of the benchmark."""
    arguments.threads, arguments.seeds, arguments.turns, arguments.own_target = 1, 50, 5, False
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, count, seconds, share in GRAPHS:
        arguments.graph = f"{arguments.folder}/{name}.npz" if not name.startswith("like:") else name
        arguments.table = str(out / f"{name.replace(':', '-')}.csv")
        arguments.configurations, arguments.seconds, arguments.share = count, seconds, share
        collect(arguments)
        arguments.tables = [arguments.table]
        replay(arguments)
        confirm(arguments)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("collect")
    one.add_argument("graph")
    one.add_argument("table")
    one.add_argument("--configurations", type=int, default=300)
    one.add_argument("--seconds", type=float, default=6.0)
    one.add_argument("--threads", type=int, default=1)
    one.set_defaults(run=collect)
    one = commands.add_parser("replay")
    one.add_argument("tables", nargs="+")
    one.add_argument("--seeds", type=int, default=50)
    one.add_argument("--share", type=float, default=0.05)
    one.add_argument(
        "--own-target", action="store_true", help="let the search find its target, as tune does by default"
    )
    one.set_defaults(run=replay)
    one = commands.add_parser("confirm")
    one.add_argument("graph")
    one.add_argument("table")
    one.add_argument("--share", type=float, default=0.05)
    one.add_argument("--threads", type=int, default=1)
    one.add_argument("--turns", type=int, default=5)
    one.set_defaults(run=confirm)
    one = commands.add_parser("all")
    one.add_argument("folder")
    one.add_argument("--out", default="regret-tables")
    one.set_defaults(run=everything)
    return parser.parse_args()


def main() -> None:
    """Run one of the commands."""
    arguments = parsed()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
