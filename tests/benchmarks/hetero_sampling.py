"""Seconds per sampled edge: the typed kernel against the homogeneous one, in turn, on graphs of as many nodes and edges.

python tests/benchmarks/hetero_sampling.py [NODES] [EDGES]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from techniques.sampling.kernels import NeighborKernel, build_csc
from techniques.sampling.kernels.hetero_neighbor import HeteroNeighborKernel, TypedEdges

FANOUTS = (15, 10)
BATCH, ROUNDS, BATCHES = 1024, 9, 10
TYPES = {"paper": 0.5, "author": 0.4, "topic": 0.1}
RELATIONS = (("paper", "paper", 0.4), ("author", "paper", 0.3), ("topic", "paper", 0.2), ("author", "author", 0.1))


def columns(rng: Any, sources: int, targets: int, edges: int) -> tuple[Any, Any]:
    pairs = np.stack([rng.integers(0, sources, edges), rng.integers(0, targets, edges)]).astype(np.int32)
    colptr, row, _ = build_csc(pairs, max(sources, targets))
    return colptr[: targets + 1].copy(), row


def typed(nodes: int, edges: int) -> Callable[[int], int]:
    rng = np.random.default_rng(0)
    sizes = {name: int(share * nodes) for name, share in TYPES.items()}
    place = {name: number for number, name in enumerate(sizes)}
    parts = [
        TypedEdges(place[source], place[target], *columns(rng, sizes[source], sizes[target], int(share * edges)))
        for source, target, share in RELATIONS
    ]
    kernel = HeteroNeighborKernel(list(sizes.values()), parts)
    fanouts = [[fanout] * len(parts) for fanout in FANOUTS]

    def sample(seed: int) -> int:
        seeds = np.random.default_rng(seed).integers(0, sizes["paper"], BATCH)
        return sum(map(sum, kernel.sample({0: seeds}, fanouts, seed).num_sampled_edges))

    return sample


def plain(nodes: int, edges: int, fanouts: tuple[int, ...]) -> Callable[[int], int]:
    kernel = NeighborKernel(*columns(np.random.default_rng(0), nodes, nodes, edges), nodes)

    def sample(seed: int) -> int:
        seeds = np.random.default_rng(seed).integers(0, nodes, BATCH)
        return sum(kernel.sample(seeds, fanouts, seed).num_sampled_edges)

    return sample


def seconds_per_edge(sample: Callable[[int], int], first: int) -> float:
    started = time.thread_time()
    edges = sum(sample(first + index) for index in range(BATCHES))
    return (time.thread_time() - started) / edges


def main() -> None:
    nodes, edges = (int(float(text)) for text in (sys.argv[1:] + ["500000", "10000000"][len(sys.argv) - 1 :])[:2])
    # As many edges a batch: a paper has three in-relations, an author one, a topic none.
    kernels = {"one type": plain(nodes, edges, (40, 13)), "four edge types": typed(nodes, edges)}
    for sample in kernels.values():
        sample(0)
    found: dict[str, list[float]] = {name: [] for name in kernels}
    for turn in range(ROUNDS):
        for name, sample in kernels.items():
            found[name].append(seconds_per_edge(sample, 1000 * turn))
    for name, sample in kernels.items():
        print(f"{name:16} {sample(1):>9,} edges a batch  {statistics.median(found[name]) * 1e9:6.1f} ns an edge")
    ratios = [typed / plain for plain, typed in zip(*found.values(), strict=True)]
    print(f"ratio            {statistics.median(ratios):.2f} (median of {ROUNDS} turns)")


if __name__ == "__main__":
    main()
