"""How far from the best is what the search finds, and at what cost? Measured on grids, replayed with many seeds.

    python tests/benchmarks/regret.py collect GRAPH TABLE.csv [--configurations 300] [--seconds 6] [--threads 1]
    python tests/benchmarks/regret.py confirm GRAPH TABLE.csv [--share 0.05] [--turns 5] [--seeds 50]
    python tests/benchmarks/regret.py replay TABLE.csv... [--seeds 50] [--share 0.05]
    python tests/benchmarks/regret.py all DIR [--out TABLES]

``all`` is the whole benchmark on the four graphs below, DIR holds the real ones: over four hours of a quiet machine.

``collect`` appends one row per configuration, measured at every fidelity, and goes on where it was interrupted.
``confirm`` runs the search live, once among the rows of the table and once among all that a run may choose from, then
measures both winners, the table's ten best and the rows that replays end on again in turn; it goes on, too, and keeps its lines in
``TABLE.confirmed.csv``. ``replay`` runs the product's own search on tables instead of a machine, random search at equal cost beside
it, and prints one table: search cost, regret, what was confirmed, speed-up over PyG's defaults. Regret with the target asked for is
that of the medians measured again, where there are any: the best of hundreds of single measurements is a lucky one. Costs are
seconds of whole trials: start, loading, preparing, training and evaluating.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from regret_collect import collect
from regret_confirm import OF_TABLE, SEARCH, Kept, confirm
from regret_replay import Replayed, percent, quantile, times

from planner.render import table as table_lines
from techniques.errors import GnnfitError

GRAPHS = (
    ("amazon_photo", 300, 6.0, 0.05),
    ("coauthor_cs", 300, 6.0, 0.05),
    ("amazon_computers", 120, 20.0, 0.10),
    ("like:ogbn-products@0.02", 120, 20.0, 0.10),
)
"""Configurations, seconds each, and the search's share of the grid's cost."""
SEEDS = 50
SHARE = "of the grid's cost that the search may take (default: 0.10 for the two smaller grids, else 0.05)"
HEADER = (
    "graph",
    "target",
    "grid",
    "search cost",
    "trials",
    "regret",
    "90th",
    "random",
    "90th",
    "live, of the table",
    "live, of the space",
    "PyG/winner",
    "load",
)


def replay(arguments: argparse.Namespace) -> None:
    """Two lines per table: with a target that is asked for, and with the one that the search finds."""
    if missing := next((one for one in arguments.tables if not Path(one).is_file()), None):
        sys.exit(f"regret.py: a table must exist, {missing} does not. Make it with regret.py collect.")
    rows = []
    for name in arguments.tables:
        for own_target in (False, True):
            rows.append(line(Path(name), arguments.share or share_of(Path(name)), own_target, arguments.seeds))
    print("\n".join(table_lines(list(HEADER), rows)))


def line(table: Path, share: float, own_target: bool, seeds: int) -> list[str]:
    """One table searched with every seed; the live run had the target asked for."""
    kept = Kept(table)
    found = Replayed(table, share, own_target, {} if own_target else kept.regrets())
    searched = np.array([found.searched(seed) for seed in range(seeds)])
    random = np.array([found.random(seed) for seed in range(seeds)])
    return [
        table.stem,
        "found" if own_target else f"{found.target:.3f}",
        f"{len(found.rows)} x {found.rows[0].seconds:g} s = {found.cost:.0f} s",
        f"{searched[:, 1].mean():.0f} s ({searched[:, 1].mean() / found.cost:.1%})",
        f"{searched[:, 2].mean():.0f}",
        *(percent(quantile(one[:, 0], level)) for one in (searched, random) for level in (0.5, 0.9)),
        *("-" if own_target else _live(kept, which) for which in (OF_TABLE, SEARCH)),
        _speed_up(found, kept, searched[:, 3], own_target),
        f"{found.load:.1f}",
    ]


def _live(kept: Kept, which: str) -> str:
    """What came of a live search."""
    live = kept.confirmed(which)
    return "-" if live is None else f"{percent(live.regret)} ({live.seconds:.0f} s, {live.turns} turns)"


def _speed_up(found: Replayed, kept: Kept, places: np.ndarray, own_target: bool) -> str:
    """PyG's defaults over the live winner, which trains as long as they do; else over what replays end on, by the table."""
    live = None if own_target else kept.beyond()
    if live is None or found.usual is None:
        return found.speed_up(places)
    return f"{times(found.usual[1], live)} live"


def share_of(table: Path) -> float:
    """What the search may cost on one of the graphs of the benchmark; a twentieth on others."""
    return next((share for name, _, _, share in GRAPHS if file_of(name) == table.name), 0.05)


def file_of(name: str) -> str:
    """A graph's table."""
    return f"{name.replace(':', '-')}.csv"


def everything(arguments: argparse.Namespace) -> None:
    """Collect and confirm the four graphs of the benchmark, then replay them."""
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    arguments.tables, arguments.share, arguments.seeds = [], None, SEEDS
    for name, count, seconds, share in GRAPHS:
        graph = name if name.startswith("like:") else f"{arguments.folder}/{name}.npz"
        collect(graph, out / file_of(name), count, seconds, threads=1)
        confirm(graph, out / file_of(name), share, threads=1, turns=5, seeds=SEEDS)
        arguments.tables.append(out / file_of(name))
    replay(arguments)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    graph = {"metavar": "GRAPH", "help": "as for gnnfit tune"}
    table = {"type": Path, "metavar": "TABLE.csv", "help": "one row per configuration"}
    one = commands.add_parser("collect", help="measure configurations, a row each")
    one.add_argument("graph", **graph)
    one.add_argument("table", **table)
    one.add_argument("--configurations", type=positive, default=300, help="so many, and PyG's defaults with four rates")
    one.add_argument("--seconds", type=float, default=6.0, help="training time of each")
    one.add_argument("--threads", type=positive, default=1)
    one.set_defaults(run=lambda a: collect(a.graph, a.table, a.configurations, a.seconds, a.threads))
    one = commands.add_parser("confirm", help="two live searches, and their winners beside the table's best, in turn")
    one.add_argument("graph", **graph)
    one.add_argument("table", **table)
    one.add_argument("--share", type=float, help=SHARE)
    one.add_argument("--threads", type=positive, default=1)
    one.add_argument("--turns", type=positive, default=5, help="measurements of each")
    one.add_argument("--seeds", type=positive, default=SEEDS, help="replays whose ends are measured again, too")
    one.set_defaults(run=lambda a: confirm(a.graph, a.table, a.share or share_of(a.table), a.threads, a.turns, a.seeds))
    one = commands.add_parser("replay", help="search tables with many seeds")
    one.add_argument("tables", nargs="+", **table)
    one.add_argument("--seeds", type=positive, default=SEEDS)
    one.add_argument("--share", type=float, help=SHARE)
    one.set_defaults(run=replay)
    one = commands.add_parser("all", help="the whole benchmark")
    one.add_argument("folder", metavar="DIR", help="the real graphs, .npz")
    one.add_argument("--out", default="regret-tables", metavar="TABLES", help="folder of the tables")
    one.set_defaults(run=everything)
    return parser.parse_args()


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def main() -> None:
    """Run one of the commands."""
    arguments = parsed()
    try:
        arguments.run(arguments)
    except GnnfitError as error:
        sys.exit(f"regret.py: {error}")


if __name__ == "__main__":
    main()
