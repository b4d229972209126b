"""The numbers of a job before it runs: bytes, FLOPs and seconds, by phase, always as ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from techniques.facts import Facts
from techniques.step_shape import Draw, LayerShape, StepShape


class Phase(StrEnum):
    """Phases of a job, in order; memory and time are budgeted for each."""

    LOAD = "load"
    PREPARE = "prepare"
    TRAIN = "train"
    EVALUATE = "evaluate"


BEFORE_TRAINING = (Phase.LOAD, Phase.PREPARE)


class Place(StrEnum):
    """Where bytes live."""

    HOST = "host"
    DEVICE = "device"


class Level(StrEnum):
    """How much a forecast knows, least first."""

    COUNTS = "counts"
    GRAPH = "graph"
    CALIBRATED = "calibrated"
    """From the graph, with times from what was measured on this machine."""


@dataclass(frozen=True)
class Range:
    """A predicted figure: 90 % of measurements should lie between ``low`` and ``high``."""

    low: float
    expected: float
    high: float

    @staticmethod
    def exact(value: float) -> Range:
        return Range(value, value, value)

    @staticmethod
    def within(value: float, error: float) -> Range:
        """``value`` give or take the relative ``error``, such as 0.1."""
        return Range(value * (1 - error), value, value * (1 + error))

    @staticmethod
    def factor(value: float, factor: float) -> Range:
        """``value``, possibly ``factor`` times less or more."""
        return Range(value / factor, value, value * factor)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __mul__(self, scale: float) -> Range:
        return Range(self.low * scale, self.expected * scale, self.high * scale)

    def maximum(self, other: Range) -> Range:
        """The larger of either at every end; itself where that is its own."""
        if other.low <= self.low and other.expected <= self.expected and other.high <= self.high:
            return self
        return Range(max(self.low, other.low), max(self.expected, other.expected), max(self.high, other.high))


ZERO = Range.exact(0.0)


@dataclass(frozen=True)
class PhaseForecast:
    """One phase: peaks above the baseline of the process, and seconds (one epoch for ``train``)."""

    host_peak_bytes: Range = ZERO
    device_peak_bytes: Range = ZERO
    seconds: Range = ZERO


BATCH_LABELS = ("batches", "sampling")
"""What batches hold on the host: those that wait, and what the thread that draws them needs."""
LOADER_LABELS = ("sampler", "scratch of sampling", *BATCH_LABELS, "heap of the sampling thread")
"""What is held on the host for the sake of batches: what its threads keep, batches made ahead, one in the making."""


@dataclass(frozen=True)
class LoaderForecast:
    """What making batches takes, as a part of training.

    ``seconds`` are those of its threads in one epoch, ``wait_seconds`` what of them the trainer waits for.
    """

    host_bytes: Range
    seconds: Range
    wait_seconds: Range
    batches_alive: int
    device_bytes: Range = ZERO


def _empty_phases() -> dict[Phase, PhaseForecast]:
    return {phase: PhaseForecast() for phase in Phase}


@dataclass(frozen=True)
class Forecast:
    """Bytes, FLOPs and seconds so far; every part returns a new one.

    ``held`` are the bytes that stay allocated from here on, by label; a phase's peak is the largest sum of what is
    held and what is needed for a moment.
    """

    facts: Facts
    draw: Draw | None = None
    shape: StepShape | None = None
    largest_shape: StepShape | None = None
    """The 99th percentile of steps: what the high end of memory is judged on."""
    seen_shape: StepShape | None = None
    """The largest step of a few epochs, where that is another one: what memory is expected of."""
    rows_vary: bool = False
    """Whether no tensor of a step has as many rows as that of the step before."""
    steps_per_epoch: int = 1
    full_steps_per_epoch: float = 1.0
    """Steps of ``shape`` that an epoch amounts to: its last batch is smaller."""
    fused: bool = False
    """Whether neighbours are summed by a fused sparse product; ``edge_bytes`` and ``row_bytes`` are what a block of
    edges weighs per edge and per row."""
    edge_bytes: float = 0.0
    row_bytes: float = 0.0
    edge_weighted: bool = False
    """Whether blocks carry the graph's own weights, and so a degree for every source."""
    edge_data_bytes: float = 0.0
    """What of ``edge_bytes`` are weights and attributes of the graph's own: a whole graph's block shares the structure's."""
    pair_bytes: float = 0.0
    """The same per pair of source and target, where neighbours are summed by a product with a dense matrix."""
    held: Mapping[tuple[Place, str], Range] = field(default_factory=dict)
    phases: Mapping[Phase, PhaseForecast] = field(default_factory=_empty_phases)
    gemm_flops_per_epoch: Range = ZERO
    aggregation_flops_per_epoch: Range = ZERO
    parameters: int = 0
    making_seconds: float = 0.0
    """What making an epoch's batches takes of one core, until the steps that use them are counted."""
    made_ahead: bool = False
    """Whether a thread makes them while the steps run."""
    loader: LoaderForecast | None = None
    """``None`` where the whole graph is one batch."""
    basis: tuple[str, ...] = ()
    """What the numbers rest on, in words: ``50 batches drawn``."""
    counted: bool = False
    """Whether sizes of batches come from counts alone, though a graph may be at hand."""
    only_later: frozenset[tuple[Place, str]] = frozenset()
    """What of ``held`` is there from training on: batches, not yet while a job is prepared."""
    _sums: dict[tuple[Place, bool], Range] = field(default_factory=dict, init=False, repr=False, compare=False)
    whole: Forecast | None = None
    """The forecast before the graph was coarsened, while later stages work on the coarse graph."""

    @property
    def level(self) -> Level:
        if self.draw is None or self.counted:
            return Level.COUNTS
        calibration = self.facts.hardware.calibration
        return Level.CALIBRATED if calibration is not None and calibration.rates else Level.GRAPH

    @property
    def dense(self) -> bool:
        """Whether a product takes every pair of source and target."""
        return self.pair_bytes > 0

    def block_bytes(self, layer: LayerShape) -> float:
        """What the edges of one layer weigh."""
        pairs = self.pair_bytes * layer.num_sources * layer.num_targets
        return self.edge_bytes * layer.num_edges + self.row_bytes * layer.num_sources + pairs

    def held_bytes(self, place: Place, phase: Phase = Phase.EVALUATE) -> Range:
        """Everything that is held in one place in a phase; summed once, and asked for at every spike."""
        early = phase in BEFORE_TRAINING
        if (place, early) not in self._sums:
            low = expected = high = 0.0
            for key, amount in self.held.items():
                if key[0] is place and not (early and key in self.only_later):
                    low, expected, high = low + amount.low, expected + amount.expected, high + amount.high
            self._sums[place, early] = Range(low, expected, high)
        return self._sums[place, early]

    def hold(self, phase: Phase, place: Place, label: str, amount: Range) -> Forecast:
        """Allocate ``amount`` bytes that stay from this phase until ``drop(place, label)``."""
        key = (place, label)
        later = self.only_later if phase in BEFORE_TRAINING else self.only_later | {key}
        return self.changed(held={**self.held, key: amount}, only_later=later).spike(phase, place, ZERO)

    def drop(self, place: Place, *labels: str) -> Forecast:
        """Free what ``labels`` held."""
        gone = {(place, label) for label in labels}
        return self.changed(held={key: value for key, value in self.held.items() if key not in gone})

    def spike(self, phase: Phase, place: Place, amount: Range) -> Forecast:
        """Need ``amount`` bytes on top of what is held, for a moment."""
        before = self.phases[phase]
        host, device = self.held_bytes(Place.HOST, phase), self.held_bytes(Place.DEVICE, phase)
        if amount is not ZERO:
            host, device = (host + amount, device) if place is Place.HOST else (host, device + amount)
        on_host, on_device = before.host_peak_bytes.maximum(host), before.device_peak_bytes.maximum(device)
        if on_host is before.host_peak_bytes and on_device is before.device_peak_bytes:
            return self  # no new peak
        return self.changed(phases={**self.phases, phase: PhaseForecast(on_host, on_device, before.seconds)})

    def spend(self, phase: Phase, seconds: Range) -> Forecast:
        """Take ``seconds`` more in a phase."""
        before = self.phases[phase]
        after = PhaseForecast(before.host_peak_bytes, before.device_peak_bytes, before.seconds + seconds)
        return self.changed(phases={**self.phases, phase: after})

    def with_loader(self, seconds: Range, batches_alive: int, wait_seconds: Range | None = None) -> Forecast:
        """Book what is held for batches as the loader's; what the trainer waits for may be known with its steps only."""
        held = ZERO
        for label in LOADER_LABELS:
            held = held + self.held.get((Place.HOST, label), ZERO)
        return self.changed(loader=LoaderForecast(held, seconds, wait_seconds or seconds, batches_alive))

    def resting_on(self, basis: str, *, counted: bool = False) -> Forecast:
        """Say what the numbers rest on."""
        return self.changed(basis=(*self.basis, basis), counted=self.counted or counted)

    def changed(self, **values: object) -> Forecast:
        """The same with other values: ``dataclasses.replace`` without its checks, as a plan makes thousands of forecasts."""
        made = object.__new__(Forecast)
        made.__dict__.update(self.__dict__, **values)
        if "held" in values:
            made.__dict__["_sums"] = {}
        return made

    def peak_bytes(self, place: Place) -> Range:
        """Largest peak of all phases."""
        peak = ZERO
        for phase in self.phases.values():
            peak = peak.maximum(phase.host_peak_bytes if place is Place.HOST else phase.device_peak_bytes)
        return peak

    def peak_phase(self, place: Place = Place.HOST) -> Phase:
        """The phase whose peak may be the largest: the high end is what a limit is held against."""

        def judged(phase: Phase) -> tuple[float, float]:
            one = self.phases[phase]
            peak = one.host_peak_bytes if place is Place.HOST else one.device_peak_bytes
            return peak.high, peak.expected

        return max(Phase, key=judged)

    @property
    def epoch_seconds(self) -> Range:
        return self.phases[Phase.TRAIN].seconds

    @property
    def flops_per_epoch(self) -> Range:
        return self.gemm_flops_per_epoch + self.aggregation_flops_per_epoch
