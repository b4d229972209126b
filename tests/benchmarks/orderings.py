"""Where an order of the nodes pays: seconds of a training epoch under several orders, and what finding them takes.

    python tests/benchmarks/orderings.py GRAPH... [--hidden 128] [--rounds 9] [--kinds csr coo neighbor]

GRAPH is a file, a ``like:NAME@SCALE`` (these have communities, and ids that are shuffled), or one of two made here with
shuffled ids: ``grid:NODES`` (a square grid as of roads, degree 4) and ``blocks:NODES:DEGREE`` (equal communities of 1,000
nodes, ten times as many edges inside as between them).

Every order is applied to the same graph, and every round trains one epoch under each, one after the other, so that what
else runs on the machine slows all of them alike. Seconds are medians over rounds; ``ratio`` is the median of the rounds'
ratios to the order as given, by wall clock and by the processor time of the process. ``pays`` is after how many epochs
what finding the order took is back.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from planner.inspect.graph import profile
from planner.inspect.machine import inspect_machine
from planner.inspect.opened import open_any
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.assembly import build
from techniques.base import Slot
from techniques.facts import Facts
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.kernels import build_csc
from techniques.sampling.kernels.orders import community_order, degree_order, rcm_order
from techniques.sampling.partition import metis_parts

KINDS = {"csr": ("full_batch", "csr"), "coo": ("full_batch", "coo"), "neighbor": ("neighbor", "csr")}
NODE_KEYS = ("x", "y", "train_mask", "val_mask", "test_mask")
METIS_PART_NODES = 2000
COMMUNITY_NODES = 4000
Order = Any


def grid(nodes: int) -> dict[str, Any]:
    side = int(nodes**0.5)
    at = np.arange(side * side).reshape(side, side)
    pairs = [(at[:, :-1], at[:, 1:]), (at[:-1], at[1:])]
    edges = np.concatenate([np.stack([one.ravel(), other.ravel()]) for one, other in pairs], axis=1)
    return named(side * side, np.concatenate([edges, edges[::-1]], axis=1))


def blocks(nodes: int, degree: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    count = nodes * degree // 2
    source = rng.integers(0, nodes, count)
    near = source // 1000 * 1000 + rng.integers(0, 1000, count)
    target = np.where(rng.random(count) < 10 / 11, near, rng.integers(0, nodes, count)) % nodes
    edges = np.stack([source, target])[:, source != target]
    return named(nodes, np.concatenate([edges, edges[::-1]], axis=1))


def named(nodes: int, edges: Any) -> dict[str, Any]:
    """Features and labels beside edges, under shuffled ids."""
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(nodes).astype(np.int32)
    return {
        "num_nodes": np.array(nodes),
        "edge_index": shuffled[edges],
        "x": rng.standard_normal((nodes, 64), dtype=np.float32),
        "y": rng.integers(0, 8, nodes),
    }


def opened(text: str) -> dict[str, Any]:
    kind, *numbers = text.split(":")
    if kind == "grid":
        return grid(int(float(numbers[0])))
    if kind == "blocks":
        return blocks(int(float(numbers[0])), int(numbers[1]))
    stored = open_any(text)
    arrays: dict[str, Any] = {key: np.asarray(stored.read(key)) for key in stored.headers}
    if "x_data" in arrays:
        width = int(arrays["x_shape"][1])
        x = np.zeros((int(arrays["num_nodes"]), min(width, 256)), np.float32)
        node = np.repeat(np.arange(len(x)), np.diff(arrays["x_indptr"]))
        kept = arrays["x_indices"] < int(x.shape[1])
        x[node[kept], arrays["x_indices"][kept]] = arrays["x_data"][kept]
        arrays["x"] = x
    return {key: arrays[key] for key in ("num_nodes", "edge_index", *NODE_KEYS) if key in arrays}


def in_order(arrays: dict[str, Any], order: Order) -> dict[str, Any]:
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    moved = {key: value[order] for key, value in arrays.items() if key in NODE_KEYS}
    return {**arrays, **moved, "edge_index": rank[arrays["edge_index"]]}


def orders(wanted: list[str]) -> dict[str, Callable[[Any, Any], Order]]:
    def metis(colptr: Any, row: Any) -> Order:
        parts = metis_parts(colptr, row, max(2, (len(colptr) - 1) // METIS_PART_NODES))
        return np.argsort(parts, kind="stable")

    known: dict[str, Callable[[Any, Any], Order]] = {
        "as_given": lambda colptr, row: np.arange(len(colptr) - 1),
        "random": lambda colptr, row: np.random.default_rng(2).permutation(len(colptr) - 1),
        "rcm": lambda colptr, row: rcm_order(colptr, row, True),
        "community": lambda colptr, row: community_order(colptr, row, True, COMMUNITY_NODES),
        "metis": metis,
        "degree": lambda colptr, row: degree_order(colptr),
    }
    return {name: known[name] for name in known if name in wanted}


def job_of(arrays: dict[str, Any], kind: str, hidden: int, scratch: Path) -> Job:
    stored = ArrayGraph("graph", arrays)
    facts = Facts(graph=profile(stored), hardware=inspect_machine())
    sampling, representation = KINDS[kind]
    slots = {Slot.SAMPLING: sampling, Slot.REPRESENTATION: representation, Slot.ARCHITECTURE: "sage"}
    spec = make_spec(facts, Pins({**slots, Slot.HARDWARE: "cpu"}, {"layers": 2, "hidden": hidden}), {})
    return build(Job(spec=spec, facts=facts, stored=stored, scratch=scratch))


def measured(jobs: dict[str, Job], rounds: int) -> dict[str, tuple[float, float, float]]:
    """Seconds, and ratios by wall clock and processor time, of every order."""
    from tuner.training import train_epoch

    wall: dict[str, list[float]] = {name: [] for name in jobs}
    busy: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            start, start_busy = time.perf_counter(), time.process_time()
            train_epoch(job)
            if number:
                wall[name].append(time.perf_counter() - start)
                busy[name].append(time.process_time() - start_busy)

    def ratio(times: dict[str, list[float]], name: str) -> float:
        return median(one / base for one, base in zip(times[name], times["as_given"], strict=True))

    return {name: (median(wall[name]), ratio(wall, name), ratio(busy, name)) for name in jobs}


def mean_gap(arrays: dict[str, Any]) -> float:
    edges = arrays["edge_index"]
    return float(np.abs(edges[0].astype(np.int64) - edges[1]).mean()) / int(arrays["num_nodes"])


def near(arrays: dict[str, Any], rows: int) -> float:
    edges = arrays["edge_index"]
    return float((np.abs(edges[0].astype(np.int64) - edges[1]) < rows).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="+")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--orders", nargs="*", default=["as_given", "random", "rcm", "community", "metis", "degree"])
    options = parser.parse_args()
    for text in options.graphs:
        arrays = opened(text)
        nodes, entries = int(arrays["num_nodes"]), arrays["edge_index"].shape[1]
        print(f"\n{text}: {nodes:,} nodes, {entries:,} entries, hidden {options.hidden}")
        colptr, row, _ = build_csc(arrays["edge_index"], nodes)
        rows = 2**20 // (4 * options.hidden)
        took, given = {}, {}
        for name, find in orders(options.orders).items():
            find(np.array([0, 1, 2]), np.array([1, 0], np.int32))  # compiles
            start = time.perf_counter()
            order = find(colptr, row)
            took[name] = time.perf_counter() - start
            given[name] = in_order(arrays, order)
        for kind in options.kinds:
            with tempfile.TemporaryDirectory() as folder:
                jobs = {name: job_of(one, kind, options.hidden, Path(folder)) for name, one in given.items()}
                found = measured(jobs, options.rounds)
            print(
                f"{kind:10}{'order s':>10}{'mean gap':>10}{'near':>8}{'epoch s':>10}{'ratio':>8}{'cpu':>8}{'pays':>8}"
            )
            for name, (seconds, wall, busy) in found.items():
                saved = found["as_given"][0] * (1 - wall)
                pays = f"{took[name] / saved:8.0f}" if saved > 0 and name != "as_given" and wall < 0.98 else f"{'-':>8}"
                gap, share = mean_gap(given[name]), near(given[name], rows)
                print(
                    f"{name:10}{took[name]:10.2f}{gap:10.3f}{share:8.2f}{seconds:10.4f}{wall:8.2f}{busy:8.2f}{pays}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
