"""Moments that are there before the first step change nothing but when their memory is taken."""

from __future__ import annotations

import copy

import torch

from techniques.architecture.optimizer import adam
from techniques.job import Training
from tuner.accumulation import Steps


def test_steps_are_those_of_pytorchs_adam() -> None:
    torch.manual_seed(0)
    network, training, x = torch.nn.Linear(5, 3), Training(weight_decay=0.1), torch.randn(4, 5)
    plain = copy.deepcopy(network)
    optimizers = (adam(network, training), torch.optim.Adam(plain.parameters(), lr=0.01, weight_decay=0.1))
    for _ in range(3):
        for one, optimizer in zip((network, plain), optimizers, strict=True):
            optimizer.zero_grad()
            one(x).square().sum().backward()
            optimizer.step()
    assert torch.equal(network.weight, plain.weight)
    assert torch.equal(network.bias, plain.bias)


def test_the_first_step_leaves_as_much_as_it_found() -> None:
    """Moments before it, no gradients after it; frozen parameters have none."""
    network = torch.nn.Linear(5, 3)
    network.bias.requires_grad_(False)
    optimizer = adam(network, Training())
    before = _held_bytes(network, optimizer)
    assert before == 4 * (network.bias.numel() + 3 * network.weight.numel() + 1)
    Steps(network, optimizer, every=1).add(network(torch.ones(2, 5)).sum(), 2)
    assert _held_bytes(network, optimizer) == before


def _held_bytes(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    state = [value for one in optimizer.state.values() for value in one.values()]
    gradients = [one.grad for one in network.parameters() if one.grad is not None]
    return sum(one.nbytes for one in (*network.parameters(), *gradients, *state))
