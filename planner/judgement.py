"""Which sampler the source's rules point to, given the facts: what ranks first before any cost is compared."""

from __future__ import annotations

from planner.graph_sets import has_uneven_graphs, set_reasons
from planner.proposal import SAFE
from planner.quantities import format_bytes
from planner.rules import MEMORY_LOW, break_even, counted_bytes, outgrows_dense
from planner.typed import trains_types
from techniques.architecture.hetero.typed import is_typed
from techniques.base import Reason, Slot
from techniques.facts import Facts, GraphFacts, Origin, SizeClass, Task
from techniques.job import JobSpec
from techniques.sampling.seeds import IMBALANCED, draws_balanced, is_imbalanced

WIDE_CONTEXT_HOPS = 3
"""From so many hops on the context is wide: sampled neighbourhoods of as many layers multiply."""
WIDE_CONTEXT_DEGREE = 16.0
"""Ego graphs stay small and relevant up to this mean degree."""
PROPAGATES_WHOLE = ("appnp", "sgc", "sign")
"""What starts anew when the graph has grown."""
BEYOND_COUNTS = 2.0
"""So many times what counts make up is more than another format of the same numbers."""
ROAD_DEGREE, ROAD_LARGEST_DEGREE, ROAD_NODES = 5.0, 16, 1_000
"""Mean and largest degree of road networks and the like: few neighbours everywhere, no hubs; and not a handful of nodes."""


def is_road_like(graph: GraphFacts) -> bool:
    """Few neighbours everywhere; where only the mean is known, graphs that are large as well."""
    if graph.mean_degree > ROAD_DEGREE or graph.task is not Task.NODE:
        return False
    if graph.origin is Origin.MEASURED:
        return graph.degrees.max <= ROAD_LARGEST_DEGREE and graph.num_nodes >= ROAD_NODES
    return graph.size_class is SizeClass.LARGE


def wants_wide_context(facts: Facts) -> bool:
    """The user asks for many hops, and degrees are low enough for ego graphs of that depth."""
    hops = facts.goal.context_hops
    return hops is not None and hops >= WIDE_CONTEXT_HOPS and facts.graph.mean_degree <= WIDE_CONTEXT_DEGREE


def wants_ego_graphs(facts: Facts) -> bool:
    return wants_wide_context(facts) or is_road_like(facts.graph)


def preference(facts: Facts, spec: JobSpec) -> int:
    """Rules that a spec goes against: its sampler's, sparse for few pairs and for a graph that grows, no propagation
    over all of such a graph, batches where the data is larger than its counts say; fewer is better."""
    sampling = spec.options[Slot.SAMPLING]
    if trains_types(facts):
        return int(not is_typed(spec)) + int(is_imbalanced(facts.graph) and not draws_balanced(spec))
    against = int(sampling != "shadow_k_hop") if wants_ego_graphs(facts) else int(sampling not in SAFE)
    if spec.options[Slot.REPRESENTATION] == "dense":
        against += int(outgrows_dense(facts) or facts.graph.density < break_even(facts))
    against += int(spec.options[Slot.ARCHITECTURE] in PROPAGATES_WHOLE and facts.goal.grow > 1)
    if sampling == "full_batch":
        against += int(is_larger_than_counts(facts))
    if facts.task is Task.GRAPH:
        against += int(sampling == ("graph_batch" if has_uneven_graphs(facts) else "dynamic_batch"))
    if is_imbalanced(facts.graph) and facts.task is Task.NODE:
        against += int(not draws_balanced(spec))
    if facts.goal.hierarchy is not None:
        against += int(spec.options[Slot.COARSENING] == "none")
    return against


def is_larger_than_counts(facts: Facts) -> bool:
    """The user states more data than nodes, edges and features make up, and too much for the source's least of 4 times to fit:
    no forecast knows the rest, so the rule decides."""
    limit = facts.device_limit_bytes or facts.host_limit_bytes
    stated = facts.graph.dataset_bytes > BEYOND_COUNTS * counted_bytes(facts.graph)
    return stated and MEMORY_LOW * facts.grown_dataset_bytes > limit


def sampler_reasons(facts: Facts, spec: JobSpec) -> list[Reason]:
    """Why this sampler, fact by fact."""
    graph, sampling, found = facts.graph, spec.options[Slot.SAMPLING], []
    if facts.task is Task.GRAPH:
        found += set_reasons(facts, spec)
    if sampling == "link_neighbor":
        found.append(_reason("task", "link", "link-level tasks use LinkNeighborLoader", "edges are the seeds"))
    if sampling == "shadow_k_hop" and wants_wide_context(facts):
        rule = f"at least {WIDE_CONTEXT_HOPS} hops wanted at a mean degree up to {WIDE_CONTEXT_DEGREE:g}"
        text = "an ego graph per root reaches that far, whatever the number of layers; tune its depth k, and check the "
        text += "predictions against what was observed there"
        found.append(_reason("context", str(facts.goal.context_hops), rule, text, "source, technique 4 and case E"))
    if sampling == "shadow_k_hop" and is_road_like(graph):
        rule = f"up to {ROAD_DEGREE:g}, as in road networks"
        text = "few neighbours: ego graphs reach far and stay small"
        found.append(_reason("mean degree", f"{graph.mean_degree:.1f}", rule, text, "source, technique 4 and case E"))
    if sampling == "neighbor" and graph.mean_degree > ROAD_DEGREE:
        rule = f"above {ROAD_DEGREE:g}: a few neighbours stand for many"
        text = "local neighbourhoods, sampled anew for every batch"
        found.append(_reason("mean degree", f"{graph.mean_degree:.1f}", rule, text))
    if is_larger_than_counts(facts):
        found.append(_beyond_counts(facts))
    if draws_balanced(spec) and is_imbalanced(graph):
        rule = f"largest class over smallest at least {IMBALANCED:g}"
        text = "rare classes are drawn more often (PyG ImbalancedSampler)"
        found.append(_reason("imbalance", f"{graph.labels.imbalance:.1f}", rule, text))
    return found


def _beyond_counts(facts: Facts) -> Reason:
    wanted, where = MEMORY_LOW * facts.grown_dataset_bytes, "GPU" if facts.device_limit_bytes else "machine"
    value = f"{format_bytes(facts.grown_dataset_bytes)} as stated"
    rule = f"{MEMORY_LOW} times the data, where counts make up less than it"
    text = f"forecasts know of {format_bytes(counted_bytes(facts.graph))}; {MEMORY_LOW} times what is stated, "
    text += f"{format_bytes(wanted)}, is more than the {where} has: reduce it on the CPU, train on batches of subgraphs"
    return _reason("data", value, rule, text, "source, general steps and case B")


def _reason(fact: str, value: str, rule: str, text: str, source: str = "source, technique 4") -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source=source, text=text)
