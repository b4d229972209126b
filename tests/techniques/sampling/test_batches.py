"""What is forecast of sampled batches against the batches that are made: shapes, bytes, steps and scratch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from techniques.architecture.network import Batch
from techniques.assembly import compose, forecast
from techniques.forecast import Forecast, Place
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.batches import SampledBatches
from techniques.sampling.kernels import NeighborKernel, ShadowKernel, SubgraphKernel
from techniques.sampling.shapes import hop_sizes
from techniques.step_shape import LayerShape, StepShape

NODES, PAIRS, WIDTH = 2000, 10_000, 32


@dataclass(frozen=True)
class Case:
    """One way to make batches, of full size all of them."""

    sampling: str
    representation: str = "csr"
    settings: dict[str, Any] = field(default_factory=dict)
    labels: str = "classes"
    sparse: bool = False
    edges: str = ""
    """``symmetric`` or ``random`` weights (GCN), or ``attributes`` (GAT)."""

    def __str__(self) -> str:
        values = "-".join(f"{name}={value}" for name, value in self.settings.items() if name != "batch_size")
        features = "sparse" if self.sparse else "dense"
        return "-".join(filter(None, (self.sampling, self.representation, values, self.labels, features, self.edges)))


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
CASES += [Case("neighbor", "csr", {"batch_size": 700, "seed_order": "uniform"})]  # 700 of 1,200, then 500
SAMPLERS = (SUBGRAPHS[0], SUBGRAPHS[3], SUBGRAPHS[4], SUBGRAPHS[6], *HOPS[:2])
CASES += [
    Case(name, form, settings, edges=edges)
    for name, settings in SAMPLERS
    for form, edges in (("coo", "symmetric"), ("csr", "symmetric"), ("csr", "random"), ("coo", "attributes"))
]
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
    if case.edges:
        once = np.random.default_rng(1).uniform(0.5, 2.0, PAIRS)  # of its own: labels stay as without edge data
        weights = np.concatenate([once, once if case.edges == "symmetric" else once[::-1]]).astype(np.float32)
        arrays |= {"edge_attr": np.stack([weights] * 6, 1)} if case.edges == "attributes" else {"edge_weight": weights}
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


MADE: dict[str, Made] = {}


@pytest.fixture
def made(profiled: Any, make_job: Any, spec_for: Any) -> Any:
    """``made(case)``: made once for all tests of a case; who draws from it seeds it anew."""

    def build(case: Case) -> Made:
        from planner.inspect.opened import drawer

        if repr(case) in MADE:
            return MADE[repr(case)]
        stored = random_graph(case)
        facts = profiled(stored)
        architecture = {"": "sage", "attributes": "gat"}.get(case.edges, "gcn")
        chosen = {"sampling": case.sampling, "representation": case.representation, "architecture": architecture}
        chosen["representation.features"] = "csr" if case.sparse else "dense"
        spec = spec_for(facts, chosen, hidden=8, layers=2, threads=1, prefetch=0, **case.settings)
        (part,) = (one for one in compose(spec, facts) if isinstance(one, SampledBatches))
        MADE[repr(case)] = Made(make_job(facts, stored, spec), part, forecast(spec, facts, drawer(stored, facts.graph)))
        return MADE[repr(case)]

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
    assert (
        len(one.batches(1)) == one.forecast.steps_per_epoch == pytest.approx(one.forecast.full_steps_per_epoch, abs=1)
    )


def tensors(batch: Batch) -> list[Tensor]:
    values = [batch.x, batch.y, batch.loss_rows, batch.loss_weight, batch.ego, batch.pairs]
    for block in batch.blocks:
        values += [block.edge_index, block.weight, block.degrees, block.edge_attr, *(block.csr or ())]
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
    """Of a batch of the forecast shape; METIS parts are weighed at the size that they have."""
    one = made(case)
    batches = one.batches(20)
    shape = one.forecast.shape
    if case.sampling == "cluster":
        nodes, _, edges = np.mean([sizes(batch)[:3] for batch in batches], axis=0)
        layers = (LayerShape.homogeneous(nodes, nodes, edges),) * len(shape.layers)
        shape = StepShape(layers, one.part.seeds(one.forecast.facts.graph, nodes))
    real = float(np.mean([held_bytes(batch) for batch in batches]))
    assert one.part.batch_bytes(one.forecast, shape) == pytest.approx(real, rel=0.10)


@pytest.mark.parametrize("case", [Case(name, "csr", settings) for name, settings in (*SUBGRAPHS[:-2], *HOPS)], ids=str)
def test_scratch_is_what_the_kernel_says_that_it_keeps(case: Case, made: Any) -> None:
    """And, for induced subgraphs, room for the edges of the largest one."""
    one = made(case)
    structure = one.job.structure
    kind = NeighborKernel if case.sampling == "neighbor" else SubgraphKernel
    kept = kind(structure.colptr, structure.row, NODES).scratch_bytes
    nothing = StepShape((LayerShape.homogeneous(0, 0, 0),), 0)
    assert one.part.scratch_bytes(one.job.facts.graph, nothing) == pytest.approx(kept, rel=0.1)
    assert one.part.scratch_bytes(one.job.facts.graph, one.forecast.shape) >= kept * 0.9


def test_scratch_of_ego_graphs_holds_a_mark_for_every_neighbour_of_a_hub(made: Any) -> None:
    one = made(Case(*SUBGRAPHS[-2][:1], "csr", SUBGRAPHS[-2][1]))
    structure = one.job.structure
    assert (
        one.part.scratch_bytes(one.job.facts.graph, one.forecast.shape)
        >= ShadowKernel(structure.colptr, structure.row, NODES).max_degree
    )


@pytest.mark.parametrize("prefetch", [0, 3])
def test_memory_holds_every_batch_that_is_alive(prefetch: int, profiled: Any, spec_for: Any, make_facts: Any) -> None:
    """The one that is trained on and those made ahead; a second thread keeps scratch of its own."""
    case = Case("neighbor", "csr", {"batch_size": 100, "fanouts": (5, 3), "seed_order": "uniform"})
    facts = profiled(random_graph(case))
    chosen = {"sampling": "neighbor", "representation": "csr", "architecture": "sage"}
    found = {}
    for ahead in (0, prefetch):
        spec = spec_for(facts, chosen, hidden=8, layers=2, threads=1, prefetch=ahead, **case.settings)
        parts = compose(spec, facts)
        walked = Forecast(facts=facts)
        for part in parts:
            walked = part.forecast(walked)
            if isinstance(part, SampledBatches):
                found[ahead] = walked.held
                break
    for label, times in (("batches", 1 + prefetch), ("scratch of sampling", 2 if prefetch else 1)):
        key = (Place.HOST, label)
        assert found[prefetch][key].expected == pytest.approx(times * found[0][key].expected)


def test_an_epoch_never_makes_more_batches_ahead_than_it_has(profiled: Any, spec_for: Any) -> None:
    case = Case("random_node", "csr", {"num_parts": 2})
    facts = profiled(random_graph(case))
    held = []
    for ahead in (1, 16):
        spec = spec_for(facts, {"sampling": "random_node"}, hidden=8, layers=2, prefetch=ahead, num_parts=2)
        walked = Forecast(facts=facts)
        for part in compose(spec, facts):
            if isinstance(part, SampledBatches):
                held.append(part.forecast(walked).held[Place.HOST, "batches"])
    assert held[0] == held[1]


def test_a_last_batch_of_a_saturated_graph_is_nearly_a_whole_one(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts((2_000, 40_000, 16, 3))
    train = facts.graph.num_train

    def full_steps(fanouts: tuple[int, ...], batch_size: int = 2 * train // 3) -> float:
        settings = {"batch_size": batch_size, "fanouts": fanouts, "layers": len(fanouts)}
        found = forecast(spec_for(facts, {"sampling": "neighbor"}, **settings), facts)
        assert found.shape is not None
        full = sum(hop_sizes(facts.graph, batch_size, fanouts).mean_nodes)
        return found.full_steps_per_epoch * found.shape.input_nodes / full

    assert full_steps((10,), train) == pytest.approx(1.0)
    assert full_steps((1,)) == pytest.approx(1.5, abs=0.1)
    assert 1.9 < full_steps((20, 20, 20)) <= 2.0
