"""Why something was refused, and what one change would make it fit."""

from __future__ import annotations

from planner.costing import Costed, cost, device_shortage, fits, host_shortage
from planner.pins import Pins
from planner.proposal import SAFE, Refusal, check, make_spec, spec_name
from planner.quantities import format_bytes
from planner.records import Nearest, Rejected
from techniques.base import Reason, SettingValue, Slot
from techniques.facts import Facts
from techniques.step_shape import Draw


def refused_by_option(refusal: Refusal) -> Rejected:
    """A combination that an option refused."""
    reason = refusal.verdict.reasons[0]
    text = f"{reason.text} ({reason.fact} {reason.value}: {reason.rule})"
    return Rejected(name=spec_name(refusal.spec), options=refusal.spec.options, reason=text)


def refused_for_memory(facts: Facts, costed: Costed) -> Rejected:
    """What it needs against what there is, where the shortage is worst."""
    needs, has, where = worst_shortage(facts, costed)
    text = f"needs {format_bytes(needs)} of {where} memory, {format_bytes(has)} there"
    return Rejected(
        name=spec_name(costed.spec), options=costed.spec.options, reason=text, needs_bytes=needs, has_bytes=has
    )


def too_large(facts: Facts, costed: Costed, short: list[Costed]) -> tuple[Reason, ...]:
    """Why not one of the safe samplers: the same network does not fit with them."""
    same = (Slot.ARCHITECTURE, Slot.REPRESENTATION, Slot.HARDWARE)
    found = []
    for sampling in SAFE if costed.spec.options[Slot.SAMPLING] != "full_batch" else ():
        for one in short:
            options = one.spec.options
            if options[Slot.SAMPLING] == sampling and all(options[slot] == costed.spec.options[slot] for slot in same):
                found.append(_does_not_fit(facts, one, sampling))
    return tuple(found)


def _does_not_fit(facts: Facts, costed: Costed, sampling: str) -> Reason:
    needs, has, where = worst_shortage(facts, costed)
    return Reason(
        fact=sampling.replace("_", " "),
        value=f"needs {format_bytes(needs)}",
        rule=f"under the {format_bytes(has)} of the {where}",
        source="cost model; source, technique 4",
        text="does not fit, smaller batches do",
    )


def one_per_fact(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Reasons that rest on the same value of the same fact become one."""
    merged: dict[tuple[str, str], Reason] = {}
    for reason in reasons:
        before = merged.get((reason.fact, reason.value))
        if before is not None:
            reason = before.model_copy(update={"text": f"{before.text}; {reason.text}"})
        merged[reason.fact, reason.value] = reason
    return tuple(merged.values())


NEAREST_TRIED = 4
"""Candidates for which a smaller model is looked for, nearest first."""


def worst_shortage(facts: Facts, costed: Costed) -> tuple[int, int, str]:
    """Bytes needed, bytes there, and where."""
    figures = costed.figures
    if device_shortage(facts, figures) > 0 and device_shortage(facts, figures) >= host_shortage(facts, figures):
        return figures.needs_device_bytes, facts.device_limit_bytes, "device"
    return figures.needs_host_bytes, facts.host_limit_bytes, "host"


def nearest(facts: Facts, refused: list[Costed], pins: Pins, draw: Draw | None) -> Nearest | None:
    """The refused candidate that misses by the least, and the one change that makes it fit.

    Where no change within the user's reach does, one of the next nearest that has such a change comes first.
    """
    if not refused:
        return None

    def ratio(costed: Costed) -> float:
        needs, has, _ = worst_shortage(facts, costed)
        return needs / max(has, 1)

    ranked = sorted(refused, key=ratio)
    for place, one in enumerate(ranked):
        needs, has, _ = worst_shortage(facts, one)
        smaller = _smaller_model(facts, one, pins, draw) if place < NEAREST_TRIED else None
        change = smaller or _larger_limit(facts, one)
        if change is not None:
            return Nearest(name=spec_name(one.spec), needs_bytes=needs, has_bytes=has, change=change)
    needs, has, where = worst_shortage(facts, ranked[0])
    change = _larger_machine(facts, ranked[0], where, needs)
    return Nearest(name=spec_name(ranked[0].spec), needs_bytes=needs, has_bytes=has, change=change)


def _smaller_model(facts: Facts, costed: Costed, pins: Pins, draw: Draw | None) -> str | None:
    """One knob turned down, whether pinned or not: the user may unpin it."""
    for name, values in (
        ("batch_size", (256, 64, 16)),
        ("batch_cost", (4096, 1024, 256)),
        ("hidden", (64, 32, 16)),
        ("layers", (2, 1)),
    ):
        before = costed.spec.settings.get(name)
        for value in values:
            if not isinstance(before, int) or value >= before:
                continue
            changed: dict[str, SettingValue] = {**costed.spec.settings, name: value}
            if name == "layers":
                changed.pop("fanouts", None)
            spec = make_spec(facts, Pins(options=pins.options), costed.spec.options, changed)
            spec = spec.model_copy(update={"training": costed.spec.training})
            if check(facts, spec).usable and fits(facts, cost(facts, spec, draw)):
                return f"{name} {value} instead of {before} fits: --set {name}={value}"
    return None


def _larger_limit(facts: Facts, costed: Costed) -> str | None:
    """Where the user's own limit is what is short and the machine has more."""
    hardware, figures = facts.hardware, costed.figures
    free = max((gpu.memory_free_bytes for gpu in hardware.gpus), default=0)
    for name, needs, has in (
        ("host_memory", figures.needs_host_bytes, hardware.memory_available_bytes),
        ("device_memory", figures.needs_device_bytes, free),
    ):
        mebibytes = -(-needs // 2**20)
        raised = facts.goal.model_copy(update={f"{name}_bytes": mebibytes * 2**20})
        stated = getattr(facts.goal, f"{name}_bytes") is not None
        if stated and mebibytes * 2**20 <= has and fits(facts.model_copy(update={"goal": raised}), figures):
            return f"this machine has enough: --{name.replace('_', '-')} {mebibytes}MiB"
    return None


def _larger_machine(facts: Facts, costed: Costed, where: str, needs: int) -> str:
    """The smallest machine of the catalog that would hold it, within the limits that the user states."""
    from planner.catalog import machine, machine_names

    fitting = []
    for name in machine_names():
        larger = facts.model_copy(update={"hardware": machine(name)})
        if fits(larger, costed.figures):
            fitting.append((larger.hardware.memory_total_bytes + larger.device_limit_bytes, name))
    if fitting:
        name = min(fitting)[1]
        return f"a machine like {name} holds it: --on {name}"
    limits = [facts.goal.host_memory_bytes, facts.goal.device_memory_bytes]
    why = "no machine of the catalog has that" if limits == [None, None] else "no machine does within the stated limits"
    return f"{format_bytes(needs)} of {where} memory would hold it; {why}"
