"""Pins that do not exist, or that no knob can take, are refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.api import pins_of
from planner.pins import Pins, check_pins
from techniques.base import Slot
from techniques.errors import OptionError

BAD_SETTINGS = [
    ("batch_sise", 5, "batch_sise"),
    ("batch_size", 0, "batch_size"),
    ("batch_size", -1, "batch_size"),
    ("batch_size", "many", "batch_size"),
    ("batch_size", 2.5, "batch_size"),
    ("batch_size", (1, 2), "batch_size"),
    ("hidden", 0, "hidden"),
    ("hidden", "wide", "hidden"),
    ("layers", 0, "layers"),
    ("layers", 10**9, "layers"),
    ("heads", 0, "heads"),
    ("fanouts", "all", "fanouts"),
    ("fanouts", (5, 0), "fanouts"),
    ("fanouts", (5, -2), "fanouts"),
    ("prefetch", -1, "prefetch"),
    ("prefetch", 10**6, "prefetch"),
    ("threads", 0, "threads"),
    ("threads", 1000, "threads"),
    ("trim", "maybe", "trim"),
    ("learning_rate", "fast", "learning_rate"),
    ("learning_rate", -0.1, "learning_rate"),
    ("learning_rate", 0.0, "learning_rate"),
    ("dropout", 1.5, "dropout"),
    ("dropout", -0.5, "dropout"),
    ("weight_decay", -1.0, "weight_decay"),
    ("max_epochs", 0, "max_epochs"),
    ("patience_evaluations", 0, "patience_evaluations"),
    ("optimizer", "sgdd", "optimizer"),
]


@pytest.mark.parametrize(("name", "value", "named"), BAD_SETTINGS)
def test_a_bad_setting_is_one_line_that_names_it(name: str, value: Any, named: str, make_facts: Any) -> None:
    with pytest.raises(OptionError) as caught:
        check_pins(make_facts(), Pins({}, {name: value}))
    message = str(caught.value)
    assert named in message and "\n" not in message and caught.value.remedy
    assert len(message) < 300


def test_lists_and_numbers_of_numpy_are_what_they_stand_for() -> None:
    pins = pins_of({}, {"fanouts": [np.int64(5), 3], "hidden": np.int32(16), "trim": np.bool_(True)})
    assert pins.settings == {"fanouts": (5, 3), "hidden": 16, "trim": True}
    assert type(pins.settings["hidden"]) is int


def test_two_depths_are_refused_with_the_rule(make_facts: Any) -> None:
    with pytest.raises(OptionError, match="3 layers need 3 fanouts, got 2"):
        check_pins(make_facts(), Pins({}, {"layers": 3, "fanouts": (10, 5)}))
    check_pins(make_facts(), Pins({}, {"layers": 1, "fanouts": 10}))


def test_an_unknown_option_is_refused_with_the_known_ones(make_facts: Any) -> None:
    with pytest.raises(OptionError, match="no option 'nieghbor'") as caught:
        check_pins(make_facts(), Pins({Slot.SAMPLING: "nieghbor"}))
    assert "full_batch, neighbor" in caught.value.remedy
