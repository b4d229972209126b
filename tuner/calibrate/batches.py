"""Making batches: every kernel on a graph that caches hold and on one that they do not, through the loaders of a run."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from planner.inspect.opened import profiled
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.assembly import build, compose, forecast
from techniques.base import Slot
from techniques.facts import SOURCE_BYTES, Facts, HardwareFacts, Task
from techniques.hardware.calibration import Calibration, SamplerRate
from techniques.hardware.grid import Grid
from techniques.hardware.overlap import share_from
from techniques.job import Job, JobSpec
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.batches import SampledBatches
from techniques.sampling.kernels.csr_rows import gather_dense_rows
from tuner.calibrate.timing import average_seconds_of, seconds_of
from tuner.training import train_epoch

GRAPHS = ((5_000, 20), (200_000, 20))
"""Nodes, and edges to each."""
TINY = (60, 4)
"""Its batches take what any batch takes."""
SETTINGS: dict[str, dict[str, Any]] = {
    "neighbor": {"batch_size": 512, "fanouts": (10, 5)},
    "shadow_k_hop": {"batch_size": 128},
    "random_node": {"num_parts": 20},
    "graph_saint": {},
}
KERNELS = {"neighbor": "neighbor", "shadow_k_hop": "shadow", "random_node": "subgraph", "graph_saint": "saint"}
BATCHES = 6
SAMPLED, SAMPLED_COLUMNS = (12_000, 20), 64
SAMPLED_SETTINGS: dict[str, Any] = {"batch_size": 1024, "fanouts": (10, 5), "hidden": 64}
"""Epochs of a dozen steps whose batches are made ahead."""
TURNS, MOST_SHARE = 4, 2.0
FEATURE_BYTES, ROW_BYTES = (2**20, 2**24, 2**28), (16, 256, 2048)


def measure_batches(hardware: HardwareFacts) -> dict[str, SamplerRate]:
    """Seconds per edge that is looked at, by kernel and representation."""
    stored = [graph_of(*size) for size in (TINY, *GRAPHS)]
    facts = [Facts(graph=profiled(one, Task.NODE, None, False), hardware=hardware) for one in stored]
    found: dict[str, SamplerRate] = {}
    for sampling, kernel in KERNELS.items():
        for representation in ("csr", "coo"):
            (fixed, _), *taken = (
                _batch(one, known, sampling, representation) for one, known in zip(stored, facts, strict=True)
            )
            rates = tuple(max((seconds - fixed) / edges, 1e-11) for seconds, edges in taken)
            sizes = tuple(float(SOURCE_BYTES * one.graph.num_edges) for one in facts[1:])
            grid = Grid(axes=(sizes,), values=rates)
            found[f"{kernel}/{representation}"] = SamplerRate(seconds_per_edge=grid, batch_seconds=fixed)
    return found


def measure_making_shares(found: Calibration, hardware: HardwareFacts) -> dict[str, float]:
    """By which share of making a batch a step is slowed, from whole epochs with all threads and their parts, by representation."""
    stored = graph_of(*SAMPLED, columns=SAMPLED_COLUMNS)
    known = hardware.model_copy(update={"calibration": found})
    facts = Facts(graph=profiled(stored, Task.NODE, None, False), hardware=known)
    return {kind: _making_share(stored, facts, kind) for kind in ("csr", "coo")}


def _making_share(stored: ArrayGraph, facts: Facts, representation: str) -> float:
    chosen = {Slot.SAMPLING: "neighbor", Slot.ARCHITECTURE: "sage", Slot.REPRESENTATION: representation}
    spec = make_spec(facts, Pins({**chosen, Slot.HARDWARE: "cpu"}, SAMPLED_SETTINGS), {})
    with tempfile.TemporaryDirectory() as scratch:
        job = build(Job(spec=spec, facts=facts, stored=stored, scratch=Path(scratch)))
        batches = list(job.moved_batches())
        making = seconds_of(lambda: [None for _ in job.moved_batches()], 0.0)
        at_hand = replace(job, batches=lambda: batches)
        shares = [_turn(job, at_hand, making, len(batches)) for _ in range(TURNS)]
    return min(max(statistics.median(shares), 0.0), MOST_SHARE)


def _turn(job: Job, at_hand: Job, making: float, steps: int) -> float:
    """An epoch whose batches are made beside it, and at once one whose batches are there."""
    taken, computing = (average_seconds_of(lambda: train_epoch(one), 1) for one in (job, at_hand))  # noqa: B023
    return share_from(taken, computing, making, steps)


def graph_of(nodes: int, degree: int, columns: int = 1) -> ArrayGraph:
    rng = np.random.default_rng(0)
    edges = np.stack([rng.integers(0, nodes, nodes * degree), np.repeat(np.arange(nodes), degree)])
    arrays: dict[str, Any] = {"num_nodes": np.array(nodes), "edge_index": edges.astype(np.int32)}
    arrays |= {"x": np.ones((nodes, columns), np.float32), "y": np.arange(nodes) % 2}
    return ArrayGraph("calibration", arrays)


def measure_epoch_start(hardware: HardwareFacts) -> float:
    """Seconds that a thread and a queue add to an epoch of one batch that is hardly more than its overhead."""
    stored = graph_of(*TINY)
    facts = Facts(graph=profiled(stored, Task.NODE, None, False), hardware=hardware)
    ahead, at_once = (_batch(stored, facts, "neighbor", "csr", prefetch)[0] for prefetch in (2, 0))
    return max(ahead - at_once, 0.0)


def _batch(
    stored: ArrayGraph, facts: Facts, sampling: str, representation: str, prefetch: int = 0
) -> tuple[float, float]:
    """Seconds of a batch, and the edges that a forecast counts of it."""
    chosen = {Slot.SAMPLING: sampling, Slot.REPRESENTATION: representation, Slot.HARDWARE: "cpu"}
    chosen |= {Slot.ARCHITECTURE: "sage" if representation == "csr" else "gat"}
    spec = make_spec(facts, Pins(chosen, {"prefetch": prefetch, **SETTINGS[sampling]}), {})
    with tempfile.TemporaryDirectory() as scratch:
        job = build(Job(spec=spec, facts=facts, stored=stored, scratch=Path(scratch)))
        made: list[int] = []

        def some() -> None:
            made.clear()
            for number, _ in enumerate(job.need("batches")()):
                made.append(number)
                if number + 1 == BATCHES:
                    break

        seconds = seconds_of(some, 0.05, least=2)
    return seconds / len(made), max(_edges(facts, spec), 1.0)


def _edges(facts: Facts, spec: JobSpec) -> float:
    """Edges that making a batch looks at, as a forecast counts them."""
    shape = forecast(spec, facts).shape
    assert shape is not None, "a job has a batch stage"
    (batches,) = [part for part in compose(spec, facts) if isinstance(part, SampledBatches)]
    return batches.edges_looked_at(facts.graph, shape)


def measure_rows() -> Grid:
    """Seconds per byte of rows gathered from a matrix of features, one thread."""
    points = [(size, row) for size in FEATURE_BYTES for row in ROW_BYTES]
    return Grid(axes=(FEATURE_BYTES, ROW_BYTES), values=tuple(_row(*point) for point in points))


def _row(size: int, row_bytes: int) -> float:
    x = np.ones((size // row_bytes, row_bytes // 4), np.float32)
    rows = np.random.default_rng(0).integers(0, len(x), min(len(x), 2**22 // row_bytes))

    def work() -> torch.Tensor:
        out = torch.empty((rows.size, x.shape[1]))
        gather_dense_rows(x, rows, out.numpy())
        return out

    return seconds_of(work) / (rows.size * row_bytes)
