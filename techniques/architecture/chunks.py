"""How much a pass over all nodes or edges holds at once."""

from __future__ import annotations

CHUNK_BYTES = 64 * 2**20
"""Messages that evaluation holds at once where neighbours are gathered edge by edge."""
FUSED_CHUNK_EDGES = 4_000_000
"""Edges whose values it holds at once where neighbours are summed by a fused product."""
INFERENCE_CHUNK_BYTES = 2**19
"""Rows that layer-wise inference gathers, and rows that it makes, at once, at least, where training samples the graph: a chunk
takes a few times as much, which is less than any step of training that is worth its overhead."""
PAIRS_PER_CHUNK = 2_048
"""Pairs whose two ends are held at once when links are scored."""
RANKED_AGAINST, RANKED_EDGES = 100, 5_000
"""Random targets that each held-out edge is ranked against for MRR, and the edges of a split that are ranked."""
MAX_BYTES = 64 * 2**20
"""Rows of all edges that a maximum gathers at once: a few columns where the input is wide."""


def columns_at_once(edges: float, columns: int) -> int:
    """So many of them, of all edges, a maximum gathers at once."""
    return max(1, min(columns, int(MAX_BYTES // (4 * max(edges, 1)))))
