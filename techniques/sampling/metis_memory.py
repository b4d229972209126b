"""What METIS needs while it cuts a graph into parts (Karypis and Kumar, SIAM J. Sci. Comput. 1998: multilevel k-way)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from techniques.facts import INDEX_BYTES

PER_ENTRY, PER_NODE = 2, 16
"""int64 values on every level: a neighbour and a weight per entry; per node pointers, weights, matches, parts and gains. Within 22 % on
eight graphs of 0.2 to 2.8 M edges and a mean degree of 7 to 100; 1.4 times too much for a road network, where edges merge sooner."""


def metis_bytes(num_nodes: int, num_entries: float, num_parts: int) -> float:
    """All levels live at once: the graph, and what is left of it whenever pairs of nodes have been merged.

    Args:
        num_entries: of the symmetric graph, both directions of an edge.
    """
    levels = _levels(num_nodes, num_entries, num_parts)
    return INDEX_BYTES * sum(PER_ENTRY * entries + PER_NODE * nodes for nodes, entries in levels)


def _levels(nodes: float, entries: float, num_parts: int) -> Iterator[tuple[float, float]]:
    """Nodes and entries of every level: a merged pair loses its edge, others stay until all nodes are linked.

    METIS stops merging at 30 nodes a part, or at a share of the nodes where that is more (``kmetis.c``).
    """
    fewest = max(nodes / (20 * max(math.log2(num_parts), 1.0)), 30.0 * num_parts)
    while True:
        yield nodes, entries
        if nodes <= fewest:
            return
        nodes, entries = nodes / 2, max(min(entries - nodes, nodes * nodes / 4), 0.0)
