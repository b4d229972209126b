"""Speed of the neighbour-sampling kernel: nanoseconds per sampled edge, beside one random gather on the same array.

    python tests/benchmarks/sampling.py [--nodes 800000] [--edges 40000000] [--batches 40]

A made-up graph with hubs; "gather" is ``row[position]`` at random positions, the least that any sampler must do.
"""

from __future__ import annotations

import argparse
import threading
import time

import numpy as np

from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.kernels.machine_code import IntArray, kernel

FANOUTS = ([15, 10, 5], [10, 10], [25, 10])


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
    for _ in range(6):
        start = time.perf_counter()
        gather_all(row, position, out)
        times.append(time.perf_counter() - start)
    return min(times[1:]) / len(position) * 1e9


def run(sampler: NeighborKernel, seeds: IntArray, fanouts: list[int], coo: bool) -> int:
    """Sample every batch; with ``coo`` also all that PyG asks for: edge positions and targets."""
    edges = 0
    for number, batch in enumerate(seeds):
        hops = sampler.sample(batch, fanouts, number, with_edge=coo)
        if coo:
            hops.col_target()
        edges += len(hops.col_source)
    return edges


def measure(sampler: NeighborKernel, seeds: IntArray, fanouts: list[int], coo: bool) -> float:
    run(sampler, seeds[:3], fanouts, coo)
    start = time.perf_counter()
    edges = run(sampler, seeds, fanouts, coo)
    return (time.perf_counter() - start) / edges * 1e9


def two_threads_over_one(sampler: NeighborKernel, seeds: IntArray, fanouts: list[int]) -> float:
    start = time.perf_counter()
    run(sampler, seeds, fanouts, True)
    one = time.perf_counter() - start
    threads = [threading.Thread(target=run, args=(sampler, half, fanouts, True)) for half in np.array_split(seeds, 2)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return one / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=800_000)
    parser.add_argument("--edges", type=int, default=40_000_000)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=40)
    options = parser.parse_args()

    edge_index = hub_graph(options.nodes, options.edges)
    build_csc(edge_index[:, :10], options.nodes)
    start = time.perf_counter()
    colptr, row, _ = build_csc(edge_index, options.nodes)
    print(f"build_csc: {time.perf_counter() - start:.2f} s for {options.edges:,} edges")
    sampler = NeighborKernel(colptr, row, options.nodes)
    degree = np.diff(colptr)
    print(f"in-degree: median {np.median(degree):.0f}, mean {degree.mean():.0f}, largest {sampler.max_degree:,}")
    gather = nanoseconds_of_a_gather(row)
    print(f"one random gather: {gather:.2f} ns; scratch {sampler.scratch_bytes / 2**20:.1f} MiB a thread\n")

    seeds = np.random.default_rng(2).permutation(options.nodes)[: options.batches * options.batch_size]
    seeds = seeds.reshape(options.batches, options.batch_size)
    print(f"{'fanouts':>14} {'CSR ns/edge':>12} {'COO ns/edge':>12} {'CSR/gather':>11} {'2 threads':>10}")
    for fanouts in FANOUTS:
        csr, coo = (measure(sampler, seeds, fanouts, flag) for flag in (False, True))
        speedup = two_threads_over_one(sampler, seeds, fanouts)
        print(f"{fanouts!s:>14} {csr:12.2f} {coo:12.2f} {csr / gather:11.2f} {speedup:9.2f}x")


if __name__ == "__main__":
    main()
