"""What saves activations: layers computed again, bf16, accumulated batches."""

from __future__ import annotations

from typing import Any

import pytest

from planner.costing import candidate, cost, fits, fitted
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.base import Slot
from techniques.errors import OptionError

NEIGHBOR = Pins({Slot.SAMPLING: "neighbor", Slot.HARDWARE: "cpu", Slot.ARCHITECTURE: "sage"})
GIN = Pins({Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cpu", Slot.ARCHITECTURE: "gin", Slot.REPRESENTATION: "csr"})


GAT_ON_GPU = Pins(
    {Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cuda", Slot.ARCHITECTURE: "gat", Slot.REPRESENTATION: "coo"}
)


MANY_LAYERS = {"layers": 8, "hidden": 256}


def peak(facts: Any, pins: Pins, **values: Any) -> tuple[int, int]:
    figures = cost(facts, make_spec(facts, Pins(pins.options, {**MANY_LAYERS, **values}), {}))
    return figures.needs_host_bytes, figures.needs_device_bytes


def ampere(make_facts: Any, device: int, capability: str | None = "8.0") -> Any:
    facts = make_facts((100_000, 1_000_000, 64, 5), device=device)
    gpu = facts.hardware.gpus[0].model_copy(update={"compute_capability": capability})
    return facts.model_copy(update={"hardware": facts.hardware.model_copy(update={"gpus": (gpu,)})})


def test_layers_are_computed_again_before_anything_else_is_given_up(make_facts: Any) -> None:
    graph = (200_000, 1_000_000, 64, 5)
    whole, saving = (peak(make_facts(graph), GIN, checkpoint_layers=one)[0] for one in (False, True))
    assert saving < 0.8 * whole
    facts = make_facts(graph, host=(saving + whole) // 2)
    pins = Pins(GIN.options, MANY_LAYERS)
    found = fitted(facts, make_spec(facts, pins, {}), pins, None)
    assert found.spec.training.checkpoint_layers and found.spec.training.precision == "fp32"
    assert fits(facts, found.figures)
    assert "checkpoint_layers true" in found.changes[0].text
    assert candidate(facts, found, ()).spec == found.spec


def test_a_pinned_choice_to_keep_everything_stays(make_facts: Any) -> None:
    graph = (200_000, 1_000_000, 64, 5)
    facts = make_facts(graph, host=peak(make_facts(graph), GIN, checkpoint_layers=True)[0])
    pins = Pins(GIN.options, {**MANY_LAYERS, "checkpoint_layers": False})
    found = fitted(facts, make_spec(facts, pins, {}), pins, None)
    assert found.changes == () and not fits(facts, found.figures)


@pytest.mark.parametrize("capability", ["8.0", "9.0", "7.5", None])
def test_bf16_is_offered_where_a_gpu_multiplies_it(make_facts: Any, capability: str | None) -> None:
    plenty = ampere(make_facts, 2**40)
    pins = Pins(GAT_ON_GPU.options, MANY_LAYERS)
    needed = {
        name: peak(plenty, GAT_ON_GPU, **values)[1]
        for name, values in {
            "plain": {},
            "checkpointed": {"checkpoint_layers": True},
            "both": {"checkpoint_layers": True, "precision": "bf16"},
        }.items()
    }
    assert needed["both"] < needed["checkpointed"] < needed["plain"]
    facts = ampere(make_facts, (needed["both"] + needed["checkpointed"]) // 2, capability)
    found = fitted(facts, make_spec(facts, pins, {}), pins, None)
    offered = capability in ("8.0", "9.0")
    assert (found.spec.training.precision == "bf16") is offered
    assert fits(facts, found.figures) is offered
    if offered:
        assert "precision bf16" in found.changes[0].text and "device" in found.changes[0].rule


def test_bf16_is_never_offered_on_a_cpu(make_facts: Any) -> None:
    graph = (200_000, 1_000_000, 64, 5)
    pins = Pins(GIN.options, MANY_LAYERS)
    both = peak(make_facts(graph), GIN, checkpoint_layers=True, precision="bf16")[0]
    facts = make_facts(graph, host=both, device=2**34)
    assert both < peak(make_facts(graph), GIN, checkpoint_layers=True)[0]
    found = fitted(facts, make_spec(facts, pins, {}), pins, None)
    assert found.spec.training.precision == "fp32"


def test_computing_again_costs_time_and_bf16_gains_none(make_facts: Any) -> None:
    facts = make_facts()
    plain, narrow, again = (
        cost(facts, make_spec(facts, Pins(GIN.options, values), {})).epoch_seconds.expected
        for values in ({}, {"precision": "bf16"}, {"checkpoint_layers": True})
    )
    assert narrow == plain, "no gain is counted, so it is never preferred"
    assert plain < again < 1.5 * plain


def test_accumulated_steps_are_fewer(make_facts: Any) -> None:
    facts = make_facts((1_000_000, 5_000_000, 64, 5))
    one, ten = (
        cost(facts, make_spec(facts, Pins(NEIGHBOR.options, {"accumulate_batches": count}), {})) for count in (1, 10)
    )
    assert ten.epochs_to_converge.expected > one.epochs_to_converge.expected
    more = ten.peak_host_bytes.expected - one.peak_host_bytes.expected
    # What comes on top of a small step is 0.4 times its live bytes.
    assert 0 <= more <= 1.4 * 4.1 * one.parameters, "gradients of the batch before stay beside new ones"


def test_who_pins_bf16_is_told_what_it_costs(make_facts: Any) -> None:
    from planner.proposal import check

    facts = make_facts()
    spec = make_spec(facts, Pins(GIN.options, {"precision": "bf16"}), {})
    slow, widened = check(facts, spec).warnings
    assert "slower" in slow and "float32" in widened
    assert check(facts, make_spec(facts, GIN, {})).warnings == ()
    old = ampere(make_facts, 2**34, "7.5")
    assert "8.0" in check(old, make_spec(old, Pins(GAT_ON_GPU.options, {"precision": "bf16"}), {})).warnings[0]
    new = ampere(make_facts, 2**34, "8.6")
    assert check(new, make_spec(new, Pins(GAT_ON_GPU.options, {"precision": "bf16"}), {})).warnings == ()


@pytest.mark.parametrize("name", ["precision", "accumulate_batches", "checkpoint_layers"])
def test_values_that_make_no_sense_are_refused(make_facts: Any, name: str) -> None:
    facts = make_facts()
    for value in ("half", 0 if name == "accumulate_batches" else 7):
        with pytest.raises(OptionError, match=f"{name} is not valid"):
            make_spec(facts, Pins(GIN.options, {name: value}), {})
