"""How a graph is to be coarsened: plain data that equal specs share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CoarseningPlan:
    """Method and settings of one coarsening.

    ``ratio`` is the share of nodes that is kept (heavy_edge, metis, voxel_grid), ``levels`` how often pairs are matched
    (graclus). ``weighted`` takes the graph's own edge weights into account; ``agree`` never joins training nodes of different
    classes. ``hierarchy`` is a file and the name of the one level in it whose nodes are joined.
    """

    method: str
    ratio: float = 0.5
    levels: int = 1
    seed: int = 0
    weighted: bool = False
    agree: bool = False
    hierarchy: tuple[str, str] | None = None
