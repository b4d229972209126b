"""What the user has fixed: options, settings and values of the training, and whether there are such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeGuard

from techniques import option, options
from techniques.base import Knob, SettingValue, Slot
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.job import Training


@dataclass(frozen=True)
class Pins:
    """What the user has fixed: options by slot, settings and training values by name."""

    options: Mapping[Slot, str] = field(default_factory=dict)
    settings: Mapping[str, SettingValue] = field(default_factory=dict)

    def training(self, base: Training) -> Training:
        """``base`` with the pinned values.

        Raises:
            OptionError: a value of the wrong kind.
        """
        pinned = {name: value for name, value in self.settings.items() if name in Training.model_fields}
        if not pinned:
            return base
        try:
            return Training.model_validate({**base.model_dump(), **pinned})
        except ValueError as error:
            name, rule = (line.strip() for line in str(error).splitlines()[1:3])
            raise OptionError(
                f"{name} is not valid, got {pinned.get(name)!r} ({rule.split(' [')[0]})",
                f"Write --set {name}={getattr(base, name, '')}",
            ) from None


def check_pins(facts: Facts, pins: Pins) -> None:
    """Refuse options and settings that do not exist, and values that no knob can take.

    Raises:
        OptionError: with the names that do, or the values that can be.
    """
    for slot, name in pins.options.items():
        option(slot, name)
    own = facts.model.custom
    refuse_two_models(own.factory if own else facts.model.architecture, pins)
    if not pins.settings:
        return
    pins.training(Training())
    knobs = {knob.name: knob for slot in Slot for one in options(slot) for knob in one.knobs(facts)}
    allowed = {slot: pins.options.get(slot) for slot in Slot}
    if allowed[Slot.ARCHITECTURE] is None:
        allowed[Slot.ARCHITECTURE] = facts.model.architecture
    chosen = [one for slot in Slot for one in options(slot) if allowed[slot] in (None, one.name)]
    used = {knob.name for one in chosen for knob in one.knobs(facts)}
    for name, value in pins.settings.items():
        if name in knobs:
            _check_value(knobs[name], value)
            if name not in used:
                pinned = ", ".join(f"{slot.value}={one}" for slot, one in pins.options.items())
                raise OptionError(f"{name} has no effect with {pinned}", f"Drop --set {name} or the choice")
        elif name not in Training.model_fields:
            known = sorted({*knobs, *Training.model_fields})
            close = get_close_matches(name, known, n=1)
            remedy = f"Did you mean {close[0]}?" if close else f"Choose one of: {', '.join(known)}"
            raise OptionError(f"there is no knob {name!r}", remedy)
    _refuse_another_depth(pins)


def refuse_two_models(named: str | None, pins: Pins) -> None:
    """One model: by name, as ``module:factory``, or as the architecture that is fixed.

    Raises:
        OptionError: two of them, or an own one that is not named.
    """
    fixed = pins.options.get(Slot.ARCHITECTURE)
    if fixed == "custom" and named is None:
        raise OptionError("architecture=custom needs a module of your own, got none", "Write --model module:factory")
    if fixed is None or named is None or fixed == named or (fixed == "custom" and ":" in named):
        return
    raise OptionError(f"--model {named} and architecture={fixed} are two models", "Leave one of them out")


def _refuse_another_depth(pins: Pins) -> None:
    """Neighbours are drawn once per layer."""
    layers, fanouts = pins.settings.get("layers"), pins.settings.get("fanouts")
    count = len(fanouts) if isinstance(fanouts, tuple) else 1
    if layers is not None and fanouts is not None and layers != count:
        raise OptionError(f"{layers} layers need {layers} fanouts, got {count}", "Pin one of layers and fanouts")


def _check_value(knob: Knob, value: SettingValue) -> None:
    """Choices are what tuning tries, not all that is allowed; kinds and bounds are.

    Raises:
        OptionError: a value of another kind or out of bounds.
    """
    rule = _broken_rule(knob, value)
    if rule is not None:
        default = ",".join(map(str, knob.default)) if isinstance(knob.default, tuple) else str(knob.default).lower()
        raise OptionError(f"{knob.name} must be {rule}, got {value!r}", f"Write --set {knob.name}={default}")


def _broken_rule(knob: Knob, value: SettingValue) -> str | None:
    """What a value must be, where it is not."""
    if isinstance(knob.default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(knob.default, tuple):
        return None if _are_fanouts(value) else "whole numbers of at least 1, or -1 for all neighbours"
    if isinstance(knob.default, str):
        names = ", ".join(map(str, knob.choices))
        return f"one of {names}" if knob.choices and value not in knob.choices else None
    most = float("inf") if knob.high is None else knob.high
    if isinstance(knob.default, float):
        least = knob.low or 0.0
        within = _is_number(value) and least <= value <= most
        return None if within else f"a number from {least:g} to {most:g}"
    low = int(1 if knob.low is None else knob.low)
    limit = f"of at least {low}" if knob.high is None else f"from {low} to {int(most)}"
    return None if _is_whole(value) and low <= value <= most else f"a whole number {limit}"


def _are_fanouts(value: SettingValue) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return all(_is_whole(part) and (part >= 1 or part == -1) for part in parts)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    """Whole numbers may stand for fractions."""
    return _is_whole(value) or isinstance(value, float)
