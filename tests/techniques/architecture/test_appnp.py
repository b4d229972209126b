"""APPNP: PyG's propagation after the same perceptron, whole graphs and sampled blocks alike."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch_geometric.nn import APPNP as PygAppnp

from techniques.architecture import network as network_module
from techniques.architecture import propagation as propagation_module
from techniques.architecture.appnp import APPNP
from techniques.architecture.propagation import Dense, PropagationNetwork
from techniques.errors import OptionError
from techniques.sampling.structure import Structure

CPU = torch.device("cpu")


def network() -> PropagationNetwork:
    torch.manual_seed(1)
    return PropagationNetwork([Dense(24, 8), Dense(8, 3)], dropout=0.5, steps=4, alpha=0.2).eval()


def structure_of(stored: Any, undirected: bool, fused: bool) -> Structure:
    built = Structure.build(stored.read("edge_index"), 60, undirected, drop_self_loops=True)
    built.fused = fused
    return built


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("undirected", [True, False])
def test_output_and_gradients_equal_pyg(undirected: bool, fused: bool, tiny: Any) -> None:
    stored = tiny(undirected=undirected)
    made, propagate = network(), PygAppnp(K=4, alpha=0.2)
    reference = nn.Sequential(nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))
    reference.load_state_dict(dict(zip(reference.state_dict(), made.state_dict().values(), strict=True)))
    x = torch.from_numpy(stored.read("x"))
    out = made(x, (structure_of(stored, undirected, fused).whole(),) * 2)
    expected = propagate(reference(x), torch.from_numpy(stored.read("edge_index")).long())
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    for one in (out, expected):
        (one * torch.linspace(-1, 1, one.numel()).view_as(one)).sum().backward()
    for mine, theirs in zip(made.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_inference_in_tiny_chunks_is_the_full_forward_pass(fused: bool, tiny: Any, monkeypatch: Any) -> None:
    stored = tiny(undirected=False)
    monkeypatch.setattr(network_module, "FUSED_EDGES_PER_CHUNK", 20)
    monkeypatch.setattr(network_module, "MESSAGE_BYTES_PER_CHUNK", 240)
    structure, made = structure_of(stored, False, fused), network()
    x = torch.from_numpy(stored.read("x"))
    assert len(list(propagation_module.target_chunks(structure, 3, CPU))) >= 5
    with torch.no_grad():
        expected = made(x, (structure.whole(),) * 2)
    torch.testing.assert_close(made.inference(x, structure, CPU), expected, atol=1e-5, rtol=1e-5)


def test_steps_stay_within_sampled_hops(make_facts: Any, spec_for: Any) -> None:
    facts, chosen = make_facts(), {"architecture": "appnp", "sampling": "neighbor"}
    refused = APPNP.check(facts, spec_for(facts, chosen))
    assert not refused.usable and refused.reasons[0].fact == "propagation_steps"
    refused = APPNP.check(facts, spec_for(facts, chosen, propagation_steps=2))
    assert not refused.usable and "trim=false" in refused.reasons[0].text
    assert APPNP.check(facts, spec_for(facts, chosen, propagation_steps=2, trim=False)).usable


@pytest.mark.parametrize(("name", "value"), [("alpha", 1.5), ("alpha", True), ("propagation_steps", 0)])
def test_settings_have_bounds(name: str, value: Any, make_facts: Any) -> None:
    from planner.pins import Pins, check_pins

    with pytest.raises(OptionError, match=f"{name} must be"):
        check_pins(make_facts(), Pins({}, {name: value}))
    check_pins(make_facts(), Pins({}, {"alpha": 0.25, "propagation_steps": 3}))
