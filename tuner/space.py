"""The search space: the plan's best candidates and their knobs, as points that can be drawn, varied and measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from planner.pins import Pins
from planner.proposal import BASELINE_NAME, check, knobs_of
from planner.records import Candidate, ForecastFigures
from techniques.architecture.bf16 import has_bf16
from techniques.assembly import compose, same_job
from techniques.base import Knob, Settings, SettingValue, Slot
from techniques.facts import Facts
from techniques.job import JobSpec
from techniques.sampling.neighbor import FANOUT_CHOICES, default_fanouts

if TYPE_CHECKING:
    import numpy as np

MAX_FAMILIES = 7
MAX_SAMPLERS = 3
"""Samplers that are tried at least: which one is best is found by experiment (source, technique 4)."""
LEARNING_RATES = (1e-3, 5e-2)
BASELINE_LEARNING_RATES = (0.01, 0.003, 0.03)
DEFAULT_LEARNING_RATE = 0.01
DROPOUTS = (0.0, 0.3, 0.5)
RATE = "learning_rate"
LOCAL_SHARE, LOCAL_STEP = 0.5, 0.15
"""Of the numbers that are drawn again beside a good point, so many lie near its own, and how near: a standard deviation over the
range. A learning rate that is twice as good as a good one is seldom hit by chance."""
MAX_DRAWS = 20
"""Draws for one usable point before the candidate itself is taken."""
WHOLE_GRAPH_KNOBS = frozenset({"batch_size", "batch_cost", "num_parts", "parts_per_batch", "threads", "prefetch"})
"""What a part of the graph cannot tell: how a batch, a cache or a thread's share of work compares with the whole graph."""


class Vary(Enum):
    """Which knobs are varied: all, what a part of the graph can tell of, or the rest."""

    EVERYTHING = "everything"
    ON_PART = "on a part"
    ON_WHOLE = "on the whole graph"

    def allows(self, knob: str) -> bool:
        return self is Vary.EVERYTHING or (self is Vary.ON_WHOLE) == (knob in WHOLE_GRAPH_KNOBS)


class Point(NamedTuple):
    """One place in the space: the plan's candidate that it varies, and what a worker is told."""

    family: str
    spec: JobSpec

    def candidate(self, figures: ForecastFigures) -> Candidate:
        """With its forecast, under the name of the plan's candidate that it varies."""
        spec = self.spec
        return Candidate(
            name=self.family, options=spec.options, settings=spec.settings, training=spec.training, forecast=figures
        )


class Dimension(NamedTuple):
    """What a knob may be: one of ``choices``, or a number between two bounds."""

    choices: tuple[SettingValue, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    """Whole numbers only."""

    def draw(self, rng: np.random.Generator, near: SettingValue | None = None) -> SettingValue:
        """Any value; every other number lies ``near`` one that is given."""
        if self.choices:
            return self.choices[int(rng.integers(len(self.choices)))]
        low, high = (math.log(one) if self.log else one for one in (self.low, self.high + (1 if self.whole else 0)))
        value = rng.uniform(low, high)
        if isinstance(near, (int, float)) and rng.random() < LOCAL_SHARE:
            around = math.log(near) if self.log else near
            value = min(max(rng.normal(around, LOCAL_STEP * (high - low)), low), high)
        value = math.exp(value) if self.log else value
        return min(int(value), int(self.high)) if self.whole else float(f"{value:.2g}")


class Space:
    """Families of the plan with the knobs that are free; pins hold in every point."""

    def __init__(self, facts: Facts, choices: dict[str, Candidate], pins: Pins) -> None:
        self.facts, self.choices, self.pins = facts, choices, pins
        self._dimensions = {family: self._free(family) for family in choices}

    def first(self) -> list[Point]:
        """The plan's candidates as they are, in its order; then PyG's defaults, which verification measures in any case."""
        points = [Point(family, one.spec) for family, one in self.choices.items() if family != BASELINE_NAME]
        return points + self.defaults()[:1]

    def defaults(self) -> list[Point]:
        """PyG's defaults with each of their learning rates, or as they are where the rate is pinned."""
        if BASELINE_NAME not in self.choices:
            return []
        base = self.choices[BASELINE_NAME].spec
        if RATE in self.pins.settings:
            return [Point(BASELINE_NAME, base)]
        return [Point(BASELINE_NAME, changed(base, {RATE: rate})) for rate in BASELINE_LEARNING_RATES]

    def draw(self, rng: np.random.Generator, count: int, vary: Vary = Vary.EVERYTHING) -> list[Point]:
        """Random points of random families; PyG's defaults stay as they are."""
        names = [family for family in self.choices if family != BASELINE_NAME]
        return [self._drawn(names[int(rng.integers(len(names)))], rng, vary) for _ in range(count if names else 0)]

    def near(self, point: Point, rng: np.random.Generator, vary: Vary = Vary.EVERYTHING) -> Point:
        """The same point with one or two knobs drawn again."""
        free = [name for name in self._dimensions[point.family] if vary.allows(name)]
        if not free:
            return point
        names = rng.choice(free, size=min(int(rng.integers(1, 3)), len(free)), replace=False)
        at = {**point.spec.settings, RATE: point.spec.training.learning_rate}
        return self._usable(point, [str(name) for name in names], rng, at)

    def _drawn(self, family: str, rng: np.random.Generator, vary: Vary) -> Point:
        free = [name for name in self._dimensions[family] if vary.allows(name)]
        return self._usable(Point(family, self.choices[family].spec), free, rng, {})

    def _usable(self, point: Point, names: list[str], rng: np.random.Generator, at: Settings) -> Point:
        """With these knobs drawn again, numbers of them near what they are ``at``."""
        dimensions = self._dimensions[point.family]
        for _ in range(MAX_DRAWS):
            values = {name: dimensions[name].draw(rng, near=at.get(name)) for name in names}
            layers = values.get("layers")
            if isinstance(layers, int) and "fanouts" in point.spec.settings:
                fanouts = FANOUT_CHOICES.get(layers, (default_fanouts(layers),))
                values["fanouts"] = fanouts[int(rng.integers(len(fanouts)))]
            elif "fanouts" in values:
                values["fanouts"] = _fanouts(point.spec)[int(rng.integers(len(_fanouts(point.spec))))]
            spec = changed(point.spec, values)
            if check(self.facts, spec).usable:
                return Point(point.family, self._without_idle(point.family, spec))
        return point

    def _without_idle(self, family: str, spec: JobSpec) -> JobSpec:
        """Knobs that change nothing beside the others keep the plan's value: no job is measured twice under two names."""
        own, parts = self.choices[family].spec, compose(spec, self.facts)
        for name in self._dimensions[family]:
            value: SettingValue = own.settings[name] if name in own.settings else getattr(own.training, name)
            as_planned = changed(spec, {name: value})
            if as_planned != spec and name != "layers" and same_job(as_planned, spec, self.facts, parts):
                spec = as_planned
        return spec

    def _free(self, family: str) -> dict[str, Dimension]:
        """Dimensions of a family that the user has not pinned."""
        if family == BASELINE_NAME:
            return {}
        spec = self.choices[family].spec
        found = {RATE: Dimension(low=LEARNING_RATES[0], high=LEARNING_RATES[1], log=True)}
        found["dropout"] = Dimension(tuple(sorted({*DROPOUTS, spec.training.dropout})))
        gpus = self.facts.hardware.gpus
        if spec.options[Slot.HARDWARE] == "cuda" and gpus and has_bf16(gpus[0]):
            found["precision"] = Dimension(("fp32", "bf16"))
        for knob in knobs_of(self.facts, spec):
            if knob.tuned:
                found[knob.name] = dimension(knob, spec)
        found |= self._depths(spec)
        free = {name: one for name, one in found.items() if name not in self.pins.settings}
        return {name: one for name, one in free.items() if len(one.choices) != 1 and one.low < one.high}

    def _depths(self, spec: JobSpec) -> dict[str, Dimension]:
        """One convolution fewer or more, where the depth is a choice at all: not the user's, nor an ego graph's."""
        layers = spec.settings.get("layers")
        own = self.facts.model.layers is not None or spec.options[Slot.ARCHITECTURE] in ("custom", "sgc", "sign")
        if own or "fanouts" in self.pins.settings or "depth" in spec.settings or not isinstance(layers, int):
            return {}
        least = max(self.facts.goal.context_hops or 1, 1)
        return {"layers": Dimension(tuple(n for n in (layers - 1, layers, layers + 1) if least <= n))}


def families(candidates: Sequence[Candidate], baseline: Candidate | None) -> dict[str, Candidate]:
    """The plan's first choice, the best of each of its samplers and architectures, then its best other pairs of the two.

    One representation of each pair: the planner's order between two that compute the same is not worth trials. PyG's
    defaults come last, with a search of their learning rate.
    """
    pairs: dict[tuple[str, str], Candidate] = {}
    for one in candidates:
        pairs.setdefault((one.options[Slot.SAMPLING], one.options[Slot.ARCHITECTURE]), one)
    best = list(pairs.values())
    samplers = {one.options[Slot.SAMPLING]: one for one in reversed(best)}
    architectures = {one.options[Slot.ARCHITECTURE]: one for one in reversed(best)}
    chosen = _in_order(best, samplers.values())[:MAX_SAMPLERS]
    chosen += [one for one in _in_order(best, architectures.values()) if one not in chosen]
    chosen += [one for one in best if one not in chosen]
    found = {one.name: one for one in _in_order(best, chosen[:MAX_FAMILIES])}
    if baseline is not None:
        found[BASELINE_NAME] = baseline
    return found


def _in_order(ranked: list[Candidate], some: Iterable[Candidate]) -> list[Candidate]:
    return sorted(some, key=ranked.index)


def dimension(knob: Knob, spec: JobSpec) -> Dimension:
    """What a knob may be; the plan's own value is always among it."""
    own = spec.settings[knob.name]
    if knob.name == "fanouts":
        return Dimension(_fanouts(spec))
    if knob.choices:
        return Dimension(knob.choices if own in knob.choices else (*knob.choices, own))
    assert knob.low is not None and knob.high is not None, "a knob has choices or bounds"
    return Dimension((), knob.low, knob.high, knob.log, isinstance(knob.default, int))


def changed(spec: JobSpec, values: dict[str, SettingValue]) -> JobSpec:
    """A spec with other settings and training values, each where it belongs."""
    training = {name: value for name, value in values.items() if name in type(spec.training).model_fields}
    settings = {name: value for name, value in values.items() if name not in training}
    update = {"settings": {**spec.settings, **settings}, "training": spec.training.model_copy(update=training)}
    return spec.model_copy(update=update)


def _fanouts(spec: JobSpec) -> tuple[tuple[int, ...], ...]:
    """Fanouts worth trying for this depth, the plan's own first."""
    own = spec.settings["fanouts"]
    assert isinstance(own, tuple)
    return (own, *(one for one in FANOUT_CHOICES.get(len(own), ()) if one != own))
