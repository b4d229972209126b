"""How long does a plan from counts take, against importing pydantic alone? Ten runs of each, in turn.

python tests/benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

IMPORT = [sys.executable, "-c", "from pydantic import BaseModel"]
PLAN = [sys.executable, "-c", "import sys; from tuner.cli import main; sys.exit(main(sys.argv[1:]))", "plan"]
COUNTS = ["--nodes", "2.4M", "--edges", "61.9M", "--features", "100", "--classes", "47", "--on", "colab-t4", "--json"]
RUNS = 10


def seconds(command: list[str]) -> float:
    """Wall clock of one process."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and the median ratio."""
    pairs = [(seconds(IMPORT), seconds(PLAN + COUNTS)) for _ in range(RUNS + 1)][1:]
    ratio = statistics.median(plan / base for base, plan in pairs)
    base, plan = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import pydantic {base * 1e3:.0f} ms, plan from counts {plan * 1e3:.0f} ms, median ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
