"""Facts to candidates: which combinations of options are worth a forecast, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planner.pins import Pins, check_pins
from planner.typed import trains_types
from techniques import option, options
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Knob, SettingValue, Slot, Verdict
from techniques.coarsening.sizes import trained_facts
from techniques.facts import Facts, Task
from techniques.job import JobSpec, Training, setting_int
from techniques.recipe_parts import PRECOMPUTED, ROW_SAMPLERS
from techniques.sampling.neighbor import default_fanouts

BASELINE_NAME = "pyg-default"

BY_NAME = (*PRECOMPUTED, "custom")
"""Architectures that are planned for those who name them. SGC and SIGN train no layer between hops: always faster, and behind
where features need one (Wu et al., ICML 2019, section 6), so their speed is no reason to choose them unasked."""
GRAPH_TRAINING = Training(weight_decay=0.0, dropout=0.0)
"""Small graphs with normalised layers are rather under- than overfitted (Xu et al., ICLR 2019, section 7); tune varies it."""

ONE_STEP_TRAINING = Training(patience_evaluations=50)
"""Patience as in Shchur et al. (2018, section 3) for full batches."""
SAMPLED_TRAINING = Training()
GRAPH_SAMPLERS = ("full_batch", "graph_batch", "dynamic_batch")
SAFE = ("full_batch", "neighbor", "link_neighbor", "rows", "graph_batch", "dynamic_batch")
"""What published comparisons call safe: exact, or never far behind (Bajaj et al., VLDB 2025, section 5). The others win on
some graphs and lose on others, so they stand behind as alternatives to measure."""
EGO_LAYERS = 3
"""Convolutions over ego graphs where nothing else is asked for (PyG's examples/shadow.py)."""


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
        for proposed in _on(facts, pins, hardware):
            yield proposed
            if (
                isinstance(proposed, Refusal)
                and option(Slot.HARDWARE, hardware).check(facts, proposed.spec) == proposed.verdict
            ):
                break  # what a machine lacks, it lacks for every combination: said once


def _on(facts: Facts, pins: Pins, hardware: str) -> Iterator[JobSpec | Refusal]:
    """The combinations on one kind of hardware."""
    for architecture in _architectures(facts, pins):
        for sampling in _samplers(facts, pins):
            if not _worth_saying(pins, architecture, sampling):
                continue
            if sampling not in SAFE and hardware == "cpu" and _has_choice_of_gpu(facts, pins):
                continue  # an alternative to measure needs no second processor
            for representation in _choices(Slot.REPRESENTATION, pins):
                chosen = {
                    Slot.SAMPLING: sampling,
                    Slot.REPRESENTATION: representation,
                    Slot.ARCHITECTURE: architecture,
                    Slot.HARDWARE: hardware,
                }
                proposed = _proposal(facts, pins, chosen)
                yield proposed
                if sampling not in SAFE and isinstance(proposed, JobSpec):
                    break  # an alternative to measure needs no second representation


def _proposal(facts: Facts, pins: Pins, chosen: Mapping[Slot, str]) -> JobSpec | Refusal:
    refusal: Refusal | None = None
    for features in _feature_forms(pins):
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
        settings |= _defaults(facts, slot, name)
    known = set(settings)
    settings |= {name: value for name, value in (base or {}).items() if name in known}
    settings |= {name: value for name, value in pins.settings.items() if name in known}
    _match_fanouts(settings, pins, explicit="fanouts" in (base or {}))
    if "depth" in settings and "layers" not in pins.settings and "layers" not in (base or {}):
        # An ego graph's reach is apart from the number of layers: context needs no deep network.
        settings["layers"] = facts.model.layers or EGO_LAYERS
    return JobSpec(options=filled, settings=settings, training=pins.training(base_training(facts, filled)))


_DEFAULTS: dict[tuple[int, Slot, str], tuple[Facts, dict[str, SettingValue]]] = {}
MOST_DEFAULTS = 512


def _defaults(facts: Facts, slot: Slot, name: str) -> dict[str, SettingValue]:
    """Defaults of an option's knobs, remembered: a plan fills hundreds of specs for the same facts.

    Facts have no hash, so they are told apart by identity; an entry keeps its facts alive.
    """
    key = (id(facts), slot, name)
    if key not in _DEFAULTS:
        if len(_DEFAULTS) >= MOST_DEFAULTS:
            _DEFAULTS.clear()
        _DEFAULTS[key] = (facts, {knob.name: knob.default for knob in option(slot, name).knobs(facts)})
    return _DEFAULTS[key][1]


def base_training(facts: Facts, chosen: Mapping[Slot, str]) -> Training:
    """How models are fitted where nothing else is asked for: an epoch of one step needs more patience."""
    if facts.task is Task.GRAPH:
        return GRAPH_TRAINING
    return ONE_STEP_TRAINING if chosen[Slot.SAMPLING] == "full_batch" else SAMPLED_TRAINING


def _match_fanouts(settings: dict[str, SettingValue], pins: Pins, explicit: bool) -> None:
    """One fanout per layer: pinned fanouts decide the depth where it is not pinned, else the depth the fanouts."""
    pinned = pins.settings.get("fanouts")
    if pinned is not None:
        fanouts = pinned if isinstance(pinned, tuple) else (int(pinned),)
        if "fanouts" in settings:
            settings["fanouts"] = fanouts
        if "layers" not in pins.settings:
            settings["layers"] = len(fanouts)
    elif "fanouts" in settings and not explicit:
        settings["fanouts"] = default_fanouts(setting_int(settings, "layers"))


def check(facts: Facts, spec: JobSpec) -> Verdict:
    """The first refusal of the spec's options, or one verdict with all their warnings."""
    warnings: tuple[str, ...] = ()
    trained = trained_facts(facts, spec)
    for slot, name in spec.options.items():
        verdict = option(slot, name).check(facts if slot is Slot.COARSENING else trained, spec)
        if not verdict.usable:
            return verdict
        # Warnings speak of the user's own graph, not of a coarse one.
        warnings += (verdict if trained is facts else option(slot, name).check(facts, spec)).warnings
    return Verdict(usable=True, warnings=warnings)


def spec_name(spec: JobSpec) -> str:
    """Such as ``sage/neighbor/csr/cpu``; unusual choices are appended."""
    slots = (Slot.ARCHITECTURE, Slot.SAMPLING, Slot.REPRESENTATION, Slot.HARDWARE)
    name = "/".join(spec.options[slot] for slot in slots)
    if spec.options[Slot.REPRESENTATION_FEATURES] == "csr":
        name += "+sparse-features"
    elif spec.options[Slot.REPRESENTATION_FEATURES] != "dense":
        name += f"+{spec.options[Slot.REPRESENTATION_FEATURES]}"
    if spec.options[Slot.REMOTE_FEATURES] == "memmap":
        name += "+memmap"
    if spec.options[Slot.COARSENING] != "none":
        ratio = spec.settings.get("coarsen_ratio")
        name += f"+{spec.options[Slot.COARSENING]}" + (f"@{ratio:g}" if isinstance(ratio, float) else "")
    return name


def knobs_of(facts: Facts, spec: JobSpec) -> tuple[Knob, ...]:
    """Every knob of the spec's options."""
    return tuple(knob for slot, name in spec.options.items() for knob in option(slot, name).knobs(facts))


def _choices(slot: Slot, pins: Pins) -> tuple[str, ...]:
    if slot in pins.options:
        return (pins.options[slot],)
    return tuple(one.name for one in options(slot))


def _has_choice_of_gpu(facts: Facts, pins: Pins) -> bool:
    return bool(facts.hardware.gpus) and Slot.HARDWARE not in pins.options and Slot.SAMPLING not in pins.options


def _feature_forms(pins: Pins) -> tuple[str, ...]:
    """The exact forms, sparse before dense; rounded and learned ones are for the user to ask for."""
    pinned = pins.options.get(Slot.REPRESENTATION_FEATURES)
    return ("csr", "dense") if pinned is None else (pinned,)


def _samplers(facts: Facts, pins: Pins) -> tuple[str, ...]:
    """Those for the task; a pinned one is refused with its reason."""
    names = _choices(Slot.SAMPLING, pins)
    if Slot.SAMPLING in pins.options:
        return names
    if facts.task is Task.GRAPH:
        return tuple(name for name in names if name in GRAPH_SAMPLERS)
    names = tuple(name for name in names if name not in GRAPH_SAMPLERS[1:])
    return tuple(name for name in names if (name == "link_neighbor") == (facts.task is Task.LINK))


def _worth_saying(pins: Pins, architecture: str, sampling: str) -> bool:
    """Rows and neighbours never go together: refusals are for those who asked for a sampler."""
    if Slot.SAMPLING in pins.options:
        return True
    return sampling in ROW_SAMPLERS if architecture in PRECOMPUTED else sampling != "rows"


def _architectures(facts: Facts, pins: Pins) -> tuple[str, ...]:
    if facts.model.architecture is not None and Slot.ARCHITECTURE not in pins.options:
        return (facts.model.architecture,)
    if Slot.ARCHITECTURE in pins.options:
        return _choices(Slot.ARCHITECTURE, pins)
    unasked = BY_NAME if trains_types(facts) else (*BY_NAME, *TYPED)
    return tuple(name for name in _choices(Slot.ARCHITECTURE, pins) if name not in unasked)
