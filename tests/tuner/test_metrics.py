"""FLOPs against PyTorch's own counter."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, addmm_flop, mm_flop

from techniques.assembly import forecast
from techniques.remote.source.arrays import ArrayGraph
from tests.covering import covering
from tuner.metrics import EpochShapes, Flops, epoch_shapes, flops, thop_macs
from tuner.training import train_epoch

JOBS = [(name, form) for name in ("gcn", "sage", "gin", "appnp") for form in ("coo", "csr")]
JOBS += [("gat", "coo"), ("gatv2", "coo")]


SAMPLINGS = ("full_batch", "neighbor", "graph_saint", "cluster", "random_node", "shadow_k_hop", "link_neighbor")
COVERED = covering(
    product(JOBS, SAMPLINGS),
    lambda one: one[0],
    lambda one: (one[0][0], one[1]),
    lambda one: (one[0][1], one[1]),
)
"""Every layer and every adjacency with every sampler."""


@pytest.fixture
def job_of(tiny: Any, profiled: Any, spec_for: Any, make_job: Any) -> Callable[..., Any]:
    """``job_of(architecture, representation, sampling="full_batch", few=False)``; ``few``: two training nodes of 60."""

    def build(architecture: str, representation: str, sampling: str = "full_batch", few: bool = False) -> Any:
        stored = tiny(features="dense", labels="none" if sampling == "link_neighbor" else "classes")
        if few:
            arrays = {name: stored.read(name) for name in stored.headers}
            nodes = np.arange(60)
            masks = {"train_mask": nodes < 2, "val_mask": (nodes >= 2) & (nodes < 30), "test_mask": nodes >= 30}
            stored = ArrayGraph("few", {**arrays, **masks})
        facts = profiled(stored)
        chosen = {"architecture": architecture, "representation": representation, "sampling": sampling}
        chosen["representation.features"] = "dense"
        if architecture == "appnp" and sampling == "shadow_k_hop":
            pytest.skip("refused")
        sizes = {"batch_size": 20, "num_parts": 10, "parts_per_batch": 2} if sampling != "full_batch" else {}
        if architecture == "appnp":
            sizes |= {"propagation_steps": 2, "trim": False}
        return make_job(facts, stored, spec_for(facts, chosen, hidden=8, layers=2, threads=1, **sizes))

    return build


def counted_epoch(job: Any) -> tuple[Flops, int]:
    """One epoch by the ledger, and its dense products as torch counts them."""
    shapes = EpochShapes(len(job.model.convs))
    with _DenseProducts() as counter:
        train_epoch(job, shapes=shapes)
    return flops(job, shapes), counter.flops


@pytest.mark.parametrize("architecture, representation, sampling", [(*job, sampling) for job, sampling in COVERED])
def test_flops_are_what_torch_counts_in_a_real_epoch(
    architecture: str, representation: str, sampling: str, job_of: Any
) -> None:
    ours, dense = counted_epoch(job_of(architecture, representation, sampling))
    assert ours.gemm == dense > 0
    assert ours.aggregation > 0


@pytest.mark.parametrize("sampling", ["graph_saint", "cluster", "random_node"])
def test_a_step_that_is_skipped_costs_nothing(sampling: str, job_of: Any) -> None:
    """A subgraph without training nodes is not trained on."""
    job = job_of("sage", "csr", sampling, few=True)
    torch.manual_seed(0)
    assert any(batch.y.numel() == 0 for batch in job.batches())
    torch.manual_seed(0)
    ours, dense = counted_epoch(job)
    assert ours.gemm == dense


@pytest.mark.parametrize("sampling", ["full_batch", "graph_saint", "shadow_k_hop", "link_neighbor"])
@pytest.mark.parametrize("architecture, representation", JOBS)
def test_thop_taught_our_layers_counts_what_torch_counts(
    architecture: str, representation: str, sampling: str, job_of: Any
) -> None:
    pytest.importorskip("thop")
    job = job_of(architecture, representation, sampling)
    torch.manual_seed(0)
    batch = next(iter(job.moved_batches()))
    with _DenseProducts() as counter, torch.no_grad():
        job.model.eval().logits(batch)
    torch.manual_seed(0)
    assert thop_macs(job) == counter.flops / 2
    assert not any("total_ops" in name for name, _ in job.model.named_buffers()), "thop leaves buffers behind"


def test_thop_counts_on_the_weights_of_the_model(job_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of wide ones beside them was the peak of a whole measurement."""
    job, seen = job_of("sage", "csr"), []

    def profile(whole: torch.nn.Module, **_: Any) -> tuple[float, float]:
        seen.extend(one.data_ptr() for one in whole.parameters())
        return 1.0, 0.0

    monkeypatch.setattr(pytest.importorskip("thop"), "profile", profile)
    assert thop_macs(job) == 1.0
    assert seen == [one.data_ptr() for one in job.model.parameters()]


OTHER_FORMS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "matrix": ({"architecture": "gcn", "representation": "dense"}, {}, {}),
    "matrix of GraphSAGE": ({"architecture": "sage", "representation": "dense"}, {}, {}),
    "maximum": ({"architecture": "sage", "representation": "coo"}, {"aggregator": "max"}, {}),
    "learned rows": ({"architecture": "gin", "representation.features": "embedding"}, {}, {"features": "none"}),
    "float16 rows": ({"sampling": "neighbor", "representation.features": "half"}, {"batch_size": 20}, {}),
    "attributes of edges": (
        {"architecture": "gat", "representation": "coo"},
        {"heads": 2},
        {"edge_columns": 3, "self_loops": False},
    ),
    "weights of edges": ({"architecture": "gcn"}, {}, {"weights": "random"}),
    "three layers, trimmed": ({"sampling": "neighbor"}, {"layers": 3, "fanouts": (3, 2, 2), "batch_size": 20}, {}),
    "three layers, whole blocks": (
        {"sampling": "neighbor"},
        {"layers": 3, "fanouts": (3, 2, 2), "batch_size": 20, "trim": False},
        {},
    ),
    "several labels": ({"architecture": "gcn"}, {}, {"labels": "multi"}),
    "narrow input": ({"architecture": "sage"}, {}, {"width": 4}),
    "SGC": ({"architecture": "sgc"}, {}, {}),
    "SIGN": ({"architecture": "sign"}, {}, {}),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_flops_of_other_forms_are_what_torch_counts(
    form: str, tiny: Any, profiled: Any, spec_for: Any, make_job: Any
) -> None:
    """And of a full batch, what the plan has said before."""
    chosen, sizes, data = OTHER_FORMS[form]
    stored = tiny(**{"features": "dense", **data})
    facts = profiled(stored)
    slots = {"architecture": "sage", "sampling": "full_batch", "representation.features": "dense", **chosen}
    spec = spec_for(facts, slots, **{"hidden": 8, "layers": 2, "threads": 1, **sizes})
    job = make_job(facts, stored, spec)
    shapes = epoch_shapes(job)
    with _DenseProducts() as counter:
        train_epoch(job, shapes=shapes)
    assert flops(job, shapes).gemm == counter.flops > 0
    if slots["sampling"] == "full_batch":
        assert forecast(spec, facts).gemm_flops_per_epoch.expected == pytest.approx(counter.flops, rel=1e-9)


@pytest.mark.parametrize("sampling", ["graph_batch", "full_batch"])
@pytest.mark.parametrize("architecture", ["gcn", "sage", "gin", "gat"])
def test_flops_of_sets_of_graphs_are_what_torch_counts(
    architecture: str, sampling: str, tiny_set: Any, profiled: Any, spec_for: Any, make_job: Any
) -> None:
    stored = tiny_set()
    facts = profiled(stored)
    form = "coo" if architecture == "gat" else "csr"
    chosen = {"architecture": architecture, "sampling": sampling, "representation": form}
    job = make_job(facts, stored, spec_for(facts, chosen, hidden=8, layers=2, threads=1))
    shapes = epoch_shapes(job)
    with _DenseProducts() as counter:
        train_epoch(job, shapes=shapes)
    assert flops(job, shapes).gemm == counter.flops > 0


def _dense_only(count: Any, matrices: slice) -> Any:
    def counted(*args: Any, out_val: Any = None, **others: Any) -> int:
        if any(one.layout is not torch.strided for one in args[matrices]):
            return 0
        return int(count(*(one.shape for one in args)))

    counted._get_raw = True  # type: ignore[attr-defined]  # tensors rather than shapes
    return counted


class _DenseProducts:
    """``FlopCounterMode`` without the products of sparse matrices, which it counts as if they were dense."""

    def __enter__(self) -> _DenseProducts:
        aten = torch.ops.aten
        mapping = {aten.mm: _dense_only(mm_flop, slice(0, 2)), aten.addmm: _dense_only(addmm_flop, slice(1, 3))}
        self._counter = FlopCounterMode(display=False, custom_mapping=mapping)
        self._counter.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        self._counter.__exit__(*error)  # type: ignore[no-untyped-call]

    @property
    def flops(self) -> int:
        return int(self._counter.get_total_flops())
