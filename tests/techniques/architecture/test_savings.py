"""bf16 and checkpointing: the same training, or nearly, in less memory."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from techniques.architecture.loss import loss_of
from techniques.architecture.mixed import linear, weighted_rows
from techniques.architecture.network import relu_dropout
from techniques.facts import Task
from techniques.representation.block import Block, neighbor_mean
from tests.covering import covering
from tuner.training import train_epoch

ARCHITECTURES = ("gcn", "sage", "gin", "gat", "gatv2", "appnp")
SAMPLINGS = ("full_batch", "neighbor", "shadow_k_hop", "graph_saint", "cluster", "link_neighbor")
NEVER = (("gat", "csr"), ("gatv2", "csr"))
COMBINATIONS = [one for one in product(ARCHITECTURES, ("coo", "csr"), SAMPLINGS) if one[:2] not in NEVER]
COMBINATIONS = [one for one in COMBINATIONS if (one[0], one[2]) != ("appnp", "shadow_k_hop")]
COVERED = covering(COMBINATIONS, lambda one: one[:2], lambda one: one[2], lambda one: (one[0], one[2]))
"""Every layer over every adjacency and with every sampler."""
every_combination = pytest.mark.parametrize("chosen", COVERED, ids="-".join)
BF16_TOLERANCE = 0.02
"""Relative difference of losses over three epochs; bfloat16 rounds to one part in 256."""


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Any:
    """``job_of(chosen, features=, **settings)``: a job whose batches are the same in every epoch and for every job."""

    def build(chosen: tuple[str, str, str], features: str = "dense", **settings: Any) -> Any:
        architecture, representation, sampling = chosen
        stored = tiny(features=features)
        task = {"task": Task.LINK} if sampling == "link_neighbor" else {}
        facts = profiled(stored, **task)
        slots = {"architecture": architecture, "representation": representation, "sampling": sampling}
        slots["representation.features"] = "csr" if features == "sparse" else "dense"
        common = {"hidden": 16, "layers": 2, "threads": 1, "prefetch": 0, "batch_size": 16, "num_parts": 4}
        within = {"propagation_steps": 2, "trim": False} if architecture == "appnp" else {}  # the sampled hops
        return make_job(facts, stored, spec_for(facts, slots, **{**common, **within, **settings}))

    return build


def _step(job: Any, batch: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss and gradients of one step with dropout."""
    job.model.train()
    job.model.zero_grad(set_to_none=True)
    torch.manual_seed(7)
    loss = loss_of(job.model.logits(batch), batch.y, batch.loss_weight)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), [one.grad.clone() for one in job.model.parameters()]


@every_combination
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_checkpointing_changes_no_bit(precision: str, chosen: tuple[str, str, str], job_of: Any) -> None:
    plain = job_of(chosen, precision=precision, dropout=0.5)
    saving = job_of(chosen, precision=precision, dropout=0.5, checkpoint_layers=True)
    saving.model.load_state_dict(plain.model.state_dict())
    batch = next(iter(plain.moved_batches()))
    (loss, gradients), (again, others) = _step(plain, batch), _step(saving, batch)
    assert torch.equal(loss, again)
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-7)


def test_checkpointing_computes_every_layer_again(job_of: Any) -> None:
    job = job_of(("gin", "coo", "full_batch"), checkpoint_layers=True)
    calls = []
    for conv in job.model.convs:
        conv.register_forward_hook(lambda *_: calls.append(1))
        conv.transform = lambda x, made=conv.transform: (calls.append(1), made(x))[1]
    _step(job, next(iter(job.moved_batches())))
    assert len(calls) >= 2 * len(job.model.convs)
    calls.clear()
    job.need("predict")()
    assert len(calls) == len(job.model.convs), "inference keeps nothing and computes nothing twice"


SPARSE = covering(COMBINATIONS, lambda one: one[:2], lambda one: one[2])


BY_FEATURES = [*(("dense", one) for one in COVERED), *(("sparse", one) for one in SPARSE)]


@pytest.mark.parametrize(("features", "chosen"), BY_FEATURES, ids=["-".join((one, *rest)) for one, rest in BY_FEATURES])
def test_bf16_trains_like_float32(features: str, chosen: tuple[str, str, str], job_of: Any) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        job = job_of(chosen, features, precision=precision, dropout=0.0, learning_rate=0.003)
        torch.manual_seed(0)
        losses[precision] = [train_epoch(job)[0] for _ in range(3)]
        assert all(one.dtype is torch.float32 for one in job.model.parameters())
        assert job.need("predict")().dtype is torch.float32
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=BF16_TOLERANCE)
    assert losses["bf16"] != losses["fp32"], "something must have been rounded"


@every_combination
def test_bf16_gradients_point_where_float32_ones_do(chosen: tuple[str, str, str], job_of: Any) -> None:
    plain, narrow = job_of(chosen, dropout=0.0), job_of(chosen, dropout=0.0, precision="bf16")
    narrow.model.load_state_dict(plain.model.state_dict())
    batch = next(iter(plain.moved_batches()))
    one, other = (torch.cat([part.flatten() for part in _step(job, batch)[1]]) for job in (plain, narrow))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.995
    assert float(other.norm() / one.norm()) == pytest.approx(1.0, abs=0.02)


def test_bf16_is_for_training_alone(job_of: Any) -> None:
    chosen = ("sage", "csr", "full_batch")
    plain, narrow = job_of(chosen), job_of(chosen, precision="bf16")
    narrow.model.load_state_dict(plain.model.state_dict())
    assert torch.equal(plain.need("predict")(), narrow.need("predict")())
    batch = next(iter(plain.moved_batches()))
    for job in (plain, narrow):
        job.model.eval()
    assert torch.equal(plain.model.logits(batch), narrow.model.logits(batch))


def test_what_is_kept_between_layers_is_bfloat16(job_of: Any) -> None:
    for architecture in ARCHITECTURES:
        job = job_of((architecture, "coo", "full_batch"), precision="bf16", layers=3)
        seen: list[torch.dtype] = []
        for conv in job.model.convs:
            conv.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].dtype))
        _step(job, next(iter(job.moved_batches())))
        assert seen == [torch.float32, torch.bfloat16, torch.bfloat16], architecture


# Parts


def test_sums_of_bfloat16_rows_lose_nothing() -> None:
    """10,000 ones: bfloat16 itself stops counting at 256."""
    count = 10_000
    edges = torch.stack([torch.arange(1, count + 1), torch.zeros(count, dtype=torch.long)])
    block = Block(num_sources=count + 1, num_targets=1, edge_index=edges)
    h = torch.ones(count + 1, 2, dtype=torch.bfloat16)
    h[1:, 1] = torch.tensor([1.0, -1.0]).bfloat16().repeat(count // 2)
    mean = neighbor_mean(block, h)
    assert mean.dtype is torch.float32
    assert mean.tolist() == [[1.0, 0.0]]


def test_weighted_rows_have_the_gradients_of_float32() -> None:
    torch.manual_seed(0)
    source, weights = torch.randint(0, 6, (40,)), torch.rand(40, 2)
    h = torch.randn(6, 2, 3).bfloat16()
    found = []
    for rows in (h.clone(), h.float()):
        alpha = weights.clone().requires_grad_()
        rows.requires_grad_()
        messages = weighted_rows(rows, source, alpha)
        assert messages.dtype is torch.float32
        (messages.square().sum()).backward()  # type: ignore[no-untyped-call]
        found.append((messages.detach(), rows.grad, alpha.grad))
    (ours, rows_grad, alpha_grad), (theirs, expected_rows, expected_alpha) = found
    assert rows_grad is not None and rows_grad.dtype is torch.bfloat16
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(alpha_grad, expected_alpha)
    torch.testing.assert_close(rows_grad, expected_rows.bfloat16())  # type: ignore[union-attr]


def test_sparse_products_under_autocast() -> None:
    dense = (torch.rand(30, 12) < 0.2).float()
    weight = torch.randn(4, 12, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = linear(dense.to_sparse_csr(), weight)
    assert out.dtype is torch.bfloat16
    torch.testing.assert_close(out.float(), dense @ weight.T, rtol=2**-8, atol=2**-8)
    out.float().sum().backward()
    torch.testing.assert_close(weight.grad, dense.sum(0).expand(4, -1))


def test_dropout_of_bfloat16_scales_exactly_once() -> None:
    """The scale of 1.25 and the kept ones are exact in bfloat16; 1 / 0.7 is rounded once."""
    for p in (0.2, 0.3):
        x = torch.ones(1000, 4, dtype=torch.bfloat16, requires_grad=True)
        out = relu_dropout(x * 1.0, p)
        kept = out[out > 0]
        assert torch.equal(kept, torch.full_like(kept, 1 / (1 - p)))
        out.float().sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad, out.detach())
