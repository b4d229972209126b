"""The last batch of an epoch has fewer seeds, but not in proportion fewer nodes: neighbourhoods of many seeds overlap."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from techniques.facts import GraphFacts
from techniques.sampling.batches import counted_once
from techniques.sampling.shapes import HopSizes

if TYPE_CHECKING:
    from techniques.sampling.link_neighbor import LinkBatches
    from techniques.sampling.neighbor import NeighborBatches

FEW_STEPS = 16
"""An epoch of more steps feels little of its last batch."""


def smaller_last_batch(batches: NeighborBatches | LinkBatches, graph: GraphFacts) -> HopSizes | None:
    """Its sizes from the graph's facts; ``None`` where it is a full one, or one of many."""
    steps = math.ceil(graph.num_train / batches.batch_size)
    rest = graph.num_train - (steps - 1) * batches.batch_size
    if not 1 < steps <= FEW_STEPS or rest == batches.batch_size:
        return None
    return counted_once(replace(batches, batch_size=rest), graph)
