"""Knobs to Optuna suggestions: one categorical for the family, then the family's own knobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from planner.proposal import BASELINE_NAME, Pins, knobs_of
from planner.records import Candidate
from techniques.base import Knob, SettingValue, Slot
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.sampling.neighbor import FANOUT_CHOICES

if TYPE_CHECKING:
    from optuna.trial import Trial

MAX_FAMILIES = 6
MAX_SAMPLERS = 3
"""Samplers that are tried at least: which one is best is found by experiment (source, technique 4)."""
LEARNING_RATES = (1e-3, 5e-2)
BASELINE_LEARNING_RATES = (0.01, 0.003, 0.03)
DROPOUTS = (0.0, 0.3, 0.5)


def families(candidates: Sequence[Candidate], baseline: Candidate | None) -> dict[str, Candidate]:
    """The plan's best candidates, and PyG's defaults with the same search of their learning rate."""
    first = {one.options[Slot.SAMPLING]: one for one in reversed(candidates)}  # the best of each sampler
    samplers = sorted(first.values(), key=candidates.index)[:MAX_SAMPLERS]
    chosen = samplers + [one for one in candidates if one not in samplers][: MAX_FAMILIES - len(samplers)]
    found = {one.name: one for one in sorted(chosen, key=candidates.index)}
    if baseline is not None:
        found[BASELINE_NAME] = baseline
    return found


def suggest(trial: Trial, facts: Facts, choices: dict[str, Candidate], pins: Pins) -> tuple[str, JobSpec]:
    """One point of the search space."""
    family = trial.suggest_categorical("family", list(choices))
    base = choices[family].spec
    training: dict[str, SettingValue] = {}
    if "learning_rate" not in pins.settings:
        training["learning_rate"] = trial.suggest_float("learning_rate", *LEARNING_RATES, log=True)
    if family == BASELINE_NAME:
        return family, base.model_copy(update={"training": base.training.model_copy(update=training)})
    if "dropout" not in pins.settings:
        training["dropout"] = trial.suggest_categorical("dropout", DROPOUTS)
    settings = dict(base.settings)
    for knob in knobs_of(facts, base):
        if knob.tuned and knob.name not in pins.settings:
            settings[knob.name] = _suggest(trial, knob, base)
    updated = {"settings": settings, "training": base.training.model_copy(update=training)}
    return family, base.model_copy(update=updated)


def default_parameters(
    family: str, candidate: Candidate, facts: Facts, pins: Pins, learning_rate: float
) -> dict[str, Any]:
    """The point of the search space that is the candidate as the plan has it, but for the learning rate."""
    found: dict[str, Any] = {"family": family}
    if "learning_rate" not in pins.settings:
        found["learning_rate"] = learning_rate
    if family == BASELINE_NAME:
        return found
    if "dropout" not in pins.settings:
        found["dropout"] = candidate.training.dropout
    for knob in knobs_of(facts, candidate.spec):
        if knob.tuned and knob.name not in pins.settings:
            value = candidate.settings[knob.name]
            found[_parameter(knob, candidate.spec)] = _text(value) if isinstance(value, tuple) else value
    return found


def _suggest(trial: Trial, knob: Knob, base: JobSpec) -> SettingValue:
    name = _parameter(knob, base)
    if knob.name == "fanouts":
        chosen = trial.suggest_categorical(name, [_text(one) for one in fanout_choices(base)])
        return tuple(int(part) for part in chosen.split(","))
    if knob.choices:
        choices = [one for one in knob.choices if not isinstance(one, tuple)]
        value = base.settings[knob.name]
        if value not in choices and not isinstance(value, tuple):
            choices.append(value)
        picked: Any = trial.suggest_categorical(name, choices)
        return picked  # type: ignore[no-any-return]
    assert knob.low is not None and knob.high is not None, "a knob has choices or bounds"
    if isinstance(knob.default, int):
        return trial.suggest_int(name, int(knob.low), int(knob.high), log=knob.log)
    return trial.suggest_float(name, knob.low, knob.high, log=knob.log)


def fanout_choices(base: JobSpec) -> list[tuple[int, ...]]:
    """Fanouts worth trying for this depth, the plan's own first."""
    own = base.settings["fanouts"]
    assert isinstance(own, tuple)
    return [own, *(one for one in FANOUT_CHOICES.get(len(own), ()) if one != own)]


def _parameter(knob: Knob, base: JobSpec) -> str:
    """Names carry the depth, or the choices, where they differ between families: Optuna's distributions are fixed."""
    if knob.name == "fanouts":
        return "fanouts_" + _text(fanout_choices(base)[0])
    if knob.name == "num_parts":  # its choices follow from the sampler's own default
        return f"num_parts_{base.options[Slot.SAMPLING]}"
    if knob.choices and base.settings[knob.name] not in knob.choices:
        return f"{knob.name}_{base.settings[knob.name]}"
    return knob.name


def _text(value: SettingValue) -> str:
    return ",".join(str(one) for one in value) if isinstance(value, tuple) else str(value)
