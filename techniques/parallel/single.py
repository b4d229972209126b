"""One process on one device."""

from __future__ import annotations

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.facts import Facts
from techniques.job import JobSpec


class Single:
    """No gradients to synchronise; several processes need a measured feasibility study first (source, technique 5)."""

    __slots__ = ()
    slot = Slot.PARALLEL
    name = "single"
    text = "one process; nothing to synchronise"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return ()

    def recipe(self, spec: JobSpec) -> str:
        return ""


SINGLE = Single()
