"""Suggestions: every one a spec that can be composed, with the pins in it."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from planner.api import make_plan
from planner.proposal import BASELINE_NAME, Pins, check, knobs_of
from techniques.base import Slot
from techniques.job import compose
from tuner.space import BASELINE_LEARNING_RATES, LEARNING_RATES, MAX_FAMILIES, default_parameters, families, suggest

TRIALS = 60


@pytest.fixture
def study() -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))


@pytest.fixture
def choices(make_facts: Any) -> Any:
    facts = make_facts((50_000, 400_000, 64, 5))
    plan = make_plan(facts, Pins())
    return facts, families(plan.candidates, plan.baseline)


def _ask(study: Any, facts: Any, choices: Any, pins: Pins, count: int = TRIALS) -> list[Any]:
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append((trial, *suggest(trial, facts, choices, pins)))
        study.tell(trial, 1.0)
    return found


def test_every_suggestion_is_usable_and_in_bounds(study: Any, choices: Any) -> None:
    facts, known = choices
    seen = set()
    for _, family, spec in _ask(study, facts, known, Pins()):
        seen.add(family)
        assert check(facts, spec).usable
        assert compose(spec, facts)
        assert LEARNING_RATES[0] <= spec.training.learning_rate <= LEARNING_RATES[1]
        assert spec.options == known[family].options
        for knob in knobs_of(facts, spec):
            value = spec.settings[knob.name]
            if knob.low is not None and knob.high is not None and knob.tuned:
                assert knob.low <= value <= knob.high
    assert seen == set(known)
    assert len(known) <= MAX_FAMILIES + 1


def test_the_baseline_varies_its_learning_rate_alone(study: Any, choices: Any) -> None:
    facts, known = choices
    base = known[BASELINE_NAME].spec
    for trial, family, spec in _ask(study, facts, known, Pins()):
        if family == BASELINE_NAME:
            assert set(trial.params) == {"family", "learning_rate"}
            assert spec.settings == base.settings
            rate = spec.training.learning_rate
            assert spec.training == base.training.model_copy(update={"learning_rate": rate})


def test_pins_are_respected_and_not_asked_for(study: Any, make_facts: Any) -> None:
    facts = make_facts((50_000, 400_000, 64, 5))
    pins = Pins(
        {Slot.SAMPLING: "neighbor"},
        {"batch_size": 256, "fanouts": (7, 3), "layers": 2, "learning_rate": 0.004, "dropout": 0.1},
    )
    plan = make_plan(facts, pins)
    known = families(plan.candidates, None)
    for trial, _, spec in _ask(study, facts, known, pins, 20):
        assert (spec.settings["batch_size"], spec.settings["fanouts"]) == (256, (7, 3))
        assert (spec.training.learning_rate, spec.training.dropout) == (0.004, 0.1)
        assert not {"batch_size", "learning_rate", "dropout"} & set(trial.params)
        assert not any(name.startswith("fanouts") for name in trial.params)


def test_names_carry_the_family_where_distributions_differ(study: Any, choices: Any) -> None:
    """Optuna refuses one name with two lists of choices; a journal would keep the study from going on."""
    facts, known = choices
    _ask(study, facts, known, Pins())
    kinds: dict[str, set[str]] = {}
    for trial in study.trials:
        for name, distribution in trial.distributions.items():
            kinds.setdefault(name, set()).add(repr(distribution))
    assert all(len(found) == 1 for found in kinds.values()), kinds


def test_default_parameters_lead_back_to_the_candidate(study: Any, choices: Any) -> None:
    facts, known = choices
    for name, candidate in known.items():
        rate = BASELINE_LEARNING_RATES[1]
        study.enqueue_trial(default_parameters(name, candidate, facts, Pins(), rate))
        trial = study.ask()
        family, spec = suggest(trial, facts, known, Pins())
        assert family == name
        training = candidate.training.model_copy(update={"learning_rate": rate})
        assert spec == candidate.spec.model_copy(update={"training": training})
        study.tell(trial, 1.0)


def test_whatever_wins_keeps_what_is_pinned(study: Any, make_facts: Any) -> None:
    facts = make_facts((50_000, 400_000, 64, 5))
    pins = Pins({Slot.ARCHITECTURE: "gcn"}, {"hidden": 48, "learning_rate": 0.02, "weight_decay": 0.0})
    plan = make_plan(facts, pins)
    known = families(plan.candidates, plan.baseline)
    assert BASELINE_NAME in known
    for _, _, spec in _ask(study, facts, known, pins, 30):
        assert spec.options[Slot.ARCHITECTURE] == "gcn" and spec.settings["hidden"] == 48
        assert (spec.training.learning_rate, spec.training.weight_decay) == (0.02, 0.0)
