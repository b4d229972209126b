"""How long does ``plan`` take after the imports: from counts, and with graphs at hand?

python tests/benchmarks/planning.py GRAPH|DIR...

Every plan is made three times and the last two are printed as their median: the first loads compiled kernels, and generates
a ``like:`` graph that has not been made before. Processor seconds stand beside those of the clock.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner import from_counts, plan
from planner.render import table

RUNS = 3
HEADER = ["graph", "stored edges", "candidates", "plan s", "processor s", "inspect s", "propose and forecast s"]


def main() -> None:
    """One row per graph; the first is one of counts alone."""
    counts = from_counts(2_400_000, 61_900_000, 100, 47, directed=False)
    rows = [timed("counts of ogbn-products", counts, on="colab-t4")]
    rows += [timed(Path(name).stem if Path(name).exists() else name, name) for name in graphs(sys.argv[1:])]
    print("\n".join(table(HEADER, rows)))


def graphs(arguments: list[str]) -> Iterator[str]:
    """Graphs as they are named; those of a folder one by one."""
    for one in arguments:
        found = sorted(Path(one).glob("*.npz")) if Path(one).is_dir() else []
        yield from map(str, found) if found else [one]


def timed(name: str, graph: Any, on: str | None = None) -> list[str]:
    """Medians of all runs but the first."""
    found = []
    for _ in range(RUNS):
        wall, processor = time.perf_counter(), time.process_time()
        made = plan(graph, on=on)
        spent = (time.perf_counter() - wall, time.process_time() - processor)
        found.append((*spent, made.inspect_seconds, made.planning_seconds))
    seconds = [f"{statistics.median(column):.3f}" for column in zip(*found[1:], strict=True)]
    return [name, f"{made.facts.graph.num_edges:,}", str(len(made.candidates) + len(made.rejected)), *seconds]


if __name__ == "__main__":
    main()
