"""Train on the coarse graph, judge on the graph: what a job sees when, and that no label leaks into it."""

from __future__ import annotations

from itertools import combinations, product
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
import torch

from planner.inspect.opened import drawer
from planner.proposal import check
from techniques import options
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.coarsening.pooled import pooled_labels
from techniques.facts import Goal
from techniques.forecast import Phase, Place
from techniques.remote.source.arrays import ArrayGraph
from tests.covering import covering
from tuner.training import train_epoch

METHODS = [one.name for one in options(Slot.COARSENING) if one.name != "none"]
NOT_NODES = ("link_neighbor", "rows", "graph_batch", "dynamic_batch")
SAMPLERS = [one.name for one in options(Slot.SAMPLING) if one.name not in NOT_NODES]
FORECAST = covering(
    product(METHODS, ["dense", "sparse", "none"], ["gcn", "gat", "gin"], ["none", "random"]),
    *[itemgetter(*pair) for pair in combinations(range(4), 2)],
)
SMALL = {"hidden": 8, "threads": 1, "batch_size": 16, "num_parts": 4, "prefetch": 0}


def choices(method: str, sampling: str = "full_batch", architecture: str = "gcn") -> dict[str, str]:
    representation = "coo" if architecture == "gat" else "csr"
    return {
        "coarsening": method,
        "sampling": sampling,
        "architecture": architecture,
        "representation": representation,
    }


@pytest.fixture
def coarse_job(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Any:
    """``coarse_job(method, sampling, architecture, arrays={}, **settings)``: facts, stored graph, job."""

    def build(
        method: str, sampling: str = "full_batch", architecture: str = "gcn", arrays: Any = None, **settings: Any
    ) -> Any:
        stored = tiny(**{"positions": True, **(arrays or {})})
        facts = profiled(stored)
        spec = spec_for(facts, choices(method, sampling, architecture), **{**SMALL, **settings})
        assert check(facts, spec).usable
        return facts, stored, make_job(facts, stored, spec)

    return build


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sampling", SAMPLERS)
def test_training_sees_the_coarse_graph_and_evaluation_the_graph(method: str, sampling: str, coarse_job: Any) -> None:
    facts, _, job = coarse_job(method, sampling)
    assert job.whole is not None
    for batch in job.moved_batches():
        assert max(block.num_sources for block in batch.blocks) <= 16 * (60 if sampling == "shadow_k_hop" else 3)
    train_epoch(job)
    assert job.need("predict")().shape == (60, facts.graph.labels.num_classes)
    assert job.need("structure").num_nodes == 60
    assert {split: int(mask.sum()) for split, mask in job.masks.items()} == {
        split: int(mask.sum()) for split, mask in job.whole.masks.items()
    }


def test_a_full_batch_of_the_coarse_graph_is_smaller(coarse_job: Any) -> None:
    facts, stored, job = coarse_job("heavy_edge", coarsen_ratio=0.3)
    (batch,) = job.moved_batches()
    assert batch.x.size(0) == 18 == batch.blocks[0].num_sources
    found = forecast(job.spec, facts, drawer(stored, facts.graph))
    assert found.shape is not None
    assert (found.shape.input_nodes, found.shape.input_edges) == (18, batch.blocks[0].num_edges)
    assert found.shape.seeds == batch.y.size(0)


@pytest.mark.parametrize(("method", "features", "architecture", "weights"), FORECAST)
def test_what_is_forecast_from_the_graph_is_what_runs(
    method: str, features: str, architecture: str, weights: str, coarse_job: Any
) -> None:
    """Nodes, edges, training nodes and non-zeros to the last one: the plan has coarsened the same graph."""
    arrays = {"features": features, "weights": weights, "undirected": weights == "none"}
    facts, stored, job = coarse_job(method, architecture=architecture, arrays=arrays)
    (batch,) = job.moved_batches()
    found = forecast(job.spec, facts, drawer(stored, facts.graph))
    assert found.shape is not None
    block = batch.blocks[0]
    assert (found.shape.input_nodes, found.shape.input_edges) == (block.num_sources, block.num_edges)
    assert found.shape.seeds == batch.y.size(0)


def test_the_graph_itself_is_restored_in_forecasts(coarse_job: Any) -> None:
    facts, stored, job = coarse_job("heavy_edge", coarsen_ratio=0.1)
    draw = drawer(stored, facts.graph)
    coarse = forecast(job.spec, facts, draw)
    plain = forecast(
        job.spec.model_copy(update={"options": {**job.spec.options, Slot.COARSENING: "none"}}), facts, draw
    )
    assert coarse.facts == plain.facts and coarse.edge_weighted == plain.edge_weighted
    assert coarse.flops_per_epoch.expected < plain.flops_per_epoch.expected
    # The whole graph is judged in either case, in chunks where training holds less than that.
    assert coarse.phases[Phase.EVALUATE].seconds.expected >= plain.phases[Phase.EVALUATE].seconds.expected
    assert coarse.phases[Phase.PREPARE].seconds.expected > plain.phases[Phase.PREPARE].seconds.expected
    assert coarse.held_bytes(Place.HOST).expected > 0


# Leaks


def with_changed_labels(stored: ArrayGraph, mask: Any) -> ArrayGraph:
    """Every label outside the training set is another one."""
    y = np.array(stored.arrays["y"])
    y[~mask] = (y[~mask] + 1) % 3 if y.ndim == 1 else 1 - y[~mask]
    return ArrayGraph(stored.name, {**stored.arrays, "y": y})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("kind", "labels"),
    [("classes", "mode"), ("classes", "mean"), ("classes", "soft"), ("multi", "mode"), ("multi", "soft")],
)
def test_no_validation_or_test_label_leaks(
    method: str, labels: str, kind: str, tiny: Any, profiled: Any, spec_for: Any, tmp_path: Any
) -> None:
    """The attempt: change every label that training must not see; nothing that training sees may change."""
    from techniques.assembly import build
    from techniques.job import Job
    from techniques.remote.source.folder import spill

    plain = tiny(positions=True, labels=kind)
    masks = every_third()
    first = ArrayGraph("tiny", {**plain.arrays, **masks})
    seen = []
    for number, stored in enumerate((first, with_changed_labels(first, masks["train_mask"]))):
        facts = profiled(stored)
        spec = spec_for(facts, choices(method), **SMALL, coarsen_labels=labels)
        job = build(Job(spec=spec, facts=facts, stored=spill(stored, tmp_path / str(number)), scratch=tmp_path))
        (batch,) = job.moved_batches()
        torch.manual_seed(0)
        seen.append((batch, train_epoch(job)[0]))
    (ours, loss), (theirs, again) = seen
    assert torch.equal(ours.x.to_dense(), theirs.x.to_dense())
    assert torch.equal(ours.y, theirs.y) and torch.equal(ours.loss_rows, theirs.loss_rows)
    assert torch.equal(ours.blocks[0].csr.ptr, theirs.blocks[0].csr.ptr)
    assert torch.equal(ours.blocks[0].csr.source, theirs.blocks[0].csr.source)
    assert loss == again


HARDER = {
    "rare classes drawn more often": ("neighbor", "sage", {}, {"seed_order": "imbalanced"}),
    "weighted, directed, sparse, max": (
        "neighbor",
        "gcn",
        {"weights": "random", "undirected": False, "features": "sparse"},
        {"coarsen_pooling": "max"},
    ),
    "edge attributes": ("full_batch", "gat", {"edge_columns": 2}, {}),
    "degrees as features": ("full_batch", "gin", {"features": "none"}, {}),
    **{sampling: (sampling, "gcn", {}, {}) for sampling in SAMPLERS if sampling not in ("full_batch", "neighbor")},
}


@pytest.mark.parametrize("attempt", HARDER)
@pytest.mark.parametrize("method", METHODS)
def test_a_trained_model_and_its_predictions_know_of_no_hidden_label(
    method: str, attempt: str, tiny: Any, profiled: Any, spec_for: Any, tmp_path: Any
) -> None:
    """Two epochs and the predictions for all nodes, to the last bit."""
    sampling, architecture, arrays, settings = HARDER[attempt]
    plain = tiny(positions=True, **arrays)
    first = ArrayGraph("tiny", {**plain.arrays, **every_third()})
    trained = [
        trained_twice(stored, choices(method, sampling, architecture), settings, profiled, spec_for, tmp_path)
        for stored in (first, with_changed_labels(first, every_third()["train_mask"]))
    ]
    assert torch.equal(*trained)


@pytest.mark.parametrize("level", ["state", "city"])
def test_joining_one_level_of_a_hierarchy_knows_of_no_hidden_label(
    level: str, tiny: Any, profiled: Any, spec_for: Any, tmp_path: Any
) -> None:
    city = np.where(np.arange(60) % 2, np.arange(60) // 6, -1)
    np.savez(tmp_path / "levels.npz", state=np.arange(60) // 30, city=city)
    goal = Goal(hierarchy=str(tmp_path / "levels.npz"), hierarchy_level=level)
    first = ArrayGraph("tiny", {**tiny().arrays, **every_third()})
    trained = [
        trained_twice(stored, choices("heavy_edge"), {}, profiled, spec_for, tmp_path, goal)
        for stored in (first, with_changed_labels(first, every_third()["train_mask"]))
    ]
    assert torch.equal(*trained)


def every_third() -> dict[str, Any]:
    return {f"{split}_mask": np.arange(60) % 3 == at for at, split in enumerate(("train", "val", "test"))}


def trained_twice(
    stored: ArrayGraph,
    chosen: dict[str, str],
    settings: dict[str, Any],
    profiled: Any,
    spec_for: Any,
    folder: Any,
    goal: Goal | None = None,
) -> torch.Tensor:
    """Predictions after two epochs on the coarse graph."""
    from tempfile import mkdtemp

    from techniques.assembly import build
    from techniques.job import Job
    from techniques.remote.source.folder import spill

    facts = profiled(stored).model_copy(update={"goal": goal or Goal()})
    spec = spec_for(facts, chosen, **{**SMALL, **settings})
    assert check(facts, spec).usable
    place = mkdtemp(dir=folder)
    job = build(Job(spec=spec, facts=facts, stored=spill(stored, f"{place}/graph"), scratch=folder))
    assert job.whole is not None
    torch.manual_seed(0)
    for _ in range(2):
        train_epoch(job)
    return job.need("predict")()  # type: ignore[no-any-return]


def test_a_training_label_does_change_what_is_seen(coarse_job: Any) -> None:
    """The leak test could fail: with the training labels changed, it would."""
    _, _, job = coarse_job("heavy_edge")
    labels, train = job.labels.clone(), job.masks["train"]
    cluster = np.arange(60, dtype=np.int32) // 2
    before, _ = pooled_labels(labels, train, cluster, 30, "mode", 3)
    labels[train] = (labels[train] + 1) % 3
    after, _ = pooled_labels(labels, train, cluster, 30, "mode", 3)
    assert not torch.equal(before, after)


# More that is refused, or trained on


def test_soft_labels_train_and_refuse_the_balance_of_classes(coarse_job: Any, spec_for: Any) -> None:
    facts, _, job = coarse_job("graclus", coarsen_labels="soft")
    assert job.soft_labels and np.isfinite(train_epoch(job)[0])
    spec = spec_for(facts, choices("graclus", "neighbor"), coarsen_labels="soft", seed_order="imbalanced", **SMALL)
    refused = check(facts, spec)
    assert not refused.usable and "mode" in refused.reasons[0].text


def test_links_are_refused(tiny: Any, profiled: Any, spec_for: Any) -> None:
    facts = profiled(tiny(labels="none"))
    refused = check(facts, spec_for(facts, {"coarsening": "graclus", "sampling": "link_neighbor"}))
    assert not refused.usable and refused.reasons[0].fact == "task"
