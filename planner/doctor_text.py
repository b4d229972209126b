"""A diagnosis as text: checks, then changes with their numbers, cheapest first."""

from __future__ import annotations

from planner.doctor import Diagnosis
from planner.doctor_changes import OF_PHASE
from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.render import wrap

MARKS = {"look": "[!]", "unknown": "[?]", "ok": "[ok]"}


def diagnosis_lines(found: Diagnosis, width: int) -> list[str]:
    """What a person reads."""
    lines = [
        f"{found.text}: {found.current} on {found.graph}, {found.machine}",
        f"  {_forecast(found)}",
        "",
        "Check",
        *(f"  {MARKS[one.state]:<4} {one.name}: {one.value}. {one.text}" for one in found.checks),
    ]
    if found.grown:
        lines += ["", "As it grows", *growth_lines(found)]
    if not found.grown:
        lines += ["", "Change, cheapest first" if found.changes else "No single change helps here: see gnnfit plan"]
    lines += change_lines(found, width)
    return [part for line in lines for part in wrap(line, width)]


def _forecast(found: Diagnosis) -> str:
    """Memory of the phase that the symptom is about, else of the whole run, and whether that fits; seconds of an epoch."""
    figures, phase = found.figures, OF_PHASE.get(found.symptom)
    host, device, where = figures.peak_host_bytes, figures.peak_device_bytes, ""
    if phase is not None:
        one = figures.phases[phase]
        host, device, where = one.host_peak_bytes, one.device_peak_bytes, f" to {phase.value}"
    host = figures.baseline_host_bytes + host
    text = f"host memory{where} {range_bytes(host)} of {format_bytes(found.host_limit_bytes)}"
    if device.high and found.device_limit_bytes:
        text += f", GPU {range_bytes(device)} of {format_bytes(found.device_limit_bytes)}"
    fits = host.high <= found.host_limit_bytes and (not device.high or device.high <= found.device_limit_bytes)
    verdict = "fits" if fits else "DOES NOT FIT"
    if fits and not found.fits:
        verdict = f"fits to {phase}, not the whole run" if phase else verdict
    return f"{verdict} by forecast: {text}; epoch {range_seconds(figures.epoch_seconds)}"


def change_lines(found: Diagnosis, width: int) -> list[str]:
    """Flag, what it brings, what it costs."""
    lines = []
    for place, one in enumerate(found.changes, start=1):
        memory = f"host {format_bytes(one.host_bytes.expected)}"
        if one.device_bytes.expected:
            memory += f", GPU {format_bytes(one.device_bytes.expected)}"
        effect = f"{memory}, epoch {format_seconds(one.epoch_seconds.expected)}, converged in {format_seconds(one.converge_seconds)}"
        lines += [
            f"  {place}. {one.flag}  ({'fits' if one.fits else 'does not fit yet'}{_saved(found, one.saves)})",
            f"       {one.text}; {effect}" + (f"; price: {one.price}" if one.price else ""),
        ]
    return lines


def _saved(found: Diagnosis, saves: float) -> str:
    if found.symptom == "no-convergence":
        return ""
    if saves < 0.005:
        return ", fewer epochs"
    what = "memory of that phase" if found.symptom.startswith("oom") else "time per epoch"
    return f", {saves:.0%} less {what}"


def growth_lines(found: Diagnosis) -> list[str]:
    """Sizes to come: the run of today, then what the plan would be."""
    lines = []
    for one in found.grown:
        device = f", GPU {range_bytes(one.device_bytes)}" if one.device_bytes.high else ""
        lines += [
            f"  {one.factor:g}x  {'fits' if one.fits else 'DOES NOT FIT'}: host {range_bytes(one.host_bytes)}{device}, "
            f"epoch {range_seconds(one.epoch_seconds)}",
            f"       the plan then: {one.best or 'nothing fits; ' + (one.changes or 'see gnnfit plan')}",
        ]
    return lines
