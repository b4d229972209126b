"""A voxel grid: nodes in one cell become one, for graphs whose nodes have positions (PyG's ``voxel_grid``)."""

from __future__ import annotations

from techniques.base import Knob, Verdict, refuse
from techniques.coarsening.option import SOURCE, Coarsening, ratio_knob
from techniques.facts import Facts
from techniques.job import JobSpec


class VoxelGrid(Coarsening):
    """Joins what is near in space, linked or not; the width of the cells follows from the share to keep (source, technique
    7: voxel grid; Simonovsky and Komodakis, CVPR 2017)."""

    __slots__ = ()
    name = "voxel_grid"
    text = "train on cells of a grid: for graphs whose nodes have positions"

    def size_knob(self) -> Knob:
        return ratio_knob()

    def refused(self, facts: Facts, spec: JobSpec) -> Verdict | None:
        if facts.graph.position_columns:
            return None
        text = "store positions as pos [N, D], or choose graclus or heavy_edge"
        return refuse("positions", "none", "a voxel grid needs the nodes' positions", SOURCE, text)


VOXEL_GRID = VoxelGrid()
