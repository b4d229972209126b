"""Batches of whole graphs: how evenly they cost, and how fast they are made, against PyG's.

    python tests/benchmarks/graph_batches.py tu_proteins.npz tu_nci1.npz tu_mutag.npz

For every set one epoch of plain batches and one of even cost with as many graphs a step: deviation and largest batch over
the mean, in nodes and in edges, beside the forecast of the plan. Then seconds per epoch of making batches, in turn,
medians: ours, and PyG's ``DataLoader`` over a list of ``Data``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from planner.graph_sets import even_spread, plain_spread
from planner.inspect.opened import open_and_profile
from techniques.facts import Facts, HardwareFacts, Origin
from techniques.remote.read_data import read_data
from techniques.sampling.loader import GraphLoader

ROUNDS = 5
NOWHERE = HardwareFacts(
    name="none",
    origin=Origin.TYPED,
    cores=1,
    memory_total_bytes=1,
    memory_available_bytes=1,
    memory_bandwidth_bytes_per_second=1.0,
    gemm_flops_per_second=1.0,
)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--batch-size", type=int, default=64)
    given = parser.parse_args()
    print(
        f"{'set':14} {'batches':8} {'steps':>5} {'nodes: sd':>9} {'most':>6} {'forecast':>8} {'edges: sd':>9} {'most':>6}"
    )
    for file in given.files:
        for row in spreads(file, given.batch_size):
            print(row)
    print(f"\n{'set':14} {'ours ms/epoch':>14} {'PyG ms/epoch':>14} {'times':>6}")
    for file in given.files:
        ours, theirs = seconds(file, given.batch_size)
        print(f"{Path(file).stem:14} {1e3 * ours:14.1f} {1e3 * theirs:14.1f} {theirs / ours:6.1f}")


def spreads(file: str, batch_size: int) -> list[str]:
    data = read_data(file, task="graph")
    facts = Facts(graph=open_and_profile(file, None, False)[0], hardware=NOWHERE)
    mean = data.num_nodes / (len(data.ptr) - 1)
    cost = round(batch_size * mean)
    torch.manual_seed(0)
    loaders = {
        "plain": (GraphLoader(data, batch_size=batch_size, shuffle=True), plain_spread(facts, batch_size)),
        "even": (GraphLoader(data, batch_cost=cost, shuffle=True), even_spread(facts, cost)),
    }
    rows = []
    for name, (loader, forecast) in loaders.items():
        sizes = np.array([(one.num_nodes, one.num_edges) for _ in range(ROUNDS) for one in full(loader, batch_size)])
        (nodes_sd, edges_sd), (nodes_most, edges_most) = sizes.std(0) / sizes.mean(0), sizes.max(0) / sizes.mean(0)
        rows.append(
            f"{Path(file).stem:14} {name:8} {len(loader):5} {nodes_sd:9.1%} {nodes_most:6.2f} {forecast:8.1%} "
            f"{edges_sd:9.1%} {edges_most:6.2f}"
        )
    return rows


def full(loader: GraphLoader, batch_size: int) -> list[Any]:
    """Batches of one epoch, without what is left at the end of a plain one."""
    return [one for one in loader if loader.batch_size is None or one.num_graphs == batch_size]


def seconds(file: str, batch_size: int) -> tuple[float, float]:
    data = read_data(file, task="graph")
    loaders = (
        GraphLoader(data, batch_size=batch_size, shuffle=True),
        DataLoader(one_by_one(data), batch_size=batch_size, shuffle=True),
    )
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for loader, found in zip(loaders, spent, strict=True):
            started = time.perf_counter()
            for _batch in loader:
                pass
            found.append(time.perf_counter() - started)
    return statistics.median(spent[0]), statistics.median(spent[1])


def one_by_one(data: Data) -> list[Data]:
    """The set as a list of ``Data``."""
    graph = torch.bucketize(data.edge_index[1], data.ptr, right=True) - 1
    order = torch.argsort(graph, stable=True)
    counts = torch.bincount(graph, minlength=len(data.ptr) - 1).tolist()
    edges = data.edge_index[:, order].split(counts, dim=1)
    rows = data.x.split(data.ptr.diff().tolist())
    return [
        Data(x=x, edge_index=edge_index - first, y=y.view(1))
        for x, edge_index, first, y in zip(rows, edges, data.ptr[:-1], data.y, strict=True)
    ]


if __name__ == "__main__":
    main()
