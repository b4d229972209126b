"""Pooling is PyG's, ties and empty graphs included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from techniques.architecture.graph_readout import pooled

PYG: dict[str, Any] = {"sum": global_add_pool, "mean": global_mean_pool, "max": global_max_pool}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_values_and_gradients(pool: Any, ties: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(0, 6, (9,), generator=generator)
    pointer, graph = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)]), torch.repeat_interleave(sizes)
    x = torch.randn(int(sizes.sum()), 4, generator=generator)
    x = (2 * x).round() / 2 if ties else x
    weight = torch.randn(9, 4, generator=generator)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    here, there = pooled(ours.relu(), pointer, pool), PYG[pool](theirs.relu(), graph, 9)
    assert torch.allclose(here, there, atol=1e-6)
    (here * weight).sum().backward()
    (there * weight).sum().backward()
    assert ours.grad is not None and theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)
