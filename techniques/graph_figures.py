"""What is counted of a graph: degrees, features, sizes of the graphs of a set, node and edge types, labels."""

from __future__ import annotations

from techniques.record import Record


class DegreeFacts(Record):
    """In-degrees (stored entries per target node).

    ``histogram[i]`` counts the nodes whose degree lies in ``[lows[i], lows[i + 1])``; ``totals[i]`` is the sum of
    their degrees, so that ``totals[i] / histogram[i]`` is the exact mean of a bin.

    What only the edges tell is ``None`` where they were not read: nodes, and training nodes, by block of like degree (in
    and out where they differ), and ``block_edges[i][j]``, the entries from block j to block i without self-loops, from
    at most a million edges. ``closure`` and ``square_closure`` are the shares of paths of two and three edges, the first
    a random entry and no step straight back, whose ends are joined.
    """

    mean: float
    max: int
    lows: tuple[int, ...]
    histogram: tuple[int, ...]
    totals: tuple[int, ...]
    block_nodes: tuple[int, ...] | None = None
    block_train: tuple[int, ...] | None = None
    block_edges: tuple[tuple[int, ...], ...] | None = None
    closure: float | None = None
    square_closure: float | None = None


class FeatureFacts(Record):
    """Node features at rest and as the model sees them."""

    width: int
    dtype: str
    nonzeros: int
    stored_bytes: int
    sparse_at_rest: bool = False
    generated: bool = False
    """True where the graph has none and log-degree plus a constant stand in."""
    values_checked: bool = False
    fits_half: bool | None = None
    """Whether every value survives as float16; ``None`` where nobody has looked."""
    reached_nonzeros: float | None = None
    """Non-zeros of the row of an edge's source, on average: nodes with many neighbours often have more; ``None`` where sparse
    rows were not looked at."""

    def density(self, num_nodes: int) -> float:
        """Share of non-zero entries, 0 to 1."""
        return self.nonzeros / max(num_nodes * self.width, 1)


class GraphSetFacts(Record):
    """Sizes of the graphs of a set: what their batches cost.

    ``node_counts[i]`` graphs have a number of nodes in ``[node_lows[i], node_lows[i + 1])``, ``edge_counts[i]`` a number
    of stored edges in ``[edge_lows[i], edge_lows[i + 1])``. Deviations are over graphs. ``assumed`` says that spreads are
    typical ones: counts alone do not tell.
    """

    nodes_mean: float
    nodes_deviation: float
    nodes_max: int
    node_lows: tuple[int, ...]
    node_counts: tuple[int, ...]
    edges_mean: float
    edges_deviation: float
    edges_max: int
    edge_lows: tuple[int, ...]
    edge_counts: tuple[int, ...]
    correlation: float = 1.0
    """Of a graph's nodes and edges."""
    assumed: bool = False


class NodeTypeFacts(Record):
    """One node type of a heterogeneous graph: its nodes and what they bring."""

    name: str
    num_nodes: int
    columns: int = 0
    """Feature columns; 0 where the type has no features."""
    nonzeros: int = 0
    """Feature values that are stored: all of a dense matrix."""
    feature_bytes: int = 0
    """Of dense float32 rows."""

    @property
    def density(self) -> float:
        """Share of non-zero features, 0 to 1; 0 without features."""
        return self.nonzeros / max(self.num_nodes * self.columns, 1)


class EdgeTypeFacts(Record):
    """One edge type (source type, relation, target type) of a heterogeneous graph.

    ``degrees`` counts entries per target node, ``out_degrees`` per source node. ``reverse`` is the place, among the
    graph's edge types, of the one that holds the same edges the other way round.
    """

    source: str
    relation: str
    target: str
    num_edges: int
    degrees: DegreeFacts
    out_degrees: DegreeFacts
    reverse: int | None = None

    @property
    def name(self) -> str:
        return f"{self.source}|{self.relation}|{self.target}"


class LabelFacts(Record):
    """Labels and splits; counts are in nodes, in graphs for graph-level tasks, in edges for link tasks."""

    num_classes: int
    multi_label: bool = False
    num_targets: int = 0
    """Columns of a regression's targets; 0 where ``y`` holds classes."""
    labelled: int | None = None
    imbalance: float | None = None
    """Largest class over smallest class."""
    majority_share: float | None = None
    homophily: float | None = None
    """Share of edges that join two labelled nodes of one class."""
    train: int | None = None
    val: int | None = None
    test: int | None = None
    val_classes: int | None = None
    """Classes among what validates; ``None`` where nobody looked, or where there are no classes."""
    split_is_seeded: bool = False
