"""METIS parts as super-nodes: balanced clusters with few edges between them (Karypis and Kumar, 1998)."""

from __future__ import annotations

from techniques.base import Knob, Verdict, refuse
from techniques.coarsening.option import SOURCE, Coarsening, ratio_knob, ratio_of
from techniques.facts import Facts
from techniques.job import JobSpec

MOST_PARTS = 200_000
"""METIS needs memory and time for every part: more than so many take minutes."""


class Metis(Coarsening):
    """Super-nodes of equal size; the best of all cuts, the slowest to make."""

    __slots__ = ()
    name = "metis"
    text = "train on METIS parts: super-nodes of even size, slow where many are kept"

    def size_knob(self) -> Knob:
        return ratio_knob()

    def refused(self, facts: Facts, spec: JobSpec) -> Verdict | None:
        parts = ratio_of(spec.settings) * facts.graph.num_nodes
        if parts <= MOST_PARTS:
            return None
        rule, text = (
            f"at most {MOST_PARTS:,} parts",
            "cutting would take minutes and gigabytes: heavy_edge takes seconds",
        )
        return refuse("parts", f"{parts:,.0f}", rule, SOURCE, text)


METIS = Metis()
