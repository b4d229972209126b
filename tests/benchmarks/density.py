"""Epochs of full-batch GCN with a dense against a sparse (CSR) adjacency, in turn, by nodes and density.

    python tests/benchmarks/density.py [--nodes 200,500,1000,2000,5000] [--hidden 64,128] [--repeats 7]

One thread, in seconds of the processor, which other programs disturb less than those of the clock: whatever the number
of cores, both products gain by them alike. Prints the median seconds of an epoch, the measured break-even density (by interpolation between the logarithms of the
densities around it) and that of the cost model, with the rates of this machine as they are measured at the start.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from planner.inspect.machine import inspect_machine
from planner.rules import break_even
from techniques.assembly import build
from techniques.facts import HardwareFacts, ModelFacts
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from tuner.training import train_epoch

DENSITIES = (0.001, 0.01, 0.03, 0.1, 0.2, 0.4, 0.9)
FEATURES, CLASSES = 16, 4
MOST_SECONDS = 1.5
"""For one pair of settings: after it, three repetitions must do."""


def random_graph(nodes: int, density: float) -> ArrayGraph:
    """An undirected graph whose pairs are linked at random."""
    rng = np.random.default_rng(0)
    source, target = np.nonzero(np.triu(rng.random((nodes, nodes), dtype=np.float32) < density, 1))
    edges = np.concatenate([np.stack([source, target]), np.stack([target, source])], axis=1).astype(np.int32)
    x = rng.normal(size=(nodes, FEATURES)).astype(np.float32)
    y = rng.integers(0, CLASSES, nodes)
    return ArrayGraph("random", {"num_nodes": np.array(nodes), "edge_index": edges, "x": x, "y": y})


def measured_rates() -> HardwareFacts:
    """This machine with measured rates: products of a square matrix and a narrow one, and a copy out of cache."""
    machine = inspect_machine()
    torch.set_num_threads(1)
    matrix, rows = torch.rand(2000, 2000), torch.rand(2000, 128)
    seconds = timed(lambda: matrix @ rows, 15)
    big, other = torch.rand(2**24), torch.empty(2**24)
    copying = timed(lambda: other.copy_(big), 9)
    found = {
        "gemm_flops_per_second": 2 * 2000 * 2000 * 128 / seconds,
        "memory_bandwidth_bytes_per_second": 4 * 2**24 / copying,
        "cores": 1,
    }
    return machine.model_copy(update=found)


def timed(work: Callable[[], Any], repeats: int) -> float:
    """Median seconds after one call to warm up."""
    work()
    return statistics.median(clock(work) for _ in range(repeats))


def clock(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def job_of(graph: ArrayGraph, found: Any, folder: Path) -> Job:
    return build(Job(spec=found.best.spec, facts=found.facts, stored=graph, scratch=folder))


def epochs(graph: ArrayGraph, hidden: int, machine: HardwareFacts, repeats: int) -> tuple[dict[str, float], Any]:
    """Median seconds of an epoch by representation, run in turn, and the facts."""
    seconds: dict[str, list[float]] = {"dense": [], "csr": []}
    with tempfile.TemporaryDirectory() as folder:
        fixed = {"sampling": "full_batch", "architecture": "gcn", "hardware": "cpu"}
        jobs, facts = {}, None
        for name in seconds:
            found = plan_for(graph, machine, {**fixed, "representation": name}, hidden)
            jobs[name], facts = job_of(graph, found, Path(folder)), found.facts
            train_epoch(jobs[name])
        start = time.perf_counter()
        for repeat in range(repeats):
            for name, job in jobs.items():
                seconds[name].append(clock(lambda job=job: train_epoch(job)))  # type: ignore[misc]
            if repeat >= 2 and time.perf_counter() - start > MOST_SECONDS:
                break
    return {name: statistics.median(values) for name, values in seconds.items()}, facts


def plan_for(graph: ArrayGraph, machine: HardwareFacts, fixed: dict[str, str], hidden: int) -> Any:
    from planner.api import make_plan, pins_of
    from planner.inspect.graph import profile
    from techniques.facts import Facts

    facts = Facts(graph=profile(graph), hardware=machine, model=ModelFacts(hidden=hidden))
    return make_plan(facts, pins_of(fixed, {"hidden": hidden, "layers": 2}))


def crossing(ratios: list[tuple[float, float]]) -> float | None:
    """Density at which sparse over dense seconds cross 1 for good."""
    for (low, before), (high, after) in reversed(list(pairwise(ratios))):
        if before < 1 <= after:
            share = math.log(1 / before) / math.log(after / before)
            return math.exp(math.log(low) + share * math.log(high / low))
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="200,500,1000,2000,5000")
    parser.add_argument("--hidden", default="64,128")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    machine = measured_rates()
    flops, moved = machine.gemm_flops_per_second / 1e9, machine.memory_bandwidth_bytes_per_second / 1e9
    print(f"one core: {flops:.0f} GFLOP/s in products, {moved:.1f} GB/s of memory in one direction")
    densities = "".join(f"{density:>14.1%}" for density in DENSITIES)
    print(f"{'nodes':>6} {'hidden':>6} {densities}   break-even  model   (dense ms / csr ms)")
    for nodes in map(int, options.nodes.split(",")):
        graphs = {density: random_graph(nodes, density) for density in DENSITIES}
        for hidden in map(int, options.hidden.split(",")):
            cells, ratios, model = [], [], 0.0
            for density, graph in graphs.items():
                if nodes >= 5000 and density > 0.5:
                    continue  # as clear as at 0.4, and four times the memory
                seconds, facts = epochs(graph, hidden, machine, options.repeats)
                model = break_even(facts)
                cells.append(f"{1e3 * seconds['dense']:6.1f} /{1e3 * seconds['csr']:6.1f}")
                ratios.append((density, seconds["csr"] / seconds["dense"]))
            found = crossing(ratios)
            shown = "-" if found is None else f"{found:.1%}"
            print(
                f"{nodes:6d} {hidden:6d} {''.join(f'{cell:>14}' for cell in cells)} {shown:>12} {model:>6.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
