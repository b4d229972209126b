"""Train on the graph as it is."""

from __future__ import annotations

from techniques.base import USABLE, Knob, Part, Slot, Verdict
from techniques.facts import Facts
from techniques.job import JobSpec


class NoCoarsening:
    """No detail is lost: the right choice whenever the graph fits without it (source, technique 7)."""

    __slots__ = ()
    slot = Slot.COARSENING
    name = "none"
    text = "train on the graph as it is; no detail is lost"

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        return USABLE

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        return ()

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        return ()

    def recipe(self, spec: JobSpec) -> str:
        return ""


NO_COARSENING = NoCoarsening()
