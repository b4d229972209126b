"""How well weights that were trained on a coarse graph do on the graph itself, against the share of nodes kept; and how
fast graphs are coarsened.

``python tests/benchmarks/coarsening.py DIR`` prints accuracy against ratio for real graphs in ``.npz`` files;
``--speed`` times ten million edges; ``--sizes`` shows what stays of nodes, edges and non-zeros.

Every row trains the same GCN with the same settings and seeds through the job that ``gnnfit run`` builds: what training is
judged by (accuracy, or AUROC where one of two classes dominates) on test nodes, at the best validation. ``random`` joins
random nodes instead of neighbours, as many as the ratio asks for. Rows that ``--rows`` has already are not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

CHOSEN_BY = ("cora", "citeseer", "amazon_photo", "coauthor_cs")
"""Graphs that were looked at while the method was chosen."""
UNSEEN = ("amazon_computers", "actor", "minesweeper", "tolokers")
"""Graphs that were not; the last three are heterophilous."""
GRAPHS = CHOSEN_BY + UNSEEN
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""1.0 is the full graph."""
EPOCHS, EVERY, PATIENCE = 200, 3, 12


def random_clusters(graph: Any, plan: Any) -> Any:
    """As many super-nodes as planned, every node in one at random."""
    from techniques.coarsening.clusters import CoarseGraph
    from techniques.coarsening.kernels import contract

    count = graph.target(plan.ratio)
    order = np.random.default_rng(plan.seed).permutation(graph.num_nodes)
    cluster = np.empty(graph.num_nodes, np.int32)
    cluster[order] = np.arange(graph.num_nodes) % count
    return CoarseGraph(cluster, *contract(graph.colptr, graph.row, graph.weight, cluster, count))


def accuracy(folder: str, facts: Any, method: str, ratio: float, seed: int, settings: dict[str, Any]) -> float:
    """The test metric of one run."""
    from planner.pins import Pins
    from planner.proposal import make_spec
    from techniques.assembly import build
    from techniques.base import Slot
    from techniques.coarsening import live
    from techniques.coarsening.clusters import coarsen
    from techniques.job import Job
    from techniques.remote.source.folder import FolderGraph

    name = {"full": "none", "random": "heavy_edge"}.get(method, method)
    slots = {Slot.COARSENING: name, Slot.ARCHITECTURE: "gcn", Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cpu"}
    form = (
        "csr"
        if facts.graph.features.sparse_at_rest and facts.graph.features.density(facts.graph.num_nodes) < 0.1
        else "dense"
    )
    slots[Slot.REPRESENTATION_FEATURES] = form
    pinned = {"seed": seed, "hidden": 64, "threads": 1, "learning_rate": 0.02} | settings
    if name != "none":
        pinned["coarsen_ratio"] = ratio
    spec = make_spec(facts, Pins(slots, pinned), {})
    live.coarsen = random_clusters if method == "random" else coarsen  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as scratch:
        return best_test(build(Job(spec=spec, facts=facts, stored=FolderGraph(folder), scratch=Path(scratch))))


def best_test(job: Any) -> float:
    """The test metric at the best validation."""
    from tuner.judge import judge
    from tuner.training import train_epoch

    judged, best, test, stale = judge(job), -1.0, 0.0, 0
    for epoch in range(EPOCHS):
        train_epoch(job)
        if epoch % EVERY == EVERY - 1:
            value = judged.scores("val")[judged.metric]
            stale += 1
            if value > best:
                best, test, stale = value, judged.scores("test")[judged.metric], 0
            if stale >= PATIENCE:
                break
    return test


def accuracies(file: str, ratios: tuple[float, ...], seeds: int, rows: Path) -> None:
    """Rows of one graph, written as they are found: graph, method, ratio, test metric of each seed."""
    from planner.inspect.machine import inspect_machine
    from planner.inspect.opened import profiled
    from techniques.facts import Facts
    from techniques.remote.source import open_graph
    from techniques.remote.source.folder import FolderGraph, spill

    with tempfile.TemporaryDirectory() as place:
        folder = str(Path(place) / Path(file).stem)
        spill(open_graph(file), folder)
        facts = Facts(graph=profiled(FolderGraph(folder), None, folder, False), hardware=inspect_machine())

        def row(method: str, ratio: float, **settings: Any) -> None:
            name = f"{Path(file).stem} {method} {ratio} "
            if rows.is_file() and any(line.startswith(name) for line in rows.read_text("utf-8").splitlines()):
                return
            found = [accuracy(folder, facts, method, ratio, seed, settings) for seed in range(seeds)]
            with rows.open("a", encoding="utf-8") as out:
                print(name + " ".join(f"{one:.4f}" for one in found), file=out)

        row("full", 1.0)
        for ratio in ratios:
            row("heavy_edge", ratio)
            row("random", ratio)
        for levels in (1, 2, 3):
            row("graclus", levels, coarsen_levels=levels)


def table(rows: list[str]) -> str:
    """Accuracy over that of the full graph, mean and spread over seeds, graph by graph."""
    found: dict[tuple[str, str, float], list[float]] = {}
    for row in rows:
        graph, method, ratio, *values = row.split()
        found[graph, method, float(ratio)] = [float(one) for one in values]
    lines = []
    for name in dict.fromkeys(graph for graph, _, _ in found):
        full = found[name, "full", 1.0]
        lines.append(f"{name}: full graph {statistics.mean(full):.3f} +- {statistics.pstdev(full):.3f}")
        lines.append("| ratio | heavy_edge | of full | random joining | of full |\n| --- | --- | --- | --- | --- |")
        for graph, method, ratio in found:
            if graph != name or method not in ("heavy_edge", "graclus"):
                continue
            cells = []
            for one in (method, "random"):
                values = found.get((graph, one, ratio), []) if method == "heavy_edge" or one == method else []
                mean = statistics.mean(values) if values else 0.0
                spread = statistics.pstdev(values) if values else 0.0
                cells += [f"{mean:.3f} +- {spread:.3f}", f"{mean / statistics.mean(full):.1%}"] if values else ["", ""]
            label = f"{ratio:g}" if method == "heavy_edge" else f"graclus, {ratio:g} levels"
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def speed(edges: int, rounds: int) -> str:
    """Seconds and memory to coarsen a random graph of a million nodes by half, on one thread."""
    from techniques.coarsening.clusters import FineGraph
    from techniques.sampling.kernels import build_csc

    rng, nodes = np.random.default_rng(0), 1_000_000
    half = rng.integers(0, nodes, (2, edges // 2), dtype=np.int32)
    colptr, row, _ = build_csc(np.concatenate([half, half[::-1]], axis=1), nodes)
    del half
    graph = FineGraph(colptr, row, pos=rng.random((nodes, 2), dtype=np.float32))
    methods = {"graclus": rounds, "heavy_edge": rounds, "voxel_grid": 1, "metis": 1}
    return "\n".join(timed(graph, method, times) for method, times in methods.items())


def timed(graph: Any, method: str, rounds: int) -> str:
    """One method on one graph, after it has been compiled; memory is what the process grew by while it worked."""
    from techniques.coarsening.clusters import coarsen
    from techniques.coarsening.plan import CoarseningPlan

    plan = CoarseningPlan(method, ratio=0.5)
    coarsen(small(graph), plan)  # compiles
    before = resident_bytes()
    seconds, worked, grown = [], [], 0
    for _ in range(rounds):
        with peak_resident() as peak:
            start, used = time.perf_counter(), time.process_time()
            coarse = coarsen(graph, plan)
            seconds.append(time.perf_counter() - start)
            worked.append(time.process_time() - used)
        grown = max(grown, peak[0] - before)
    return (
        f"{method}: {graph.num_nodes:,} nodes and {graph.row.size:,} stored edges to {coarse.num_nodes:,} and "
        f"{coarse.row.size:,} in {statistics.median(seconds):.2f} s, {statistics.median(worked):.2f} s of one processor "
        f"(medians of {rounds}), {grown / 2**20:,.0f} MiB, {grown / (graph.row.nbytes + graph.colptr.nbytes):.1f} times "
        "the sorted edges"
    )


def small(graph: Any) -> Any:
    """The first thousand nodes and what joins them."""
    from techniques.coarsening.clusters import FineGraph
    from techniques.sampling.kernels import build_csc

    target = np.repeat(np.arange(1000, dtype=np.int32), np.diff(graph.colptr[:1001]))
    source = graph.row[: len(target)] % 1000
    colptr, row, _ = build_csc(np.stack([source, target]), 1000)
    return FineGraph(colptr, row, pos=graph.pos[:1000])


def resident_bytes() -> int:
    """Anonymous memory of this process."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(text.split("RssAnon:")[1].split()[0])


@contextlib.contextmanager
def peak_resident() -> Iterator[list[int]]:
    """Largest ``resident_bytes`` until the block ends, looked at every 5 ms by a thread."""
    peak, done = [resident_bytes()], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def sizes(files: list[str]) -> str:
    """Shares of nodes, edges and non-zeros that stay."""
    from techniques.coarsening.clusters import FineGraph, coarsen
    from techniques.coarsening.kernels import members_of, pooled_nonzeros
    from techniques.coarsening.plan import CoarseningPlan
    from techniques.sampling.kernels import build_csc

    plans = [CoarseningPlan("graclus", levels=levels) for levels in (1, 2, 3)]
    plans += [CoarseningPlan("heavy_edge", ratio=ratio) for ratio in (0.1, 0.3, 0.5, 0.7, 0.9)]
    lines = ["nodes/edges/non-zeros left: graclus at 1, 2, 3 levels; heavy_edge at 0.1, 0.3, 0.5, 0.7, 0.9"]
    for file in files:
        arrays = np.load(file)
        nodes = int(arrays["num_nodes"])
        colptr, row, _ = build_csc(arrays["edge_index"], nodes)
        cells = []
        for plan in plans:
            coarse = coarsen(FineGraph(colptr, row), plan)
            cell = f"{coarse.num_nodes / nodes:.2f}/{coarse.row.size / row.size:.2f}"
            if "x_indptr" in arrays:
                members = members_of(coarse.cluster, coarse.num_nodes)
                left = pooled_nonzeros(
                    arrays["x_indptr"], arrays["x_indices"], int(arrays["x_shape"][1]), *members
                ).sum()
                cell += f"/{left / len(arrays['x_indices']):.2f}"
            cells.append(cell)
        lines.append(f"{Path(file).stem}: {'  '.join(cells)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="where the .npz files are")
    parser.add_argument("--graphs", default=",".join(GRAPHS))
    parser.add_argument("--ratios", default=",".join(map(str, RATIOS)))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", help="file to append rows to, and to print the table of")
    parser.add_argument("--only-table", action="store_true", help="print the table of --rows again")
    parser.add_argument("--speed", action="store_true", help="time ten million edges instead")
    parser.add_argument("--sizes", action="store_true", help="show what stays instead")
    given = parser.parse_args()
    if given.speed:
        print(speed(10_000_000, rounds=3))
        return
    files = [str(Path(given.folder or ".") / f"{name}.npz") for name in given.graphs.split(",")]
    if given.sizes:
        print(sizes(files))
        return
    rows = Path(given.rows or "coarsening-rows.txt")
    if not given.only_table:
        for file in files:
            accuracies(file, tuple(float(one) for one in given.ratios.split(",")), given.seeds, rows)
    print(table(rows.read_text(encoding="utf-8").splitlines()))


if __name__ == "__main__":
    main()
