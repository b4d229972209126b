"""The baseline: PyG's usual defaults, and around a pinned architecture or own module still the user's own choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import plan
from planner.api import make_plan
from planner.baseline import BASELINE_SETTINGS, baseline_spec
from planner.pins import Pins
from planner.proposal import check
from planner.records import Plan
from techniques import options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Slot
from techniques.facts import ModelFacts
from techniques.job import Training

GPU = 2**34
UNTYPED = [one.name for one in options(Slot.ARCHITECTURE) if one.name not in (*TYPED, "custom")]


def test_the_baseline_is_pygs_example(make_facts: Any) -> None:
    spec = baseline_spec(make_facts())
    assert spec.options[Slot.ARCHITECTURE] == "sage" and spec.options[Slot.HARDWARE] == "cpu"
    assert {name: spec.settings[name] for name in BASELINE_SETTINGS} == BASELINE_SETTINGS
    assert spec.training.learning_rate == Training().learning_rate == 0.01
    assert baseline_spec(make_facts(device=GPU)).options[Slot.HARDWARE] == "cuda"


@pytest.mark.parametrize("architecture", UNTYPED)
@pytest.mark.parametrize("named", ["fixed", "model"])
def test_a_pinned_architecture_is_the_baselines_too(architecture: str, named: str, make_facts: Any) -> None:
    model = ModelFacts(architecture=architecture) if named == "model" else None
    pins = Pins({Slot.ARCHITECTURE: architecture} if named == "fixed" else {}, {"learning_rate": 0.02})
    facts = make_facts(model=model)
    spec = baseline_spec(facts, pins)
    assert spec.options[Slot.ARCHITECTURE] == architecture and check(facts, spec).usable
    assert spec.training.learning_rate == 0.02
    takes_neighbors = architecture not in ("appnp", "sgc", "sign")
    assert spec.options[Slot.SAMPLING] == ("neighbor" if takes_neighbors else "full_batch")
    if takes_neighbors:
        assert spec.settings["fanouts"] == (25, 10) and spec.settings["batch_size"] == 1024


@pytest.mark.parametrize(
    ("fixed", "settings"),
    [
        ({Slot.SAMPLING: "cluster"}, {"num_parts": 7}),
        ({Slot.SAMPLING: "neighbor"}, {"fanouts": (7, 6, 5)}),
        ({Slot.REPRESENTATION: "csr"}, {"layers": 3, "hidden": 48}),
        ({Slot.ARCHITECTURE: "gat"}, {"heads": 2, "dropout": 0.1, "weight_decay": 0.0}),
        ({Slot.SAMPLING: "shadow_k_hop", Slot.REPRESENTATION_FEATURES: "half"}, {"depth": 3}),
        ({Slot.COARSENING: "heavy_edge"}, {"coarsen_ratio": 0.4}),
    ],
)
def test_every_pin_holds_for_the_baseline(fixed: dict[Slot, str], settings: dict[str, Any], make_facts: Any) -> None:
    facts = make_facts((50_000, 400_000, 64, 5))
    spec = baseline_spec(facts, Pins(fixed, settings))
    assert check(facts, spec).usable
    assert {slot: spec.options[slot] for slot in fixed} == fixed
    held = {**spec.settings, **spec.training.model_dump()}
    assert {name: held[name] for name in settings} == settings
    if "fanouts" in spec.settings:
        assert len(spec.settings["fanouts"]) == spec.settings["layers"], "a fanout for every layer"


def test_an_own_module_keeps_its_width_and_depth(make_facts: Any, own_model: Any) -> None:
    facts = make_facts(model=own_model(hidden=32))
    spec = baseline_spec(facts, Pins())
    assert (spec.options[Slot.ARCHITECTURE], spec.options[Slot.SAMPLING]) == ("custom", "neighbor")
    assert spec.settings["hidden"] != BASELINE_SETTINGS["hidden"]
    assert spec.settings["batch_size"] == 1024 and check(facts, spec).usable


def test_a_saved_plan_remembers_what_was_pinned(make_facts: Any, tmp_path: Path) -> None:
    made = plan(make_facts().graph, fix={"architecture": "gcn"}, set={"hidden": 48, "fanouts": (5, 5)})
    made.save(tmp_path / "plan.json")
    loaded = Plan.load(tmp_path / "plan.json")
    assert loaded.pinned_options == {Slot.ARCHITECTURE: "gcn"}
    assert loaded.pinned_settings == {"hidden": 48, "fanouts": (5, 5)}
    assert loaded.baseline is not None and loaded.baseline.options[Slot.ARCHITECTURE] == "gcn"


@pytest.mark.parametrize("architecture", [one.name for one in options(Slot.ARCHITECTURE) if one.name != "custom"])
@pytest.mark.parametrize("sampling", [one.name for one in options(Slot.SAMPLING)])
def test_every_architecture_and_sampler_together_plan_or_are_refused(
    make_facts: Any, architecture: str, sampling: str
) -> None:
    """What cannot be used together has a baseline all the same, and one that can be used."""
    facts = make_facts()
    pins = Pins({Slot.ARCHITECTURE: architecture, Slot.SAMPLING: sampling})
    assert check(facts, baseline_spec(facts, pins)).usable
    make_plan(facts, pins)
