"""What is said of graphs of several node and edge types: facts by type, warnings, and what their reasons are."""

from __future__ import annotations

from collections.abc import Iterator

from planner.quantities import format_bytes
from techniques.architecture.hetero.typed import TYPED, is_typed, relations_of
from techniques.base import Reason, SettingValue, Slot
from techniques.facts import Facts, GraphFacts, Task
from techniques.graph_figures import EdgeTypeFacts, NodeTypeFacts
from techniques.job import JobSpec

ONE_TYPE_HANDICAP = 1.5
"""Layers that take all types as one lose what tells relations apart: RGCN and R-GAT stand 3 to 17 points above GCN and
GraphSAGE on ogbn-mag and MAG240M (OGB leaderboards; OGB-LSC README). A prior to order candidates, replaced by measuring."""
SHOWN_UNREAD = 4
TYPED_BASELINE_SETTINGS: dict[str, SettingValue] = {
    "layers": 2,
    "hidden": 64,
    "batch_size": 1024,
    "fanouts": (10, 10),
    "seed_order": "uniform",
    "trim": False,
    "prefetch": 0,
    "reverse_edges": True,
}
"""PyG's examples/hetero/to_hetero_mag.py: GraphSAGE by to_hetero, 2 x 64, num_neighbors=[10, 10], ToUndirected."""


def trains_types(facts: Facts) -> bool:
    """Whether typed architectures can be used on a graph."""
    return bool(facts.graph.edge_types) and facts.graph.target_type is not None and facts.task is Task.NODE


def baseline_options() -> dict[Slot, str]:
    """What PyG's examples choose for heterogeneous graphs."""
    return {Slot.ARCHITECTURE: "hetero_sage", Slot.SAMPLING: "neighbor", Slot.REPRESENTATION: "coo"}


def type_warnings(facts: Facts, spec: JobSpec) -> tuple[str, ...]:
    """What a network leaves out: edge data of single types, and types where it takes all as one."""
    unread = _unread(facts.graph)
    if not facts.graph.heterogeneous or is_typed(spec):
        return unread
    kept = f"; {', '.join(TYPED)} keep them apart" if trains_types(facts) else ""
    return (
        f"all node and edge types are trained as one, features padded with zeros (PyG's to_homogeneous){kept}",
        *unread,
    )


def _unread(graph: GraphFacts) -> tuple[str, ...]:
    names = graph.unread_edge_data
    if not names:
        return ()
    more = f" and {len(names) - SHOWN_UNREAD} more" if len(names) > SHOWN_UNREAD else ""
    rule = "gcn and appnp read weights, gat and gatv2 attributes, where every edge type has them, equally wide"
    return (f"not read: {', '.join(names[:SHOWN_UNREAD])}{more}; {rule}",)


def type_reasons(facts: Facts, spec: JobSpec) -> list[Reason]:
    """Why types are kept apart, and which edges are turned round for it."""
    if not is_typed(spec):
        return []
    graph = facts.graph
    found = [
        Reason(
            fact="types",
            value=f"{len(graph.node_types)} of nodes, {len(graph.edge_types)} of edges",
            rule="one weight for each edge type, one encoder for each node type",
            source="Schlichtkrull et al., ESWC 2018",
            text="relations mean different things: each is summed apart",
        )
    ]
    turned = [one for one in relations_of(graph, spec) if one.turned]
    if turned:
        found.append(
            Reason(
                fact="edge types without a reverse",
                value=str(len(turned)),
                rule="messages pass against an edge only along a reverse edge type",
                source="PyG, ToUndirected",
                text=f"{', '.join(one.name for one in turned[:4])} added: reverse_edges",
            )
        )
    return found


def type_lines(graph: GraphFacts) -> Iterator[str]:
    """Facts by type, as text."""
    if not graph.edge_types:
        return
    target = f", classes of {graph.target_type}" if graph.target_type else ""
    yield f"Types{target}"
    for node in graph.node_types:
        yield f"  {_node(node)}"
    for edge in graph.edge_types:
        yield f"  {_edge(graph, edge)}"


def _node(one: NodeTypeFacts) -> str:
    if not one.columns:
        return f"{one.name}: {one.num_nodes:,} nodes, no features"
    sparse = f", {one.density:.2%} non-zero" if one.density < 1 else ""
    return f"{one.name}: {one.num_nodes:,} nodes, {one.columns:,} features{sparse}, {format_bytes(one.feature_bytes)} dense"


def _edge(graph: GraphFacts, one: EdgeTypeFacts) -> str:
    reverse = "no reverse"
    if one.reverse is not None:
        other = graph.edge_types[one.reverse]
        reverse = "both directions" if other.name == one.name else f"reverse of {other.relation}"
    ends = f"{one.source} -> {one.relation} -> {one.target}"
    into = f"in-degree {one.degrees.mean:.1f} up to {one.degrees.max:,}"
    out = f"out-degree {one.out_degrees.mean:.1f} up to {one.out_degrees.max:,}"
    return f"{ends}: {one.num_edges:,} edges, {into}, {out}, {reverse}"
