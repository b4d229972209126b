"""A heterogeneous graph at hand from which a planner draws batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from techniques.remote.hetero_types import edge_types, edges_by_type, node_types
from techniques.sampling.drawn import DRAW_SEED
from techniques.sampling.hetero_structure import HeteroStructure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from techniques.architecture.hetero.relation import Relation
    from techniques.remote.source.stored import StoredGraph
    from techniques.sampling.kernels.hetero_neighbor import HeteroNeighborKernel, TypedHops


@dataclass
class DrawnTypedGraph:
    """In-edges by relation, and where batches start: ``train`` are nodes of the flat graph, of the target type."""

    stored: StoredGraph
    relations: Sequence[Relation]
    train: NDArray[np.int64]
    train_classes: NDArray[np.int64] | None = None

    @cached_property
    def kernel(self) -> HeteroNeighborKernel:
        nodes = node_types(self.stored)
        edges = edges_by_type(self.stored, nodes, edge_types(self.stored, nodes))
        return HeteroStructure.build(nodes.counts, self.relations, edges).kernel()

    @cached_property
    def _local(self) -> NDArray[np.int64]:
        local = node_types(self.stored).local
        return self.train if local is None else local[self.train].astype(np.int64)

    def seeds(self, target: int, batch_size: int, balanced: bool, index: int) -> dict[int, NDArray[np.int64]]:
        """Distinct seeds of one batch; ``balanced`` draws every class alike, with replacement."""
        rng = np.random.default_rng((DRAW_SEED, index))
        size = min(batch_size, self.train.size)
        if not balanced or self.train_classes is None:
            return {target: self._local[rng.choice(self.train.size, size=size, replace=False)]}
        weight = (1.0 / np.bincount(self.train_classes))[self.train_classes]
        drawn = rng.choice(self.train.size, size=size, p=weight / weight.sum())
        return {target: self._local[np.unique(drawn)]}

    def sample(self, seeds: dict[int, NDArray[np.int64]], fanouts: Sequence[int], index: int) -> TypedHops:
        return self.kernel.sample(seeds, [[fanout] * len(self.relations) for fanout in fanouts], index)
