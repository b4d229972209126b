"""Forecast against measured memory, time and FLOPs, over a stated grid of real and generated graphs.

    python tests/benchmarks/accuracy.py DIR... --out accuracy.csv

Every candidate of the grid (``accuracy_grid.py``) is trained in a fresh child process, under the limits and allocator
settings of every run, and compared with three forecasts: from counts alone (level 1), from the graph at hand (level 2),
and calibrated to this machine (level 3). Its row is written as soon as it is measured; rows that are there already are not
measured again, their forecasts are made afresh. So the grid can be measured in shares (``--graphs``, ``--samplers``,
``--limit``); ``--limit 0`` judges today's forecasts by yesterday's measurements. What is left out has a row with its reason.

``--rounds 3`` measures a candidate again, up to so many times in turn, until two epoch times differ by less than a tenth; the medians
count. On a virtual machine one measurement is chance: two of 12 % to 22 % apart are common.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from accuracy_grid import LIKE_GRAPHS
from accuracy_report import report
from accuracy_rows import Rows

GIB = 2**30


def folder(text: str) -> Path:
    """A folder that exists."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"must be a folder of .npz graphs, {text} is none")
    return Path(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=folder, metavar="DIR", help="folders of .npz graphs")
    parser.add_argument("--out", type=Path, default=Path("accuracy.csv"), help="rows, written one by one")
    parser.add_argument("--like", nargs="*", default=list(LIKE_GRAPHS), metavar="NAME@SCALE", help="generated graphs")
    parser.add_argument("--graphs", nargs="*", default=[], metavar="NAME", help="only these of them")
    parser.add_argument("--samplers", nargs="*", default=[], help="only these samplers")
    parser.add_argument("--limit", type=int, help="measure at most so many candidates")
    parser.add_argument("--rounds", type=int, default=1, help="measurements of a candidate, until two agree")
    parser.add_argument("--seconds", type=float, default=8.0, help="training time per candidate, at least one step")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB that a candidate may take")
    options = parser.parse_args()
    started = time.perf_counter()
    memory_bytes = int(options.memory * GIB)
    rows = Rows(options.out, options.limit, options.seconds, memory_bytes, options.samplers, options.rounds)
    asked = rows.measure(options.folders, options.like, options.graphs)
    print(report(asked))
    print(f"\n{time.perf_counter() - started:.0f} s; rows in {options.out}")


if __name__ == "__main__":
    main()
