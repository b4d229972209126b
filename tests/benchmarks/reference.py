"""Test accuracy on real graphs beside published figures: a broken model must not pass for a fast one.

    python tests/benchmarks/reference.py DIR [--seeds 3] [--graphs cora,coauthor_cs] [--architectures gcn,sage]

Each row trains the plan's settings of one architecture on the whole graph, until the stopping rule holds, once per seed, in a
fresh child process, and prints mean and spread (standard deviation over seeds) of the test accuracy at the best
validation. Published: cora and citeseer on the public split (Kipf and Welling 2017, table 2; Velickovic et al. 2018,
table 2; Wu et al. 2019, table 2; Gasteiger et al. 2019, table 2), the others on random splits of their own
(Shchur et al. 2018, table 1: 20 nodes a class; Luo et al. 2024, table 1: 60/20/20), so read those as a neighbourhood.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from planner import plan
from planner.render import table
from techniques import options
from techniques.base import Slot
from techniques.errors import GnnfitError
from tuner.ingest import ingest
from tuner.records import Limits, WorkRequest
from tuner.runner import Runner

PUBLISHED = {
    ("cora", "gcn"): "0.815",
    ("cora", "gat"): "0.830",
    ("cora", "sgc"): "0.810",
    ("cora", "appnp"): "0.833",
    ("citeseer", "gcn"): "0.703",
    ("citeseer", "gat"): "0.725",
    ("citeseer", "sgc"): "0.719",
    ("coauthor_cs", "gcn"): "0.911 to 0.960",
    ("coauthor_cs", "sage"): "0.913 to 0.964",
    ("coauthor_cs", "gat"): "0.905 to 0.961",
    ("amazon_computers", "gcn"): "0.826 to 0.940",
    ("amazon_computers", "sage"): "0.824 to 0.933",
    ("amazon_computers", "gat"): "0.780 to 0.941",
}
GRAPHS = "cora,citeseer,coauthor_cs,amazon_computers"


def main() -> None:
    """Print a row per graph and architecture."""
    names = ",".join(one.name for one in options(Slot.ARCHITECTURE) if one.name != "custom")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--graphs", default=GRAPHS)
    parser.add_argument("--architectures", default=names)
    parser.add_argument("--sampling", help="instead of the plan's own choice")
    parser.add_argument("--seconds", type=float, default=300.0, help="limit of one training")
    chosen = parser.parse_args()
    rows = []
    with Runner() as runner:
        for graph in chosen.graphs.split(","):
            for architecture in chosen.architectures.split(","):
                fix = {"architecture": architecture} | ({"sampling": chosen.sampling} if chosen.sampling else {})
                rows.append(row(runner, chosen.directory / f"{graph}.npz", fix, chosen.seeds, chosen.seconds))
                print(*rows[-1], sep="  ", flush=True)
    header = ["graph", "candidate", "seeds", "test accuracy", "spread", "published", "epochs"]
    print("\n".join(table(header, rows)))


def row(runner: Runner, graph: Path, fix: dict[str, str], seeds: int, seconds: float) -> list[str]:
    """Mean and spread over seeds, or why there is none."""
    architecture = fix["architecture"]
    try:
        found = plan(str(graph), fix=fix)
    except GnnfitError as error:
        return [graph.stem, architecture, "0", f"refused: {error}", "", "", ""]
    assert found.best is not None
    scores, epochs = [], []
    for seed in range(seeds):
        training = found.best.spec.training.model_copy(update={"seed": seed})
        with tempfile.TemporaryDirectory() as scratch:
            request = WorkRequest(
                spec=found.best.spec.model_copy(update={"training": training}),
                facts=found.facts,
                graph=str(ingest(str(graph), Path(scratch) / "graph").path),
                folder=scratch,
                limits=Limits(host_bytes=found.facts.host_limit_bytes, seconds=seconds),
                save=True,
            )
            measured = runner.measure(request)
        scores.append(measured.test["accuracy"])
        epochs.append(measured.epochs)
    spread = statistics.stdev(scores) if seeds > 1 else 0.0
    told = PUBLISHED.get((graph.stem, architecture), "")
    mean = f"{statistics.mean(scores):.3f}"
    return [graph.stem, found.best.name, str(seeds), mean, f"{spread:.3f}", told, f"{statistics.median(epochs):.0f}"]


if __name__ == "__main__":
    main()
