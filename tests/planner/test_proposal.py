"""Which combinations are proposed, with which settings, and what pins do to both."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from planner.pins import Pins
from planner.proposal import BY_NAME, SAFE, Refusal, check, knobs_of, make_spec, proposals, spec_name
from techniques import options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.facts import ModelFacts
from techniques.job import JobSpec

GPU = 2**34


def split(facts: Any, pins: Pins = Pins()) -> tuple[list[JobSpec], list[Refusal]]:  # noqa: B008 - frozen
    found = list(proposals(facts, pins))
    specs = [one for one in found if isinstance(one, JobSpec)]
    return specs, [one for one in found if isinstance(one, Refusal)]


def test_every_combination_is_a_spec_or_a_refusal(make_facts: Any) -> None:
    specs, refusals = split(make_facts(device=GPU))
    samplers = {one.name for one in options(Slot.SAMPLING)} - {"link_neighbor", "rows", "graph_batch", "dynamic_batch"}
    found = specs + [refusal.spec for refusal in refusals]
    untyped = [one for one in options(Slot.ARCHITECTURE) if one.name not in TYPED]
    assert not any(spec.options[Slot.ARCHITECTURE] in TYPED for spec in found), "a graph of one type"
    for hardware, architecture in product(options(Slot.HARDWARE), untyped):
        mine = [
            spec.options
            for spec in found
            if (spec.options[Slot.HARDWARE], spec.options[Slot.ARCHITECTURE]) == (hardware.name, architecture.name)
        ]
        if architecture.name in BY_NAME:
            assert mine == []
            continue
        wanted = samplers if hardware.name == "cuda" else set(SAFE[:2])
        assert {one[Slot.SAMPLING] for one in mine} == wanted, "alternatives to measure are for the GPU alone"
        for sampling in SAFE[:2]:
            shapes = {one[Slot.REPRESENTATION] for one in mine if one[Slot.SAMPLING] == sampling}
            assert shapes == {one.name for one in options(Slot.REPRESENTATION)}
    assert len({spec_name(spec) for spec in specs}) == len(specs), "names tell candidates apart"
    facts = make_facts(device=GPU)
    assert all(check(facts, spec).usable for spec in specs)
    for refusal in refusals:
        assert not refusal.verdict.usable and refusal.verdict.reasons


def test_without_a_gpu_nothing_on_cuda_is_proposed(make_facts: Any) -> None:
    specs, refusals = split(make_facts())
    assert {spec.options[Slot.HARDWARE] for spec in specs} == {"cpu"}
    assert {refusal.spec.options[Slot.HARDWARE] for refusal in refusals} == {"cpu", "cuda"}


def test_every_slot_and_every_knob_is_filled(make_facts: Any) -> None:
    facts = make_facts()
    for spec in split(facts)[0]:
        assert set(spec.options) == set(Slot)
        assert set(spec.settings) == {knob.name for knob in knobs_of(facts, spec)}


def test_sparse_features_are_taken_where_they_pay(make_facts: Any) -> None:
    facts = make_facts()
    sparse = facts.graph.model_copy(update={"features": facts.graph.features.model_copy(update={"nonzeros": 9})})
    assert {spec.options[Slot.REPRESENTATION_FEATURES] for spec in split(facts)[0]} == {"dense"}
    assert {spec.options[Slot.REPRESENTATION_FEATURES] for spec in split(make_facts(sparse))[0]} == {"csr"}


@pytest.mark.parametrize(
    ("slot", "name"), [("sampling", "neighbor"), ("architecture", "gat"), ("representation", "coo")]
)
def test_a_pinned_option_is_the_only_one(slot: str, name: str, make_facts: Any) -> None:
    specs, _ = split(make_facts(), Pins({Slot(slot): name}))
    assert specs
    assert {spec.options[Slot(slot)] for spec in specs} == {name}


def test_a_pinned_setting_is_used_wherever_it_applies(make_facts: Any) -> None:
    pins = Pins({}, {"batch_size": 77, "hidden": 40, "learning_rate": 0.5})
    for spec in split(make_facts(), pins)[0]:
        assert spec.settings["hidden"] == 40
        assert spec.training.learning_rate == 0.5
        assert spec.settings.get("batch_size") in (77, None)


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_one_fanout_per_layer(layers: int, make_facts: Any) -> None:
    for facts, pins in (
        (make_facts(), Pins({}, {"layers": layers})),
        (make_facts(model=ModelFacts(layers=layers)), Pins()),
    ):
        for spec in split(facts, pins)[0]:
            assert spec.settings["layers"] == layers
            assert len(spec.settings.get("fanouts", (0,) * layers)) == layers


def test_pinned_fanouts_decide_the_layers(make_facts: Any) -> None:
    """``--set fanouts=15,10,5`` alone is meant, not refused."""
    specs, _ = split(make_facts(), Pins({Slot.SAMPLING: "neighbor"}, {"fanouts": (15, 10, 5)}))
    assert specs
    for spec in specs:
        assert (spec.settings["fanouts"], spec.settings["layers"]) == ((15, 10, 5), 3)


def test_fanouts_and_layers_that_contradict_are_refused(make_facts: Any) -> None:
    """Of a spec, however it was made; pins that contradict are refused before (``test_pins.py``)."""
    facts = make_facts()
    spec = split(facts, Pins({Slot.SAMPLING: "neighbor"}, {"fanouts": (5, 5)}))[0][0]
    deeper = spec.model_copy(update={"settings": spec.settings | {"layers": 3}})
    assert check(facts, spec).usable
    assert check(facts, deeper).reasons[0].text == "3 layers need 3 fanouts, got 2"


def test_a_width_that_heads_do_not_divide_refuses_attention_only(make_facts: Any) -> None:
    specs, refusals = split(make_facts(), Pins({}, {"hidden": 30}))
    assert {spec.options[Slot.ARCHITECTURE] for spec in specs} == {"gcn", "sage", "gin", "appnp"}
    assert any("30" in refusal.verdict.reasons[0].text for refusal in refusals)


def test_the_model_facts_choose_the_architecture(make_facts: Any) -> None:
    facts = make_facts(model=ModelFacts(architecture="gin", hidden=48))
    assert {(s.options[Slot.ARCHITECTURE], s.settings["hidden"]) for s in split(facts)[0]} == {("gin", 48)}


def test_context_sets_the_depth(make_facts: Any) -> None:
    specs, _ = split(make_facts(context_hops=4))
    deep = [spec for spec in specs if spec.options[Slot.SAMPLING] != "shadow_k_hop"]
    egos = [spec for spec in specs if spec.options[Slot.SAMPLING] == "shadow_k_hop"]
    assert {spec.settings["layers"] for spec in deep} == {4}
    assert {(spec.settings["depth"], spec.settings["layers"]) for spec in egos} == {(4, 3)}, "reach apart from depth"


def test_unusual_choices_show_in_the_name(make_facts: Any) -> None:
    chosen = {Slot.SAMPLING: "neighbor", Slot.REMOTE_FEATURES: "memmap"}
    assert spec_name(make_spec(make_facts(), Pins(chosen), {})) == "sage/neighbor/csr/cpu+memmap"


def test_a_whole_number_may_stand_for_a_fraction(make_facts: Any) -> None:
    specs, _ = split(make_facts(), Pins({}, {"learning_rate": 1, "dropout": 0}))
    assert {(spec.training.learning_rate, spec.training.dropout) for spec in specs} == {(1.0, 0.0)}


def test_a_single_fanout_is_a_list_of_one(make_facts: Any) -> None:
    """The command line reads ``fanouts=10`` as a number."""
    pins = Pins({Slot.SAMPLING: "neighbor"}, {"fanouts": 10, "layers": 1})
    assert {spec.settings["fanouts"] for spec in split(make_facts(), pins)[0]} == {(10,)}


def test_sgc_sign_and_own_modules_are_for_those_who_name_them(make_facts: Any) -> None:
    unasked, refused = split(make_facts())
    named = {spec.options[Slot.ARCHITECTURE] for spec in unasked} | {
        one.spec.options[Slot.ARCHITECTURE] for one in refused
    }
    assert not named & {"sgc", "sign", "custom"}
    for asked in (make_facts(model=ModelFacts(architecture="sign")), make_facts()):
        pins = Pins() if asked.model.architecture else Pins({Slot.ARCHITECTURE: "sign"})
        assert {spec.options[Slot.SAMPLING] for spec in split(asked, pins)[0]} == {"full_batch", "rows"}
