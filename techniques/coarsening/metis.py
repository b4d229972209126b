"""METIS parts as super-nodes: balanced clusters with few edges between them (Karypis and Kumar, 1998)."""

from __future__ import annotations

from techniques.base import Knob
from techniques.coarsening.option import Coarsening, ratio_knob


class Metis(Coarsening):
    """The best of all cuts, the slowest to make; small super-nodes are matched within its parts."""

    __slots__ = ()
    name = "metis"
    text = "train on METIS parts, and on matched nodes within them where super-nodes are small"

    def size_knob(self) -> Knob:
        return ratio_knob()


METIS = Metis()
