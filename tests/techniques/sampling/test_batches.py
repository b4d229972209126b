"""What is forecast of sampled batches against the batches that are made: shapes, bytes, steps and scratch."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.forecast import Forecast, Place
from techniques.job import Job, compose, forecast
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.batches import SampledBatches
from techniques.sampling.kernels import NeighborKernel, ShadowKernel, SubgraphKernel

NODES, PAIRS, WIDTH = 2000, 10_000, 32


@dataclass(frozen=True)
class Case:
    """One way to make batches, of full size all of them."""

    sampling: str
    representation: str = "csr"
    settings: dict[str, Any] = field(default_factory=dict)
    labels: str = "classes"
    sparse: bool = False

    def __str__(self) -> str:
        values = "-".join(f"{name}={value}" for name, value in self.settings.items() if name != "batch_size")
        features = "sparse" if self.sparse else "dense"
        return "-".join(filter(None, (self.sampling, self.representation, values, self.labels, features)))


SUBGRAPHS = (
    ("graph_saint", {"saint_sampler": "node", "batch_size": 400}),
    ("graph_saint", {"saint_sampler": "edge", "batch_size": 300}),
    ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 200, "walk_length": 2}),
    ("graph_saint", {"saint_sampler": "random_walk", "batch_size": 200, "sample_coverage": 0}),
    ("random_node", {"num_parts": 4}),
    ("cluster", {"num_parts": 20, "parts_per_batch": 4}),
    ("shadow_k_hop", {"batch_size": 100, "depth": 2, "num_neighbors": 5}),
    ("shadow_k_hop", {"batch_size": 100, "seed_order": "imbalanced"}),
)
HOPS = (
    ("neighbor", {"batch_size": 100, "fanouts": (5, 3)}),
    ("neighbor", {"batch_size": 100, "fanouts": (5, 3), "trim": False}),
    ("neighbor", {"batch_size": 300, "fanouts": (5, 3), "seed_order": "imbalanced"}),
)
CASES = [Case(name, form, settings) for name, settings in (*SUBGRAPHS, *HOPS) for form in ("coo", "csr")]
CASES += [Case("link_neighbor", form, {"batch_size": 250, "fanouts": (5, 3)}, "none") for form in ("coo", "csr")]
CASES += [Case("neighbor", "csr", {"batch_size": 100}, "multi"), Case("random_node", "csr", {}, "multi")]
CASES += [Case("neighbor", "csr", {"batch_size": 100}, sparse=True), Case("graph_saint", "csr", {}, sparse=True)]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def random_graph(case: Case) -> ArrayGraph:
    """Undirected, 20,000 entries, degrees from 0 to some 40; class 0 is rare."""
    rng = np.random.default_rng(0)
    weight = rng.gamma(2.0, size=NODES)
    pairs = rng.choice(NODES, (2, 2 * PAIRS), p=weight / weight.sum())
    low, high = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    kept = rng.permutation(low.size)[:PAIRS]
    half = np.stack([low[kept], high[kept]])
    x = rng.normal(size=(NODES, WIDTH)).astype(np.float32)
    arrays: dict[str, Any] = {"num_nodes": np.array(NODES), "x": x}
    arrays["edge_index"] = np.concatenate([half, half[::-1]], axis=1).astype(np.int32)
    if case.sparse:
        arrays |= _sparse(x * (rng.random(x.shape) < 0.2), arrays.pop("x").shape)
    if case.labels == "classes":
        arrays["y"] = rng.permutation(np.repeat([0, 1, 2], [40, 560, 1400]))
        # Three in five of every class, so that batches divide the training nodes.
        arrays["train_mask"] = rng.permutation(np.arange(NODES)) % 5 < 3
    if case.labels == "multi":
        arrays["y"] = (rng.random((NODES, 6)) < 0.4).astype(np.uint8)
    return ArrayGraph("random", arrays)


def _sparse(x: Any, shape: tuple[int, int]) -> dict[str, Any]:
    rows, columns = np.nonzero(x)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=NODES))])
    stored = {"x_data": x[rows, columns].astype(np.float32), "x_indices": columns.astype(np.int32)}
    return {**stored, "x_indptr": pointer.astype(np.int64), "x_shape": np.array(shape)}


@dataclass
class Made:
    """A job, what was forecast of it, and the part that makes its batches."""

    job: Job
    part: SampledBatches
    forecast: Forecast

    def batches(self, count: int) -> list[Batch]:
        """At least so many, whole epochs of them."""
        torch.manual_seed(1)
        found: list[Batch] = []
        while len(found) < count:
            found += self.job.need("batches")()
        return found


@pytest.fixture
def made(profiled: Any, make_job: Any, spec_for: Any) -> Any:
    def build(case: Case) -> Made:
        from planner.inspect.opened import drawer

        stored = random_graph(case)
        facts = profiled(stored)
        chosen = {"sampling": case.sampling, "representation": case.representation, "architecture": "sage"}
        chosen["representation.features"] = "csr" if case.sparse else "dense"
        spec = spec_for(facts, chosen, hidden=8, layers=2, threads=1, prefetch=0, **case.settings)
        (part,) = (one for one in compose(spec, facts) if isinstance(one, SampledBatches))
        return Made(make_job(facts, stored, spec), part, forecast(spec, facts, drawer(stored, facts.graph)))

    return build


def sizes(batch: Batch) -> list[float]:
    """Sources, targets and edges of every layer, and rows of the loss."""
    layers = [(block.num_sources, block.num_targets, block.num_edges) for block in batch.blocks]
    return [*(float(one) for layer in layers for one in layer), float(batch.y.size(0))]


def forecast_sizes(shape: Any) -> list[float]:
    layers = [(layer.num_sources, layer.num_targets, layer.num_edges) for layer in shape.layers]
    return [*(one for layer in layers for one in layer), shape.seeds]


@every_case
def test_the_forecast_shape_is_that_of_the_batches(case: Case, made: Any) -> None:
    one = made(case)
    real = np.array([sizes(batch) for batch in one.batches(40)])
    error = real.std(axis=0, ddof=1) / np.sqrt(len(real))
    expected = np.array(forecast_sizes(one.forecast.shape))
    tolerance = np.maximum(0.03 * real.mean(axis=0), 3 * error)
    if case.sampling == "cluster":  # METIS says how many edges it keeps when it has cut: here far fewer than usual
        expected, tolerance, real = (part[..., [0, 1, 3, 4, 6]] for part in (expected, tolerance, real))
    np.testing.assert_array_less(np.abs(expected - real.mean(axis=0)), tolerance + 1e-9)


@every_case
def test_the_largest_shape_is_no_smaller_and_holds_nearly_all_batches(case: Case, made: Any) -> None:
    one = made(case)
    mean, largest = (np.array(forecast_sizes(shape)) for shape in (one.forecast.shape, one.forecast.largest_shape))
    assert (largest >= mean - 1e-9).all()
    real = np.array([sizes(batch) for batch in one.batches(40)])[:, :-1]
    assert (real > 1.001 * largest[:-1] + 1).mean() < 0.05


@every_case
def test_an_epoch_has_as_many_steps_as_forecast(case: Case, made: Any) -> None:
    one = made(case)
    assert len(one.batches(1)) == one.forecast.steps_per_epoch == pytest.approx(one.forecast.full_steps_per_epoch, abs=1)


def tensors(batch: Batch) -> list[Tensor]:
    values = [batch.x, batch.y, batch.loss_rows, batch.loss_weight, batch.ego, batch.pairs]
    for block in batch.blocks:
        values += [block.edge_index, block.weight, block.degrees, *(block.csr or ())]
    found = [value for value in values if value is not None]
    sparse = [one for one in found if one.layout is torch.sparse_csr]
    dense = [one for one in found if one.layout is not torch.sparse_csr]
    return dense + [part for one in sparse for part in (one.crow_indices(), one.col_indices(), one.values())]


def held_bytes(batch: Batch) -> int:
    """Memory behind all tensors of a batch; what several of them share counts once."""
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors(batch)}
    return sum(storages.values())


@every_case
def test_a_batch_weighs_what_is_forecast(case: Case, made: Any) -> None:
    one = made(case)
    real = float(np.mean([held_bytes(batch) for batch in one.batches(20)]))
    shape = one.forecast.shape
    if case.sampling == "cluster":
        layer = one.batches(1)[0].blocks[0]
        from techniques.forecast import LayerShape, StepShape

        shape = StepShape((LayerShape.homogeneous(layer.num_sources, layer.num_targets, layer.num_edges),) * 2, 0.0)
    found = one.part._batch_bytes(one.forecast, shape)
    print("BYTES", case, round(found), round(real), round(found / real, 3))
    assert found == pytest.approx(real, rel=0.10)


