"""Graclus: pairs of neighbours, matched at random (Dhillon, Guan and Kulis, 2007; PyG's ``graclus``)."""

from __future__ import annotations

from techniques.base import Knob
from techniques.coarsening.option import Coarsening


class Graclus(Coarsening):
    """Joins each node with at most one neighbour and keeps some 60 % of them per level (source, technique 7: graclus, then
    max or average pooling; 34 nodes of Karate Club become about 22)."""

    __slots__ = ()
    name = "graclus"
    text = "train on matched pairs of neighbours: about 60 % of the nodes per level, quick and simple"

    def size_knob(self) -> Knob:
        text = "times that pairs are matched; each keeps some 60 % of the nodes"
        return Knob(name="coarsen_levels", text=text, default=1, choices=(1, 2, 3))


GRACLUS = Graclus()
