"""A graph at hand from which a planner draws batches: sorted once, its kernels made when first asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from techniques.sampling.kernels import NeighborKernel, ShadowKernel, SubgraphKernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from techniques.architecture.hetero.relation import Relation
    from techniques.sampling.hetero_drawn import DrawnTypedGraph
    from techniques.sampling.kernels.machine_code import IntArray
    from techniques.sampling.partition import Cut

DRAW_SEED = 12345
MOST_REFINED = 250e6
"""Entries x parts x rounds of refinement that cutting may take while planning: random graphs, in which METIS refines in vain until its
ten rounds are over, took 3 to 5 s with 100 million entries x parts, and 1.0 to 1.5 s so. Batches have 0 to 1.5 % fewer edges than those
of ten rounds (three generated graphs with communities) to 3 % fewer (random ones)."""


@dataclass
class DrawnGraph:
    """In-edges of every node, and where batches start.

    Shapes: ``colptr`` [N + 1] int64; ``row`` [E]; ``train`` node ids; ``train_classes`` their class positions, ``None``
    where a node has several labels or none.
    """

    colptr: NDArray[np.int64]
    row: IntArray
    train: NDArray[np.int64]
    train_classes: NDArray[np.int64] | None = None
    by_type: Callable[[tuple[Relation, ...]], DrawnTypedGraph] | None = None
    """The same graph with its node and edge types kept apart; ``None`` where it has one of each."""
    _members: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    _cuts: dict[int, Cut] = field(default_factory=dict)

    @property
    def num_nodes(self) -> int:
        return int(self.colptr.size - 1)

    @cached_property
    def neighbor(self) -> NeighborKernel:
        return NeighborKernel(self.colptr, self.row, self.num_nodes)

    @cached_property
    def subgraph(self) -> SubgraphKernel:
        return SubgraphKernel(self.colptr, self.row, self.num_nodes)

    @cached_property
    def shadow(self) -> ShadowKernel:
        return ShadowKernel(self.colptr, self.row, self.num_nodes)

    def without_loops(self) -> DrawnGraph:
        """The same graph without its self-loops; METIS disregards them, so its parts stay."""
        target = np.repeat(np.arange(self.num_nodes, dtype=self.row.dtype), np.diff(self.colptr))
        keep = self.row != target
        colptr = np.zeros_like(self.colptr)
        np.cumsum(np.bincount(target[keep], minlength=self.num_nodes), out=colptr[1:])
        return DrawnGraph(colptr, self.row[keep], self.train, self.train_classes, self.by_type, self._members)

    def metis_members(self, num_parts: int) -> list[NDArray[np.int64]]:
        """Nodes of every METIS part, cut once, as a run does; where that takes long, in fewer rounds."""
        if num_parts not in self._members:
            from techniques.sampling.partition import members_of_parts, metis_parts

            parts = metis_parts(self.colptr, self.row, num_parts, most_refined=MOST_REFINED)
            self._members[num_parts] = members_of_parts(parts)
        return self._members[num_parts]

    def metis_cut(self, num_parts: int) -> Cut:
        """The same parts with the edges that join them."""
        if num_parts not in self._cuts:
            from techniques.sampling.partition import cut_into

            self._cuts[num_parts] = cut_into(self.metis_members(num_parts), self.colptr, self.row)
        return self._cuts[num_parts]

    def seeds(self, batch_size: int, balanced: bool, index: int, everyone: bool = False) -> NDArray[np.int64]:
        """Distinct seeds of one batch; ``balanced`` draws every class alike, with replacement; ``everyone`` may be drawn, not
        only training nodes."""
        rng = np.random.default_rng((DRAW_SEED, index))
        if everyone:
            return rng.choice(self.num_nodes, size=min(batch_size, self.num_nodes), replace=False)
        size = min(batch_size, self.train.size)
        if not balanced or self.train_classes is None:
            return self.train[rng.choice(self.train.size, size=size, replace=False)]
        drawn = np.searchsorted(self._ladder, rng.random(size) * self._ladder[-1])
        chosen: NDArray[np.int64] = self.train[np.unique(np.minimum(drawn, self.train.size - 1))]
        return chosen

    @cached_property
    def _ladder(self) -> NDArray[np.float64]:
        assert self.train_classes is not None
        weight: NDArray[np.float64] = (1.0 / np.bincount(self.train_classes))[self.train_classes]
        return np.cumsum(weight)

    def pairs(self, count: int, negatives: int, index: int) -> NDArray[np.int64]:
        """Distinct ends of ``count`` random edges and of as many random pairs as ``negatives``."""
        rng = np.random.default_rng((DRAW_SEED, index))
        position = rng.integers(0, self.row.size, count)
        target = np.searchsorted(self.colptr, position, side="right") - 1
        others = rng.integers(0, self.num_nodes, 2 * negatives)
        return np.unique(np.concatenate([self.row[position].astype(np.int64), target, others]))
