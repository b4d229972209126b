"""Heavy-edge matching in as many levels as it takes to reach any share of the nodes (Karypis and Kumar, 1998)."""

from __future__ import annotations

from techniques.base import Knob
from techniques.coarsening.option import Coarsening, ratio_knob


class HeavyEdge(Coarsening):
    """Joins along the heaviest edges first, small super-nodes before large ones."""

    __slots__ = ()
    name = "heavy_edge"
    agrees = True
    text = "train on clusters of strongly linked nodes, any share of the graph"

    def size_knob(self) -> Knob:
        return ratio_knob()


HEAVY_EDGE = HeavyEdge()
