"""The last batch of an epoch has fewer seeds, but not in proportion fewer nodes: neighbourhoods of many seeds overlap."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from techniques.facts import GraphFacts
from techniques.sampling.batches import counted_once

if TYPE_CHECKING:
    from techniques.sampling.link_neighbor import LinkBatches
    from techniques.sampling.neighbor import NeighborBatches


def neighborhood_epochs(batches: NeighborBatches | LinkBatches, graph: GraphFacts) -> tuple[int, float]:
    """Steps of an epoch, and the full batches that they amount to: the last one by its nodes and edges beside those of a
    full one, both from the graph's facts."""
    steps = math.ceil(graph.num_train / batches.batch_size)
    rest = graph.num_train - (steps - 1) * batches.batch_size
    if steps < 2 or rest == batches.batch_size:
        return steps, float(steps)
    full, last = counted_once(batches, graph), counted_once(replace(batches, batch_size=rest), graph)
    whole, part = (sum(sizes.mean_nodes) + sum(sizes.mean_edges) for sizes in (full, last))
    return steps, steps - 1 + min(part / whole, 1.0)
