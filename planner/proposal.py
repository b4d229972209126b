"""Facts to candidates: which combinations of options are worth a forecast, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from techniques import option, options
from techniques.base import Knob, SettingValue, Slot, Verdict
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.job import JobSpec, Training
from techniques.sampling.neighbor import default_fanouts

BASELINE_NAME = "pyg-default"
BASELINE_OPTIONS = {Slot.SAMPLING: "neighbor", Slot.REPRESENTATION: "coo", Slot.ARCHITECTURE: "sage"}
BASELINE_SETTINGS: dict[str, SettingValue] = {
    "layers": 2,
    "hidden": 256,
    "batch_size": 1024,
    "fanouts": (25, 10),
    "trim": False,
    "prefetch": 0,
}
"""PyG's examples/reddit.py: GraphSAGE, 2 x 256, num_neighbors=[25, 10], batch_size=1024, lr=0.01, no trimming."""


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
            first = str(error).splitlines()
            raise OptionError(
                f"training settings {pinned} are not valid ({first[1]}: {first[2].strip()})", "See README"
            ) from None


@dataclass(frozen=True)
class Refusal:
    """A combination that an option refused."""

    spec: JobSpec
    verdict: Verdict


def proposals(facts: Facts, pins: Pins) -> Iterator[JobSpec | Refusal]:
    """Every sensible combination; each is a spec, or a refusal with its reason.

    Features take the first form that is usable (CSR before dense); they stay in memory here, and ``costing`` falls
    back to a memory map where they do not fit.
    """
    check_pins(facts, pins)
    for hardware in _choices(Slot.HARDWARE, pins):
        for architecture in _architectures(facts, pins):
            for sampling in _choices(Slot.SAMPLING, pins):
                for representation in _choices(Slot.REPRESENTATION, pins):
                    yield _proposal(
                        facts,
                        pins,
                        {
                            Slot.SAMPLING: sampling,
                            Slot.REPRESENTATION: representation,
                            Slot.ARCHITECTURE: architecture,
                            Slot.HARDWARE: hardware,
                        },
                    )


def _proposal(facts: Facts, pins: Pins, chosen: Mapping[Slot, str]) -> JobSpec | Refusal:
    refusal: Refusal | None = None
    for features in reversed(_choices(Slot.REPRESENTATION_FEATURES, pins)):
        spec = make_spec(facts, pins, {**chosen, Slot.REPRESENTATION_FEATURES: features})
        verdict = check(facts, spec)
        if verdict.usable:
            return spec
        refusal = Refusal(spec, verdict)
    assert refusal is not None, "a slot has at least one option"
    return refusal


def make_spec(
    facts: Facts, pins: Pins, chosen: Mapping[Slot, str], base: Mapping[str, SettingValue] | None = None
) -> JobSpec:
    """Fill the slots and settings that were not chosen with their defaults; pins win over everything."""
    filled = {slot: pins.options.get(slot) or chosen.get(slot) or options(slot)[0].name for slot in Slot}
    settings: dict[str, SettingValue] = {}
    for slot, name in filled.items():
        settings |= {knob.name: knob.default for knob in option(slot, name).knobs(facts)}
    known = set(settings)
    settings |= {name: value for name, value in (base or {}).items() if name in known}
    settings |= {name: value for name, value in pins.settings.items() if name in known}
    explicit = "fanouts" in pins.settings or "fanouts" in (base or {})
    layers = settings.get("layers")
    if "fanouts" in settings and isinstance(layers, int) and not explicit:
        settings["fanouts"] = default_fanouts(layers)
    return JobSpec(options=filled, settings=settings, training=pins.training(Training()))


def check(facts: Facts, spec: JobSpec) -> Verdict:
    """The first refusal of the spec's options, or one verdict with all their warnings."""
    warnings: tuple[str, ...] = ()
    for slot, name in spec.options.items():
        verdict = option(slot, name).check(facts, spec)
        if not verdict.usable:
            return verdict
        warnings += verdict.warnings
    return Verdict(usable=True, warnings=warnings)


def baseline_spec(facts: Facts) -> JobSpec:
    """PyG's usual defaults, on the processor that PyG's examples would pick here."""
    hardware = "cuda" if facts.hardware.gpus else "cpu"
    chosen = {**BASELINE_OPTIONS, Slot.HARDWARE: hardware, Slot.REPRESENTATION_FEATURES: "dense"}
    return make_spec(facts, Pins(), chosen, BASELINE_SETTINGS)


def spec_name(spec: JobSpec) -> str:
    """Such as ``sage/neighbor/csr/cpu``; unusual choices are appended."""
    slots = (Slot.ARCHITECTURE, Slot.SAMPLING, Slot.REPRESENTATION, Slot.HARDWARE)
    name = "/".join(spec.options[slot] for slot in slots)
    if spec.options[Slot.REPRESENTATION_FEATURES] == "csr":
        name += "+sparse-features"
    if spec.options[Slot.REMOTE_FEATURES] == "memmap":
        name += "+memmap"
    return name


def knobs_of(facts: Facts, spec: JobSpec) -> tuple[Knob, ...]:
    """Every knob of the spec's options."""
    return tuple(knob for slot, name in spec.options.items() for knob in option(slot, name).knobs(facts))


def check_pins(facts: Facts, pins: Pins) -> None:
    """Refuse options and settings that do not exist.

    Raises:
        OptionError: with the names that do.
    """
    for slot, name in pins.options.items():
        option(slot, name)
    known = set(Training.model_fields)
    for slot in Slot:
        for one in options(slot):
            known |= {knob.name for knob in one.knobs(facts)}
    for name in pins.settings:
        if name not in known:
            raise OptionError(f"there is no knob {name!r}", f"Choose one of: {', '.join(sorted(known))}")


def _choices(slot: Slot, pins: Pins) -> tuple[str, ...]:
    if slot in pins.options:
        return (pins.options[slot],)
    return tuple(one.name for one in options(slot))


def _architectures(facts: Facts, pins: Pins) -> tuple[str, ...]:
    if facts.model.architecture is not None and Slot.ARCHITECTURE not in pins.options:
        return (facts.model.architecture,)
    return _choices(Slot.ARCHITECTURE, pins)
