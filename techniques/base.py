"""What every option answers: may I be used, what can be varied, which parts do I add to a job.

An option never touches live objects. It contributes parts to the stages of a job; the planner walks the parts to
forecast, the trial worker walks the same parts to build, so that what is forecast is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Protocol

from techniques.facts import Facts
from techniques.record import Record

if TYPE_CHECKING:
    from techniques.forecast import Forecast
    from techniques.job import Job, JobSpec

SettingValue = bool | int | float | str | tuple[int, ...]
Settings = Mapping[str, SettingValue]


class Technique(StrEnum):
    """The seven techniques of the source, in its order of decision."""

    COARSENING = "coarsening"
    REMOTE = "remote"
    SAMPLING = "sampling"
    REPRESENTATION = "representation"
    ARCHITECTURE = "architecture"
    HARDWARE = "hardware"
    PARALLEL = "parallel"


class Slot(StrEnum):
    """Where an option can be put. Two rooms hold two: one choice for the structure, one for the features."""

    COARSENING = "coarsening"
    REMOTE = "remote"
    REMOTE_FEATURES = "remote.features"
    SAMPLING = "sampling"
    REPRESENTATION = "representation"
    REPRESENTATION_FEATURES = "representation.features"
    ARCHITECTURE = "architecture"
    HARDWARE = "hardware"
    PARALLEL = "parallel"

    @property
    def technique(self) -> Technique:
        """The room that this slot belongs to."""
        return Technique(self.value.split(".")[0])


class Stage(IntEnum):
    """Stages of a job in order of execution."""

    SOURCE = 0
    PREPARE = 1
    SEEDS = 2
    BATCH = 3
    TRANSFER = 4
    STEP = 5
    EVALUATE = 6


class Reason(Record):
    """Why something was chosen, refused or warned about: a fact, its value and the rule that it met or broke."""

    fact: str
    value: str
    rule: str
    source: str
    text: str


class Verdict(Record):
    """An option's answer to "can you be used here?"."""

    usable: bool
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


class Knob(Record):
    """One setting that the user may pin and the tuner may vary.

    Exactly one of ``choices`` and ``(low, high)`` is given. ``tuned`` is false for settings that change what is
    computed rather than how well, and so are left to the user.
    """

    name: str
    text: str
    default: SettingValue
    choices: tuple[SettingValue, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    tuned: bool = True


class Part(Protocol):
    """What an option adds to one stage: plain data until it is built."""

    @property
    def stage(self) -> Stage:
        """When this part runs."""

    def forecast(self, so_far: Forecast) -> Forecast:
        """Add this part's bytes, FLOPs and seconds. Must not import torch."""

    def build(self, job: Job) -> Job:
        """Add this part's live objects. Heavy imports belong here."""


class Option(Protocol):
    """One way to fill one slot of the seven rooms."""

    @property
    def slot(self) -> Slot:
        """Which slot this option can fill."""

    @property
    def name(self) -> str:
        """Stable name: plan file, command line, tuner parameters."""

    @property
    def text(self) -> str:
        """One sentence for people: what it is good for and what it costs."""

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        """Whether this option can be used beside the other choices of ``spec``, and why (not)."""

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        """What may be varied."""

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        """This option's contribution to the stages of the job."""

    def recipe(self, spec: JobSpec) -> str:
        """Plain PyG code that does the same, to paste."""


USABLE = Verdict(usable=True)


def refuse(fact: str, value: object, rule: str, source: str, text: str) -> Verdict:
    """A refusal with its one reason."""
    reason = Reason(fact=fact, value=str(value), rule=rule, source=source, text=text)
    return Verdict(usable=False, reasons=(reason,))
