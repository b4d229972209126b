"""Training nodes in order: uniform epochs, and balanced draws whose repeats count as repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from planner.inspect.estimate import from_counts
from planner.pins import Pins, check_pins
from planner.proposal import check
from techniques.architecture.loss import loss_of
from techniques.assembly import compose
from techniques.base import Slot
from techniques.errors import OptionError
from techniques.facts import GraphFacts
from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from techniques.sampling.drawn import DrawnGraph
from techniques.sampling.ego_graphs import ego_batches
from techniques.sampling.loading import neighbor_batches
from techniques.sampling.neighbor import NeighborBatches
from techniques.sampling.seeds import BALANCED, UNIFORM, OrderedSeeds, distinct_seeds, is_imbalanced, seed_order_knob
from techniques.sampling.shadow_k_hop import EgoBatches

CLASSES = (120, 24, 6)
"""Training nodes of each class."""
TRAIN = sum(CLASSES)
NODES = 200


@pytest.fixture
def job_of(profiled: Any, make_job: Any, spec_for: Any) -> Callable[..., Job]:
    """``job_of(sampling, **settings)``: 150 training nodes of three classes; ten more in the mask have no label."""
    rng = np.random.default_rng(0)
    half = rng.integers(0, NODES, (2, 500))
    half = half[:, half[0] != half[1]]
    y = np.full(NODES, -1)
    order = rng.permutation(NODES)
    y[order[:TRAIN]] = np.repeat(np.arange(3), CLASSES)
    y[order[TRAIN + 10 :]] = np.arange(NODES - TRAIN - 10) % 3
    mask = np.zeros(NODES, bool)
    mask[order[: TRAIN + 10]] = True
    arrays = {
        "num_nodes": np.array(NODES),
        "edge_index": np.unique(np.concatenate([half, half[::-1]], axis=1), axis=1).astype(np.int32),
        "x": rng.normal(size=(NODES, 6)).astype(np.float32),
        "y": y,
        "train_mask": mask,
    }

    def build(sampling: str = "neighbor", **settings: Any) -> Job:
        stored = ArrayGraph("rare", arrays)
        facts = profiled(stored)
        chosen = {"sampling": sampling, "architecture": "sage", "representation": "csr"}
        values = {"hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0, **settings}
        made: Job = make_job(facts, stored, spec_for(facts, chosen, **values))
        return made

    return build


def drawn(job: Job, imbalanced: bool, epochs: int = 1) -> Tensor:
    """Positions in the list of training nodes, [epochs * count]."""
    order = OrderedSeeds(imbalanced).build(job).need("seed_order")
    torch.manual_seed(0)
    return torch.cat([order() for _ in range(epochs)])


def train_labels(job: Job) -> Tensor:
    labels: Tensor = job.need("labels")[job.masks["train"]]
    return labels


# The order


def test_a_uniform_epoch_has_every_training_node_once(job_of: Any) -> None:
    job = job_of()
    first, second = drawn(job, False, epochs=2).view(2, TRAIN)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(TRAIN))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("imbalanced", [False, True])
def test_an_epoch_has_as_many_draws_as_training_nodes(imbalanced: bool, job_of: Any) -> None:
    found = drawn(job_of(), imbalanced)
    assert found.shape == (TRAIN,) and found.dtype is torch.int64
    assert int(found.min()) >= 0 and int(found.max()) < TRAIN


def test_every_class_has_the_same_share_and_so_has_every_node_of_a_class(
    job_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly: evenly spaced numbers stand in for random ones."""
    job, grid = job_of(), 360
    order = OrderedSeeds(True).build(job).need("seed_order")
    monkeypatch.setattr(torch, "rand", lambda *size, dtype: (torch.arange(grid, dtype=dtype) + 0.5) / grid)
    counts = torch.bincount(order(), minlength=TRAIN)
    expected = grid / len(CLASSES) / torch.tensor(CLASSES)[train_labels(job)]
    assert torch.equal(counts.double(), expected.double())


def test_balanced_draws_follow_chance(job_of: Any) -> None:
    """Chi-square over the training nodes, each with probability 1 / (classes * size of its class)."""
    job = job_of()
    found = drawn(job, True, epochs=200)
    expected = found.numel() / len(CLASSES) / torch.tensor(CLASSES)[train_labels(job)]
    counts = torch.bincount(found, minlength=TRAIN)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi_square - (TRAIN - 1)) < 4 * np.sqrt(2 * (TRAIN - 1))


def test_the_extremes_of_a_draw_are_training_nodes(job_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order = OrderedSeeds(True).build(job_of()).need("seed_order")
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *size, dtype: ends)
    assert order().tolist() == [0, TRAIN - 1]


@pytest.mark.parametrize("order", [UNIFORM, BALANCED])
@pytest.mark.parametrize("sampling", ["neighbor", "shadow_k_hop"])
def test_nodes_without_a_label_are_never_seeds(sampling: str, order: str, job_of: Any) -> None:
    job = job_of(sampling, seed_order=order, batch_size=40)
    assert job.num_train == TRAIN and job.facts.graph.num_train == TRAIN
    torch.manual_seed(0)
    found = torch.cat([batch.y for _ in range(5) for batch in job.need("batches")()])
    assert int(found.min()) == 0
    if order == UNIFORM:
        assert torch.bincount(found).tolist() == [5 * count for count in CLASSES]


# Repeated seeds


REPEATED = torch.tensor([7, 0, 7, 100, 7, 0, 33])


@pytest.mark.parametrize("sampling", ["neighbor", "shadow_k_hop"])
def test_a_seed_that_is_drawn_thrice_counts_as_three_rows(sampling: str, job_of: Any) -> None:
    """Loss and gradients of a batch against the mean over the repeated rows of the exact logits."""
    all_neighbors = {"fanouts": (99, 99)} if sampling == "neighbor" else {"num_neighbors": 99, "depth": 2}
    job = job_of(sampling, seed_order=BALANCED, batch_size=REPEATED.numel(), **all_neighbors)
    (part,) = (one for one in compose(job.spec, job.facts) if isinstance(one, (NeighborBatches, EgoBatches)))
    assert part.balanced
    remade = replace(job, seed_order=lambda: REPEATED)
    remade = neighbor_batches(remade, part) if isinstance(part, NeighborBatches) else ego_batches(remade, part)
    (batch,) = remade.need("batches")()
    assert batch.y.numel() == 4, "each node is sampled around once"
    assert batch.loss_weight.tolist() == [2, 3, 1, 1]
    model = job.need("model")
    found = gradients(model, loss_of(model.logits(batch), batch.y, batch.loss_weight))
    expected = gradients(model, loss_of(exact_logits(remade), train_labels(job)[REPEATED]))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def exact_logits(job: Job) -> Tensor:
    """Rows of ``REPEATED``, one by one, with all neighbours."""
    model, nodes = job.need("model"), job.masks["train"].nonzero().flatten()[REPEATED]
    if job.ego_batches is not None:
        return torch.cat([model.logits(batch) for node in nodes for batch in job.ego_batches(node.view(1))])
    structure = job.need("structure")
    every: Tensor = model(job.need("features").whole(), (structure.whole(),) * 2)
    return every[nodes]


def gradients(model: Any, loss: Tensor) -> list[Tensor]:
    """The loss, and its gradient in every parameter."""
    model.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    return [loss.detach(), *(one.grad.clone() for one in model.parameters())]


def test_the_loss_is_the_mean_over_repeated_rows() -> None:
    """Class ids, several labels and links alike."""
    rng = torch.Generator().manual_seed(0)
    logits, times = torch.randn(5, 3, generator=rng), torch.tensor([1, 3, 2, 1, 4])
    for y in (torch.tensor([0, 2, 1, 1, 0]), torch.rand(5, 3, generator=rng).round()):
        expected = loss_of(logits.repeat_interleave(times, 0), y.repeat_interleave(times, 0))
        torch.testing.assert_close(loss_of(logits, y, times.float()), expected)
    links = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])
    expected = loss_of(logits[:, 0].repeat_interleave(times), links.repeat_interleave(times))
    torch.testing.assert_close(loss_of(logits[:, 0], links, times.float()), expected)


# How many are distinct


def counted(train: int, classes: int, imbalance: float | None, multi_label: bool = False) -> GraphFacts:
    graph = from_counts(10 * train, 50 * train, 8, classes, directed=False)
    update = {"num_classes": classes, "imbalance": imbalance, "train": train, "multi_label": multi_label}
    return graph.model_copy(update={"labels": graph.labels.model_copy(update=update)})


def ladder(train: int, classes: int, imbalance: float) -> Any:
    """Class of every training node; sizes fall by the same factor from class to class."""
    sizes = imbalance ** -np.linspace(0, 1, classes)
    ends = np.round(train * np.cumsum(sizes) / sizes.sum()).astype(int)
    return np.searchsorted(ends, np.arange(train), side="right")


@pytest.mark.parametrize("batch_size", [64, 1024, 10**6])
@pytest.mark.parametrize(("train", "classes", "imbalance"), [(3000, 3, 10.0), (5000, 8, 100.0), (900, 2, 30.0)])
def test_distinct_seeds_are_those_of_draws(batch_size: int, train: int, classes: int, imbalance: float) -> None:
    found = distinct_seeds(counted(train, classes, imbalance), batch_size, balanced=True)
    empty = np.zeros(train + 1, np.int64)
    graph = DrawnGraph(empty, np.empty(0, np.int64), np.arange(train), ladder(train, classes, imbalance))
    real = np.mean([graph.seeds(batch_size, True, index).size for index in range(60)])
    assert found == pytest.approx(real, rel=0.02)
    assert found < min(batch_size, train)


def test_drawn_seeds_are_distinct_and_like_those_of_a_run(job_of: Any) -> None:
    """The planner's balanced draws against the loader's, class by class."""
    job = job_of(seed_order=BALANCED, batch_size=50)
    labels = train_labels(job)
    graph = DrawnGraph(np.zeros(TRAIN + 1, np.int64), np.empty(0, np.int64), np.arange(TRAIN), labels.numpy())
    planned = [graph.seeds(50, True, index) for index in range(150)]
    assert all(np.array_equal(one, np.unique(one)) for one in planned)
    torch.manual_seed(0)
    real = [batch for _ in range(50) for batch in job.need("batches")()]
    for label in range(len(CLASSES)):
        mine = np.array([(labels.numpy()[one] == label).sum() for one in planned])
        theirs = np.array([int((batch.y == label).sum()) for batch in real])
        error = np.sqrt(mine.var() / mine.size + theirs.var() / theirs.size)
        assert abs(mine.mean() - theirs.mean()) < 4 * error


def test_uniform_seeds_are_all_distinct() -> None:
    graph = counted(700, 4, 50.0)
    assert distinct_seeds(graph, 512, balanced=False) == 512
    assert distinct_seeds(graph, 4096, balanced=False) == 700
    assert distinct_seeds(counted(700, 1, 1.0), 512, balanced=True) == 512


# When


def test_classes_are_imbalanced_from_ten_to_one_on(make_facts: Any) -> None:
    for imbalance, expected in ((9.9, UNIFORM), (10.0, BALANCED), (None, UNIFORM)):
        graph = counted(700, 3, imbalance)
        knob = seed_order_knob(make_facts(graph))
        assert is_imbalanced(graph) is (expected == BALANCED)
        assert (knob.default, knob.tuned) == (expected, expected == BALANCED)


def test_nodes_of_several_labels_are_never_imbalanced(make_facts: Any) -> None:
    graph = counted(700, 3, 1000.0, multi_label=True)
    knob = seed_order_knob(make_facts(graph))
    assert not is_imbalanced(graph)
    assert (knob.default, knob.tuned) == (UNIFORM, False)


@pytest.mark.parametrize("sampling", ["neighbor", "shadow_k_hop"])
def test_nodes_of_several_labels_cannot_be_drawn_by_class(
    sampling: str, tiny: Any, profiled: Any, spec_for: Any
) -> None:
    """Refused before anything is built, as a pinned setting or by the sampler."""
    facts = profiled(tiny(labels="multi"))
    try:
        check_pins(facts, Pins({Slot.SAMPLING: sampling}, {"seed_order": BALANCED}))
    except OptionError:
        return
    assert not check(facts, spec_for(facts, {"sampling": sampling}, seed_order=BALANCED)).usable
