"""The edge types that messages pass along: those of a graph, and the same turned round."""

from __future__ import annotations

from dataclasses import dataclass

from techniques.facts import GraphFacts
from techniques.graph_figures import DegreeFacts

REVERSE = "rev_"
"""Prefix of a relation that was turned round, as PyG's ``ToUndirected`` names it."""


@dataclass(frozen=True)
class Relation:
    """An edge type that messages pass along: a stored one, or a stored one turned round.

    ``source`` and ``target`` are places among the graph's node types, ``stored`` is that among its edge types;
    ``mirror`` is the place, among the relations, of the one with the same edges the other way round.
    """

    source: int
    name: str
    target: int
    stored: int
    turned: bool
    num_edges: int
    mirror: int | None
    degrees: DegreeFacts
    """In-degrees of the target type's nodes."""
    out_degrees: DegreeFacts
    """Out-degrees of the source type's nodes."""

    def key(self, graph: GraphFacts) -> tuple[str, str, str]:
        """PyG's edge type."""
        return graph.node_types[self.source].name, self.name, graph.node_types[self.target].name


def relations(graph: GraphFacts, reverse_edges: bool) -> tuple[Relation, ...]:
    """The stored edge types, then, with ``reverse_edges``, those that have no reverse, turned round."""
    place = {one.name: index for index, one in enumerate(graph.node_types)}
    stored = graph.edge_types
    alone = [index for index, one in enumerate(stored) if one.reverse is None] if reverse_edges else []
    turned_at = {index: len(stored) + extra for extra, index in enumerate(alone)}
    found = []
    for index, one in enumerate(stored):
        mirror = turned_at.get(index, one.reverse)
        ends = place[one.source], one.relation, place[one.target]
        found.append(Relation(*ends, index, False, one.num_edges, mirror, one.degrees, one.out_degrees))
    for index in alone:
        one = stored[index]
        ends = place[one.target], REVERSE + one.relation, place[one.source]
        found.append(Relation(*ends, index, True, one.num_edges, index, one.out_degrees, one.degrees))
    return tuple(found)


def target_place(graph: GraphFacts) -> int:
    """Place of the node type that has labels."""
    return next(index for index, one in enumerate(graph.node_types) if one.name == graph.target_type)
