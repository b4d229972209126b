"""Speed of the neighbour-sampling kernel: nanoseconds per sampled edge, beside pyg-lib's sampler and a random gather.

    python tests/benchmarks/sampling.py [--nodes 800000] [--edges 40000000] [--batches 40] [--rounds 9]

A made-up graph with hubs, and the same batches of seeds for everyone, one thread each. Every round times every contender
once, one after the other, so that whatever else runs on the machine slows all of them alike; the figures are medians
over rounds, and a ratio is the median of the rounds' ratios. Malloc is warm here: in a young process it hands memory
back to the system after every large batch, and the page faults of the next one can double the time of three hops.

* ``full``: what PyG asks a sampler for: int64 local ids of both ends of each edge, and each edge's position.
* ``full64``: the same on a CSC with int64 row, which pyg-lib needs (ours takes int32, the default here, or int64).
* ``CSR``: without positions and targets: what the kernel gives by itself.
* ``pyg-lib``: ``torch.ops.pyg.neighbor_sample`` where pyg-lib is installed; ``-eid``: without edge positions.
* ``gather``: ``row[position]`` at random positions, the least that any sampler must do.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np

from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.kernels.machine_code import IntArray, kernel

FANOUTS = ([15, 10, 5], [10, 10], [25, 10])
COLUMNS = ("full", "full64", "CSR", "pyg-lib", "pyg-lib -eid")
WARM_UP_BATCHES = 3

Sample = Callable[[IntArray, list[int], int], int]
"""Samples around some seeds, hop by hop, with a random seed; returns how many edges that gave."""


def hub_graph(num_nodes: int, num_edges: int) -> IntArray:
    """Edges whose ends both follow a power law, under shuffled ids."""
    rng = np.random.default_rng(0)
    shuffle = rng.permutation(num_nodes).astype(np.int32)
    edges = np.empty((2, num_edges), np.int32)
    for side in edges:
        side[:] = shuffle[(num_nodes * rng.random(num_edges, np.float32) ** 2).astype(np.int64) % num_nodes]
    return edges


@kernel
def gather_all(row: IntArray, position: IntArray, out: IntArray) -> None:
    for i in range(len(position)):
        out[i] = row[np.uint64(position[i])]


def nanoseconds_of_a_gather(row: IntArray) -> float:
    position = np.random.default_rng(1).integers(0, len(row), 2_000_000)
    out = np.empty(len(position), row.dtype)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        gather_all(row, position, out)
        times.append(time.perf_counter() - start)
    return median(times[1:]) / len(position) * 1e9


def ours(sampler: NeighborKernel, full: bool) -> Sample:
    def sample(seeds: IntArray, fanouts: list[int], number: int) -> int:
        hops = sampler.sample(seeds, fanouts, number, with_edge=full)
        if full:
            hops.col_target()
        return len(hops.col_source)

    return sample


def pyg_lib_samplers(colptr: IntArray, row: IntArray) -> dict[str, Sample]:
    """With and without edge positions; none where pyg-lib is not installed."""
    try:
        import pyg_lib  # type: ignore[import-not-found]  # noqa: F401
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    csc = torch.from_numpy(colptr), torch.from_numpy(row)

    def sampler(with_edge: bool) -> Sample:
        options = {"csc": True, "replace": False, "directed": True, "disjoint": False, "return_edge_id": with_edge}

        def sample(seeds: IntArray, fanouts: list[int], number: int) -> int:
            out = torch.ops.pyg.neighbor_sample(*csc, torch.from_numpy(seeds), fanouts, **options)
            return int(out[0].numel())

        return sample

    return {"pyg-lib": sampler(True), "pyg-lib -eid": sampler(False)}


def nanoseconds_per_edge(sample: Sample, batches: IntArray, fanouts: list[int]) -> float:
    start = time.perf_counter()
    edges = sum(sample(seeds, fanouts, number) for number, seeds in enumerate(batches))
    return (time.perf_counter() - start) / edges * 1e9


def in_turn(samplers: dict[str, Sample], batches: IntArray, fanouts: list[int], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds per edge of every contender in every round."""
    for sample in samplers.values():
        nanoseconds_per_edge(sample, batches[:WARM_UP_BATCHES], fanouts)
    times: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sample in samplers.items():
            times[name].append(nanoseconds_per_edge(sample, batches, fanouts))
    return times


def two_threads_over_one(sample: Sample, batches: IntArray, fanouts: list[int], rounds: int) -> float:
    """How many times as fast two threads make the same batches, once both have their scratch: fastest over fastest
    round, for a second thread gains nothing while another process has its core."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds + 1):
            for count, times in seconds.items():
                times.append(_seconds_in(pool, sample, np.array_split(batches, count), fanouts))
    return min(seconds[1][1:]) / min(seconds[2][1:])


def _seconds_in(pool: ThreadPoolExecutor, sample: Sample, shares: list[IntArray], fanouts: list[int]) -> float:
    start = time.perf_counter()
    list(pool.map(lambda share: nanoseconds_per_edge(sample, share, fanouts), shares))
    return time.perf_counter() - start


def ratio(slow: list[float], fast: list[float]) -> float:
    return median(a / b for a, b in zip(slow, fast, strict=True))


def row_of_figures(
    samplers: dict[str, Sample], batches: IntArray, fanouts: list[int], rounds: int, gather: float
) -> str:
    times = in_turn(samplers, batches, fanouts, rounds)
    cells = [f"{median(times[name]):.2f}" if name in times else "not installed" for name in COLUMNS]
    over = [f"{ratio(times['pyg-lib'], times[name]):.2f}x" if "pyg-lib" in times else "-" for name in COLUMNS[:3]]
    threads = two_threads_over_one(samplers["full"], batches, fanouts, rounds)
    cells += [*over, f"{median(times['full']) / gather:.2f}", f"{threads:.2f}x"]
    return f"{fanouts!s:>12}" + "".join(f"{cell:>14}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=800_000)
    parser.add_argument("--edges", type=int, default=40_000_000)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    edge_index = hub_graph(options.nodes, options.edges)
    build_csc(edge_index[:, :10], options.nodes)
    start = time.perf_counter()
    colptr, row, _ = build_csc(edge_index, options.nodes)
    print(f"build_csc: {time.perf_counter() - start:.2f} s for {options.edges:,} edges")
    del edge_index
    sampler = NeighborKernel(colptr, row, options.nodes)
    row64 = row.astype(np.int64)
    degree = np.diff(colptr)
    print(f"in-degree: median {np.median(degree):.0f}, mean {degree.mean():.0f}, largest {sampler.max_degree:,}")
    gather = nanoseconds_of_a_gather(row)
    print(f"one random gather: {gather:.2f} ns; scratch {sampler.scratch_bytes / 2**20:.1f} MiB a thread\n")

    samplers = {
        "full": ours(sampler, True),
        "full64": ours(NeighborKernel(colptr, row64, options.nodes), True),
        "CSR": ours(sampler, False),
        **pyg_lib_samplers(colptr, row64),
    }
    seeds = np.random.default_rng(2).permutation(options.nodes)[: options.batches * options.batch_size]
    batches = seeds.reshape(options.batches, options.batch_size)
    names = [*COLUMNS, "pyg/full", "pyg/full64", "pyg/CSR", "full/gather", "2 threads"]
    print(f"load average {os.getloadavg()[0]:.2f}")
    print(f"{'ns per edge':>12}" + "".join(f"{name:>14}" for name in names))
    for fanouts in FANOUTS:
        print(row_of_figures(samplers, batches, fanouts, options.rounds, gather))


if __name__ == "__main__":
    main()
