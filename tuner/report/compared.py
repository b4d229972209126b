"""Predicted beside measured: the figures that both the text and the page show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.quantities import format_bytes, format_seconds
from planner.ranges import range_bytes, range_seconds
from planner.records import Candidate
from techniques.forecast import Phase, Range
from tuner.records import Measurement, TrialState


@dataclass(frozen=True)
class Compared:
    """One figure: its forecast, as a range and in words, and what was measured (``None``: it was not)."""

    name: str
    words: str
    predicted: Range
    measured: float | None
    show: Callable[[float], str]

    @property
    def inside(self) -> bool | None:
        """Whether the measured value lies in the range; ``None`` where nothing was measured, or predicted."""
        if not self.measured or not self.predicted.high:
            return None
        return self.predicted.low <= self.measured <= self.predicted.high

    @property
    def measured_words(self) -> str:
        return self.show(self.measured) if self.measured else "-"

    @property
    def ratio_words(self) -> str:
        """Expected over measured."""
        return f"{self.predicted.expected / self.measured:.2f}" if self.measured and self.predicted.high else "-"


def compared(predicted: Candidate, measured: Measurement) -> list[Compared]:
    """The four metrics of one candidate; device memory where any is expected."""
    figures = predicted.forecast
    host, device, epoch = figures.peak_host_bytes, figures.peak_device_bytes, figures.epoch_seconds
    flops, converge = figures.flops_per_epoch, figures.convergence_seconds
    found = [Compared("peak host memory", range_bytes(host), host, measured.peak_host_bytes, format_bytes)]
    if device.expected:
        found.append(
            Compared("peak device memory", range_bytes(device), device, measured.peak_device_bytes, format_bytes)
        )
    about = range_seconds(converge) if converge.expected else "-"
    return [
        *found,
        Compared("epoch", range_seconds(epoch), epoch, measured.epoch_seconds, format_seconds),
        Compared("FLOPs per epoch", flops_range_text(flops), flops, measured.flops_per_epoch, flops_text),
        Compared("time to converge", about, converge, measured.convergence_seconds, format_seconds),
    ]


@dataclass(frozen=True)
class PhaseCompared:
    """One phase: host memory above the baseline of the process, and the seconds spent in it."""

    phase: Phase
    predicted: Range
    measured_bytes: int | None
    seconds: float | None

    @property
    def outside_words(self) -> str:
        """On which side of its range the measured peak lies; none where it lies inside, or nothing was measured."""
        if self.measured_bytes is None or self.predicted.low <= self.measured_bytes <= self.predicted.high:
            return ""
        return "above the range" if self.measured_bytes > self.predicted.high else "below the range"


def phases_compared(predicted: Candidate, measured: Measurement) -> list[PhaseCompared]:
    """Every phase, in order."""
    found = []
    for phase in Phase:
        seen = measured.phases.get(phase)
        expected = predicted.forecast.phases[phase].host_peak_bytes
        found.append(
            PhaseCompared(phase, expected, seen.host_peak_bytes if seen else None, seen.seconds if seen else None)
        )
    return found


def unmeasured(measured: Measurement) -> tuple[str, ...]:
    """What a completed measurement has no figure for, and what would give one."""
    if measured.state is not TrialState.COMPLETE:
        return ()
    notes = []
    if measured.convergence_seconds is None:
        notes.append(f"no time to converge: {measured.reason} before {measured.stopping_rule}; --epochs all goes on")
    if not measured.test:
        notes.append("no test metrics: only a model that is kept is tested, by gnnfit run")
    return tuple(notes)


def flops_text(value: float) -> str:
    """Such as ``44.2 MFLOP``."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}FLOP"
    return f"{value:.0f} FLOP"


def flops_range_text(value: Range) -> str:
    """From low to high."""
    return f"{flops_text(value.low)} - {flops_text(value.high)}"
