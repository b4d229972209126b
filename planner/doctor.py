"""``diagnose``: a symptom, what to check, and the cheapest changes for this graph on this machine, with forecasts."""

from __future__ import annotations

from planner.api import make_plan
from planner.baseline import pinned_spec
from planner.costing import cost, fits
from planner.doctor_changes import Change, helps, ideas, planned_change, scored
from planner.doctor_checks import Check, checks
from planner.doctor_growth import Grown, growth
from planner.pins import Pins, check_pins
from planner.proposal import BASELINE_NAME, check, spec_name
from planner.records import ForecastFigures
from planner.symptoms import SYMPTOM_TEXTS, Symptom
from techniques.base import SettingValue
from techniques.errors import OptionError
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.record import Record
from techniques.step_shape import Draw

SCHEMA_VERSION = 1
SHOWN_CHANGES = 6


class Diagnosis(Record):
    """What was found; ``changes`` are ranked: what fits, costs no quality and is quick comes first."""

    schema_version: int = SCHEMA_VERSION
    symptom: str
    text: str
    graph: str
    machine: str
    current: str
    """What is looked at: what the user pins, else PyG's defaults."""
    settings: dict[str, SettingValue]
    figures: ForecastFigures
    host_limit_bytes: int
    device_limit_bytes: int
    fits: bool
    checks: tuple[Check, ...]
    changes: tuple[Change, ...]
    grown: tuple[Grown, ...] = ()


def diagnose(facts: Facts, symptom: str, pins: Pins, draw: Draw | None = None) -> Diagnosis:
    """Checks and changes for a symptom.

    Args:
        pins: what the user runs, as far as it is said; PyG's defaults fill the rest.

    Raises:
        OptionError: no such symptom, or a combination that cannot be used.
    """
    if symptom not in list(Symptom):
        raise OptionError(f"there is no symptom {symptom!r:.40}", f"Choose one of: {', '.join(Symptom)}")
    spec = current_spec(facts, pins)
    figures = cost(facts, spec, draw)
    best = make_plan(facts, Pins(), draw).best
    found = scored(facts, symptom, spec, figures, ideas(facts, symptom, spec), draw)
    if not any(one.fits for one in found) and best is not None and best.spec != spec:
        found = [one for one in (planned_change(symptom, figures, best),) if helps(one.saves)] + found
    return Diagnosis(
        symptom=symptom,
        text=SYMPTOM_TEXTS[Symptom(symptom)],
        graph=facts.graph.name,
        machine=facts.hardware.name,
        current=spec_name(spec) if pins.options or pins.settings else BASELINE_NAME,
        settings=spec.settings,
        figures=figures,
        host_limit_bytes=facts.host_limit_bytes,
        device_limit_bytes=facts.device_limit_bytes,
        fits=fits(facts, figures),
        checks=checks(facts, symptom, spec, figures),
        changes=() if symptom == Symptom.GROWTH else tuple(found[:SHOWN_CHANGES]),
        grown=growth(facts, spec, pins) if symptom == Symptom.GROWTH else (),
    )


def current_spec(facts: Facts, pins: Pins) -> JobSpec:
    """What the user runs: the pins over PyG's defaults.

    Raises:
        OptionError: the pinned choices exclude each other.
    """
    check_pins(facts, pins)
    spec = pinned_spec(facts, pins)
    verdict = check(facts, spec)
    if not verdict.usable and (pins.options or pins.settings):
        reason = verdict.reasons[0]
        raise OptionError(f"{spec_name(spec)} cannot be used: {reason.text}", "Pin what you run with --fix and --set")
    return spec
