"""Pinned settings that a candidate does not heed: warned of where another one does, refused where none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.costing import Costed, cost
from planner.pins import Pins
from techniques.base import SettingValue, Slot
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.job import Training
from techniques.step_shape import Draw

SAVINGS = ("checkpoint_layers", "precision")
"""What of a training is there to save memory: a forecast without it says whether it does."""
LEAST_SAVING = 0.02
"""Of the peak: less is smaller than what the forecast may be off by."""


def unheeded(facts: Facts, one: Costed, pins: Pins) -> dict[str, str]:
    """The pinned settings that change nothing about a candidate, each with why."""
    found = {}
    for name, value in pins.settings.items():
        why = _training_ignores(facts, one, name) if name in Training.model_fields else _nobody_reads(one, name)
        if why and value != getattr(Training(), name, None):
            found[name] = why
    return found


def _nobody_reads(one: Costed, name: str) -> str | None:
    return None if name in one.spec.settings else "none of its options reads it"


def _training_ignores(facts: Facts, one: Costed, name: str) -> str | None:
    own = facts.model.custom
    if name == "accumulate_batches" and one.figures.steps_per_epoch == 1:
        return "an epoch is one batch"
    if name == "dropout" and one.spec.options[Slot.ARCHITECTURE] == "custom" and own and not own.takes_dropout:
        return "your factory takes no argument of that name"
    if name == "dropout" and one.spec.settings.get("layers") == 1 and own is None:
        return "there is no layer before the only one to drop values of"
    return None


def pin_warnings(facts: Facts, one: Costed, pins: Pins, draw: Draw | None) -> tuple[str, ...]:
    """What the user has pinned in vain here."""
    ignored = unheeded(facts, one, pins)
    found = [f"{name}={_text(pins.settings[name])} has no effect here: {why}" for name, why in ignored.items()]
    base = Training()
    for name in SAVINGS:
        default = getattr(base, name)
        if pins.settings.get(name, default) != default and not _saves(facts, one, name, default, draw):
            found.append(f"{name}={_text(pins.settings[name])} saves no memory here by the forecast")
    return tuple(found)


def _saves(facts: Facts, one: Costed, name: str, default: SettingValue, draw: Draw | None) -> bool:
    training = one.spec.training.model_copy(update={name: default})
    without = cost(facts, one.spec.model_copy(update={"training": training}), draw)
    pairs = zip(_peaks(one.figures), _peaks(without), strict=True)
    return any(with_it < (1 - LEAST_SAVING) * plain for with_it, plain in pairs)


def _peaks(figures: object) -> tuple[float, ...]:
    return tuple(getattr(figures, name).expected for name in ("peak_host_bytes", "peak_device_bytes"))


def refuse_unheeded(facts: Facts, considered: Sequence[Costed], pins: Pins) -> None:
    """Refuse a setting that no candidate heeds.

    Raises:
        OptionError: with why, and the choices that it was pinned beside.
    """
    if not considered or not pins.settings:
        return
    ignored = [unheeded(facts, one, pins) for one in considered]
    for name in pins.settings:
        reasons = [one[name] for one in ignored if name in one]
        if len(reasons) == len(considered):
            beside = _beside(pins.options)
            raise OptionError(
                f"{name}={_text(pins.settings[name])} has no effect{beside}: {reasons[0]}", f"Drop --set {name}"
            )


def _beside(options: Mapping[Slot, str]) -> str:
    return f" with {', '.join(f'{slot.value}={name}' for slot, name in options.items())}" if options else ""


def _text(value: SettingValue) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
