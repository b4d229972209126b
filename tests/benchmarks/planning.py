"""How long does ``plan`` take on each graph of a folder, after the imports?

python tests/benchmarks/planning.py DIR
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from planner import plan
from planner.render import table


def main() -> None:
    """One row per graph; the first graph is planned twice so that compiled kernels are loaded."""
    graphs = sorted(Path(sys.argv[1]).glob("*.npz"))
    plan(str(graphs[0]))
    rows = []
    for graph in graphs:
        start = time.perf_counter()
        made = plan(str(graph))
        seconds = time.perf_counter() - start
        best = made.best.name if made.best else "-"
        rows.append([graph.stem, f"{seconds:.3f}", f"{made.inspect_seconds:.3f}", f"{made.planning_seconds:.3f}", best])
    rows.sort(key=lambda row: -float(row[1]))
    print("\n".join(table(["graph", "plan s", "inspect s", "propose and forecast s", "best"], rows)))


if __name__ == "__main__":
    main()
