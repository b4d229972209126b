"""Settings that are pinned in vain are said, or refused where no candidate reads them."""

from __future__ import annotations

from typing import Any

import pytest

from planner.api import make_plan
from planner.pins import Pins
from techniques.base import SettingValue, Slot
from techniques.errors import OptionError

FULL = {Slot.SAMPLING: "full_batch"}


def said(plan: Any, name: str) -> dict[str, bool]:
    """Whether each candidate warns of a pin, by architecture and sampler."""
    return {
        f"{one.options[Slot.ARCHITECTURE]}/{one.options[Slot.SAMPLING]}": any(name in text for text in one.warnings)
        for one in plan.candidates
    }


@pytest.mark.parametrize(
    ("name", "value", "heeds"),
    [("aggregator", "max", "sage/"), ("heads", 2, "gat"), ("batch_size", 512, "/neighbor"), ("alpha", 0.2, "appnp/")],
)
def test_a_candidate_that_does_not_read_a_pin_says_so(
    name: str, value: SettingValue, heeds: str, make_facts: Any
) -> None:
    found = said(make_plan(make_facts((20_000, 200_000, 64, 5)), Pins({}, {name: value})), name)
    assert {one for one in found if heeds in one} <= {one for one, warned in found.items() if not warned}
    assert {one for one in found if "full_batch" in one and heeds not in one} <= {
        one for one, warned in found.items() if warned
    }
    assert len(set(found.values())) == 2


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        (
            FULL,
            {"accumulate_batches": 4},
            "accumulate_batches=4 has no effect with sampling=full_batch: an epoch is one",
        ),
        ({Slot.ARCHITECTURE: "gcn"}, {"layers": 1, "dropout": 0.3}, "dropout=0.3 has no effect"),
    ],
)
def test_what_no_candidate_heeds_is_refused(
    options: dict[Slot, str], settings: dict[str, SettingValue], words: str, make_facts: Any
) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        make_plan(make_facts(), Pins(options, settings))
    assert caught.value.remedy.startswith("Drop --set")


def test_accumulation_is_heeded_where_an_epoch_has_batches(make_facts: Any) -> None:
    found = said(make_plan(make_facts((50_000, 400_000, 64, 5)), Pins({}, {"accumulate_batches": 2})), "accumulate")
    assert found["sage/full_batch"] and not found["sage/neighbor"]


def test_a_saving_that_saves_nothing_is_said(make_facts: Any) -> None:
    pins = Pins({Slot.SAMPLING: "full_batch", Slot.REPRESENTATION: "csr"}, {"checkpoint_layers": True, "layers": 3})
    found = said(make_plan(make_facts((50_000, 400_000, 64, 5)), pins), "checkpoint_layers=true saves no memory")
    assert found["gcn/full_batch"] and not found["sage/full_batch"]


def test_an_own_module_without_dropout_says_so(make_facts: Any, own_model: Any) -> None:
    facts = make_facts(model=own_model())
    with pytest.raises(OptionError, match="your factory takes no argument of that name"):
        make_plan(facts, Pins({}, {"dropout": 0.3}))


def test_defaults_and_heeded_pins_are_not_talked_about(make_facts: Any) -> None:
    pins = Pins(FULL, {"hidden": 64, "learning_rate": 0.02, "accumulate_batches": 1})
    assert not any("has no effect" in text for one in make_plan(make_facts(), pins).candidates for text in one.warnings)
