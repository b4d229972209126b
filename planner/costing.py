"""Candidates to forecasts: numbers for a spec, and the gentlest change that makes a spec fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.convergence import convergence_seconds
from planner.pins import Pins
from planner.proposal import check, make_spec, spec_name
from planner.quantities import format_bytes
from planner.records import Candidate, ForecastFigures
from techniques.architecture.bf16 import has_bf16
from techniques.assembly import forecast
from techniques.base import Reason, SettingValue, Slot
from techniques.facts import Correction, Facts
from techniques.forecast import Level, Phase, Range
from techniques.job import JobSpec
from techniques.step_shape import Draw

BASELINE_HOST_BYTES = Range(285e6, 298e6, 320e6)
"""Anonymous memory of a trial process after its imports and a warm-up step (measured on torch 2.13, PyG 2.8.1)."""
BASELINE_VARIES = Range(0.98, 1.0, 1.02)
"""What the kind of candidate changes of it where a calibration has measured it: 274 of 275 candidates are inside."""
SAMPLED_STEPS_TO_CONVERGE = 450
FULL_BATCH_EPOCHS = Range(80, 150, 250)
"""Published times to accuracy over epoch times: 110 to 230 full-batch epochs; some 450 sampled steps on arxiv and
reddit, never under 3 epochs (Bajaj et al., VLDB 2025, table 3)."""
BATCH_FALLBACKS = (512, 256, 128, 64, 32)
CHECKPOINTED = "the same numbers from less memory, one more forward pass a step"
NARROW = "half of what layers keep for the backward pass; sums, loss and weights stay float32"
PART_FALLBACKS = (2, 4, 8, 16)


@dataclass(frozen=True)
class Costed:
    """A spec with its numbers, and what had to change to get them under the limits."""

    spec: JobSpec
    figures: ForecastFigures
    changes: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


def cost(facts: Facts, spec: JobSpec, draw: Draw | None = None) -> ForecastFigures:
    """Forecast one spec."""
    so_far = forecast(spec, facts, draw)
    epochs = epochs_to_converge(spec, -(-so_far.steps_per_epoch // spec.training.accumulate_batches))
    return corrected(facts, spec, ForecastFigures.of(so_far, baseline_of(facts), epochs))


def baseline_of(facts: Facts) -> Range:
    """What the process needs before it has seen the graph; other builds of torch need more or less, so a calibration looks."""
    found = facts.hardware.calibration
    if found is None or found.baseline_host_bytes is None:
        return BASELINE_HOST_BYTES
    return BASELINE_VARIES * float(found.baseline_host_bytes)


def correction_of(facts: Facts, spec: JobSpec, level: Level) -> Correction | None:
    """What this machine's history says of such a candidate; ``None`` where it is not asked, or has too little."""
    options = spec.options
    kind = (options[Slot.ARCHITECTURE], options[Slot.REPRESENTATION], options[Slot.SAMPLING], level.value)
    for one in facts.corrections:
        if (one.architecture, one.representation, one.sampling, one.level) == kind:
            return one
    return None


def corrected(facts: Facts, spec: JobSpec, figures: ForecastFigures) -> ForecastFigures:
    """The same figures times how many times too low they were before on this machine."""
    found = correction_of(facts, spec, figures.level)
    if found is None:
        return figures
    phases = {
        phase: one.model_copy(update={"host_peak_bytes": one.host_peak_bytes * found.memory})
        for phase, one in figures.phases.items()
    }
    phases[Phase.TRAIN] = phases[Phase.TRAIN].model_copy(update={"seconds": figures.epoch_seconds * found.seconds})
    epoch, epochs = figures.epoch_seconds * found.seconds, figures.epochs_to_converge * found.epochs
    changed = {
        "epoch_seconds": epoch,
        "epochs_to_converge": epochs,
        "convergence_seconds": convergence_seconds(epochs, epoch, phases[Phase.EVALUATE].seconds),
        "peak_host_bytes": figures.peak_host_bytes * found.memory,
        "phases": phases,
    }
    return figures.model_copy(update=changed)


def epochs_to_converge(spec: JobSpec, steps_per_epoch: int) -> Range:
    """How many epochs training is likely to take, as a range from published runs."""
    if spec.options[Slot.SAMPLING] == "full_batch":
        return FULL_BATCH_EPOCHS
    expected = min(max(SAMPLED_STEPS_TO_CONVERGE / steps_per_epoch, 4.0), FULL_BATCH_EPOCHS.expected)
    return Range(expected / 2, expected, min(expected * 4, FULL_BATCH_EPOCHS.high))


def fits(facts: Facts, figures: ForecastFigures) -> bool:
    """Whether the high end stays under the limits of host and device."""
    return host_shortage(facts, figures) <= 0 and device_shortage(facts, figures) <= 0


def host_shortage(facts: Facts, figures: ForecastFigures) -> int:
    """Bytes of host memory missing; negative if it fits."""
    return figures.needs_host_bytes - facts.host_limit_bytes


def device_shortage(facts: Facts, figures: ForecastFigures) -> int:
    """Bytes of device memory missing; negative if it fits or no device is used."""
    needs = figures.needs_device_bytes
    return needs - facts.device_limit_bytes if needs else -1


def fitted(facts: Facts, spec: JobSpec, pins: Pins, draw: Draw | None) -> Costed:
    """The spec itself if it fits, else the gentlest change that does, else the spec with its shortage, with features left on
    disk where that comes nearer."""
    first = Costed(spec, cost(facts, spec, draw))
    if fits(facts, first.figures):
        return first
    changes = list(_changes(facts, spec, pins, _limit(facts, first.figures)))
    if _short_before_training(facts, first.figures):
        # Batches and activations are not what is too large: features left on disk may help, or nothing does.
        changes = [one for one in changes if one[0].options[Slot.REMOTE_FEATURES] == "memmap"]
        if changes and not fits(facts, cost(facts, changes[-1][0], draw)):
            changes = changes[-1:]
    nearest = first
    for changed, reason in changes:
        if not check(facts, changed).usable:
            continue
        costed = Costed(changed, cost(facts, changed, draw), (reason,))
        if fits(facts, costed.figures):
            return costed
        if changed.options[Slot.REMOTE_FEATURES] == "memmap" and _nearer(facts, costed, nearest):
            nearest = costed
    return nearest


def _nearer(facts: Facts, one: Costed, other: Costed) -> bool:
    """Whether less is missing, where most is."""
    missing = (max(host_shortage(facts, each.figures), device_shortage(facts, each.figures)) for each in (one, other))
    return next(missing) < next(missing)


def _short_before_training(facts: Facts, figures: ForecastFigures) -> bool:
    """Whether loading or preparing the graph alone exceeds the host's limit."""
    before = max(figures.phases[phase].host_peak_bytes.high for phase in (Phase.LOAD, Phase.PREPARE))
    return figures.baseline_host_bytes.high + before > facts.host_limit_bytes


def _limit(facts: Facts, figures: ForecastFigures) -> tuple[str, int]:
    """The limit that is exceeded by more, and its bytes."""
    if device_shortage(facts, figures) > max(host_shortage(facts, figures), 0):
        return "device", facts.device_limit_bytes
    return "host", facts.host_limit_bytes


def _changes(facts: Facts, spec: JobSpec, pins: Pins, limit: tuple[str, int]) -> Iterator[tuple[JobSpec, Reason]]:
    """What saves activations, smaller batches, features left on disk, then both; nothing that the user has pinned."""
    yield from _savings(facts, spec, pins, limit)
    smaller = list(_smaller_batches(facts, spec, pins))
    for settings in smaller:
        yield _changed(facts, spec, pins, limit, settings, mapped=False)
    if Slot.REMOTE_FEATURES in pins.options or spec.options[Slot.SAMPLING] == "full_batch":
        return
    for settings in [{}, *smaller]:
        yield _changed(facts, spec, pins, limit, settings, mapped=True)


def _savings(facts: Facts, spec: JobSpec, pins: Pins, limit: tuple[str, int]) -> Iterator[tuple[JobSpec, Reason]]:
    """First what changes no number, then bf16 where a GPU multiplies it itself, then both: every batch stays whole."""
    again = {"checkpoint_layers": True}
    narrow = {"precision": "bf16"}
    gpu = facts.hardware.gpus[0] if facts.hardware.gpus and spec.options[Slot.HARDWARE] == "cuda" else None
    tries: list[tuple[dict[str, SettingValue], str]] = [({**again}, CHECKPOINTED)]
    if gpu is not None and has_bf16(gpu) and limit[0] == "device":
        tries += [({**narrow}, NARROW), ({**again, **narrow}, f"{CHECKPOINTED}; {NARROW}")]
    for values, text in tries:
        if not any(name in pins.settings for name in values):
            training = spec.training.model_copy(update=values)
            what = ", ".join(f"{name} {str(value).lower()}" for name, value in values.items())
            yield spec.model_copy(update={"training": training}), _limit_reason(limit, what, text)


def _smaller_batches(facts: Facts, spec: JobSpec, pins: Pins) -> Iterator[dict[str, SettingValue]]:
    """Fewer seeds a step, or more parts."""
    batch, parts = spec.settings.get("batch_size"), spec.settings.get("num_parts")
    if isinstance(batch, int) and "batch_size" not in pins.settings:
        for size in BATCH_FALLBACKS:
            if size < batch:
                yield {"batch_size": size}
    cost = spec.settings.get("batch_cost")
    if isinstance(cost, int) and "batch_cost" not in pins.settings:
        for fewer in PART_FALLBACKS:
            if cost >= 2 * fewer:
                yield {"batch_cost": cost // fewer}
    if isinstance(parts, int) and "num_parts" not in pins.settings:
        for more in PART_FALLBACKS:
            if parts * more <= facts.graph.num_nodes:
                yield {"num_parts": parts * more}


def _changed(
    facts: Facts, spec: JobSpec, pins: Pins, limit: tuple[str, int], settings: dict[str, SettingValue], mapped: bool
) -> tuple[JobSpec, Reason]:
    chosen = dict(spec.options)
    if mapped:
        chosen |= {Slot.REMOTE_FEATURES: "memmap", Slot.REPRESENTATION_FEATURES: "dense"}
    changed = make_spec(facts, pins, chosen, {**spec.settings, **settings})
    said = [f"{name} {value}" for name, value in settings.items()] + (["features left on disk"] if mapped else [])
    why, source = "the default would not fit", "cost model"
    if mapped:
        why += "; batches read rows from the file, the kernel caches them"
        source += "; source, technique 6 and case G"
    return changed, _limit_reason(limit, ", ".join(said), why, source)


def _limit_reason(limit: tuple[str, int], what: str, why: str, source: str = "cost model") -> Reason:
    where, limit_bytes = limit
    return Reason(
        fact="memory limit",
        value=format_bytes(limit_bytes),
        rule=f"{'peak' if where == 'device' else 'baseline + peak'} must stay under the limit of the {where}",
        source=source,
        text=f"{what}: {why}",
    )


def candidate(facts: Facts, costed: Costed, reasons: tuple[Reason, ...]) -> Candidate:
    """The record that users see."""
    return Candidate(
        name=spec_name(costed.spec),
        options=costed.spec.options,
        settings=costed.spec.settings,
        training=costed.spec.training,
        forecast=costed.figures,
        reasons=costed.changes + reasons,
        warnings=costed.warnings,
    )
