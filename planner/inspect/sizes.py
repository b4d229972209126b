"""Size, density and size class of a graph: formulas shared by measured and estimated facts."""

from __future__ import annotations

from techniques.facts import FLOAT_BYTES, INDEX_BYTES, SizeClass

SMALL_BELOW = 10_000
MEDIUM_BELOW = 100_000


def size_class(num_nodes: int, num_edges: int) -> SizeClass:
    """The source's size class: the larger of the classes of nodes and of edges.

    Small = hundreds to thousands (below 10,000), medium = tens of thousands (below 100,000), large = the rest.

    Args:
        num_edges: as people count them: an undirected edge once.
    """
    largest = max(num_nodes, num_edges)
    if largest < SMALL_BELOW:
        return SizeClass.SMALL
    return SizeClass.MEDIUM if largest < MEDIUM_BELOW else SizeClass.LARGE


def density(num_nodes: int, num_entries: int) -> float:
    """Share of possible links that exist; above 1 where edges are parallel.

    The source's E / (N(N-1)/2) for E undirected edges and E / (N(N-1)) for E directed ones are the same in stored
    entries.

    Args:
        num_entries: stored directed entries without self-loops.
    """
    return num_entries / max(num_nodes * (num_nodes - 1), 1)


def dataset_bytes(num_nodes: int, num_entries: int, width: int, edge_features: int = 0) -> int:
    """Bytes in memory: int64 ``edge_index`` and dense float32 node and edge features."""
    values = num_nodes * width + num_entries * edge_features
    return 2 * INDEX_BYTES * num_entries + FLOAT_BYTES * values
