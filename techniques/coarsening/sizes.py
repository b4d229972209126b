"""How large a coarse graph will be, from counts alone: measured shares of nodes, edges and features that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.base import Slot
from techniques.facts import Facts, GraphFacts
from techniques.forecast import Range
from techniques.graph_figures import DegreeFacts

if TYPE_CHECKING:
    from techniques.coarsening.plan import CoarseningPlan
    from techniques.job import JobSpec

NO_COARSENING = "none"
"""The option that trains on the graph itself."""
GRACLUS_LEVEL = Range(0.53, 0.60, 0.78)
"""Share of the nodes that one level of graclus keeps. Measured, as all shares here, on 17 real graphs
(tests/benchmarks/coarsening.py --sizes); pygod_reddit, a graph of stars, keeps 0.91."""
EDGE_EXPONENT = Range(0.15, 0.55, 1.2)
"""Share of the edges that is left at a share r of the nodes: r to this power; few parallel edges keep most."""
NONZERO_EXPONENT = 0.3
"""The same for non-zeros of sparse features."""


EDGE_BYTES = 8
"""An int32 source and a float32 weight."""


def kept_nodes(plan: CoarseningPlan) -> Range:
    """Share of the nodes that may be joined that stays."""
    if plan.method != "graclus":
        return Range.within(plan.ratio, 0.01)
    levels = plan.levels
    return Range(GRACLUS_LEVEL.low**levels, GRACLUS_LEVEL.expected**levels, GRACLUS_LEVEL.high**levels)


def kept_edges(share: float) -> Range:
    """Share of the edges that is left where ``share`` of the nodes is."""
    return Range(share**EDGE_EXPONENT.high, share**EDGE_EXPONENT.expected, share**EDGE_EXPONENT.low)


def level_bytes(graph: GraphFacts, plan: CoarseningPlan, coarse_edges: int) -> float:
    """What two levels hold that are there at once: the graph of the first and that of the next, 8 bytes an edge."""
    if plan.method == "graclus":
        levels = plan.levels
    else:
        levels = 1 if plan.method == "voxel_grid" or plan.ratio >= GRACLUS_LEVEL.expected else 2
    if levels == 1:
        return EDGE_BYTES * coarse_edges
    first = kept_edges(GRACLUS_LEVEL.expected).expected
    second = max(kept_edges(GRACLUS_LEVEL.expected**2).expected * graph.num_edges, coarse_edges)
    return EDGE_BYTES * (first * graph.num_edges + second)


def coarse_graph_facts(graph: GraphFacts, plan: CoarseningPlan, free_share: float = 1.0) -> GraphFacts:
    """What is expected of the coarse graph; ``free_share`` of the nodes may be joined."""
    share = 1.0 - free_share * (1.0 - kept_nodes(plan).expected)
    nodes = max(1, round(share * graph.num_nodes))
    edges = max(1, round(kept_edges(share).expected * graph.num_edges))
    nonzeros = min(round(share**NONZERO_EXPONENT * graph.features.nonzeros), nodes * graph.features.width)
    train = super_nodes_with_training(graph.num_train, graph.num_nodes, nodes)
    return with_coarse_sizes(graph, nodes, edges, nonzeros, train, scaled_degrees(graph.degrees, nodes, edges, graph))


def with_coarse_sizes(
    graph: GraphFacts,
    nodes: int,
    edges: int,
    nonzeros: int,
    train: int,
    degrees: DegreeFacts,
    reached_nonzeros: float | None = None,
) -> GraphFacts:
    """Facts of a coarse graph: weighted edges, no self-loops, no labels but those of its training nodes. Rows that edges
    lead to have as many more non-zeros than others as in the graph, where nothing else is known."""
    if graph.features.generated:
        nonzeros = nodes * graph.features.width
    if reached_nonzeros is None and graph.features.reached_nonzeros is not None:
        more = graph.features.reached_nonzeros * graph.num_nodes / max(graph.features.nonzeros, 1)
        reached_nonzeros = more * nonzeros / nodes
    looked = {"nonzeros": nonzeros, "reached_nonzeros": reached_nonzeros}
    return graph.model_copy(
        update={
            "num_nodes": nodes,
            "num_edges": edges,
            "nodes_by_type": {name: nodes for name in list(graph.nodes_by_type)[:1]},
            "edges_by_type": {name: edges for name in list(graph.edges_by_type)[:1]},
            "self_loops": 0,
            "isolated": None,
            "degrees": degrees,
            "features": graph.features.model_copy(update=looked),
            "labels": graph.labels.model_copy(update={"train": train, "val": 0, "test": 0, "labelled": train}),
            "edge_weighted": True,
            "edge_weight_least": None,
            "edge_weight_symmetric": graph.undirected and (graph.edge_weight_symmetric or not graph.edge_weighted),
        }
    )


def super_nodes_with_training(train: int, nodes: int, coarse: int) -> int:
    """Super-nodes with a training member, if training nodes lie anywhere: those without have none among their members."""
    members = nodes / coarse
    without: float = (1.0 - min(train / max(nodes, 1), 1.0)) ** members
    return max(1, min(round(coarse * (1.0 - without)), train, coarse))


def scaled_degrees(degrees: DegreeFacts, nodes: int, edges: int, graph: GraphFacts) -> DegreeFacts:
    """The same shape of distribution with another mean and fewer nodes."""
    share, factor = nodes / graph.num_nodes, (edges / nodes) / max(graph.mean_degree, 1e-9)
    bins: dict[int, list[float]] = {}
    for low, count, total in zip(degrees.lows, degrees.histogram, degrees.totals, strict=True):
        # Where degrees shrink two bins may begin at the same whole number.
        one = bins.setdefault(round(low * factor), [0.0, 0.0])
        one[0], one[1] = one[0] + count * share, one[1] + total * share * factor
    lows = sorted(bins)
    return DegreeFacts(
        mean=edges / nodes,
        max=max(1, min(round(degrees.max * max(factor, 1.0)), nodes)),
        lows=tuple(lows),
        histogram=tuple(round(bins[low][0]) for low in lows),
        totals=tuple(round(bins[low][1]) for low in lows),
        closure=degrees.closure,
        square_closure=degrees.square_closure,
    )


def trained_facts(facts: Facts, spec: JobSpec) -> Facts:
    """Facts of the graph that a spec trains on: the graph itself, or what is expected of its coarse one."""
    name = spec.options[Slot.COARSENING]
    if name == NO_COARSENING:
        return facts  # asked of every proposal
    from techniques import option
    from techniques.coarsening.option import Coarsening

    chosen = option(Slot.COARSENING, name)
    if not isinstance(chosen, Coarsening):
        return facts
    return facts.model_copy(update={"graph": chosen.expected(facts, spec)})
