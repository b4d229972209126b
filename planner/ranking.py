"""Candidates and a goal to an order: what is best, and why."""

from __future__ import annotations

from planner.costing import Costed
from planner.judgement import preference, sampler_reasons
from planner.quantities import format_bytes, format_seconds
from planner.rules import DENSE_WORTH_IT
from planner.typed import ONE_TYPE_HANDICAP, trains_types, type_reasons
from techniques.architecture.hetero.typed import TYPED
from techniques.base import Reason, Slot
from techniques.facts import Facts, Objective

ACCURACY_PRIOR = {"gat": 1.0, "sage": 1.05, "gcn": 1.15, "gin": 1.5, "hetero_sage": 1.05, "rgcn": 1.05, "hgt": 1.0}
"""Time handicap of an architecture for lower expected quality: separately tuned GraphSAGE and GAT are close, GCN up to
a few points behind, GIN unstable with hubs (Bajaj et al., VLDB 2025, section 5). A prior to order candidates, replaced by measuring."""
HETEROPHILY_HANDICAP = 1.5
POINTLESS_SAMPLING_HANDICAP = 3.0
TIGHT_SHARE = 0.9
TIGHT_HANDICAP = 1.2


SAMPLER_PRIOR = {"cluster": 1.5, "graph_saint": 1.5, "random_node": 2.0, "shadow_k_hop": 1.2}
"""The same for samplers: Cluster-GCN and GraphSAINT reach their accuracy sooner but swing from far below neighbour sampling
(ogbn-papers100M, ogbn-arxiv) to above it (Reddit) (Bajaj et al., VLDB 2025, table 8); random parts drop most edges."""


def order(facts: Facts, costed: list[Costed]) -> list[Costed]:
    """Best first: what the rules on samplers point to, then the goal's objective; least memory heeds no such rule."""
    return sorted(costed, key=lambda one: _score(facts, one))


def _score(facts: Facts, one: Costed) -> tuple[float, ...]:
    seconds = one.figures.seconds_to_converge * _handicap(facts, one)
    memory = one.figures.peak_host_bytes.expected + one.figures.peak_device_bytes.expected
    match facts.goal.optimize:
        case Objective.MEMORY:
            return memory, seconds
        case Objective.ACCURACY:
            return preference(facts, one.spec), _handicap(facts, one), seconds
        case Objective.TIME:
            return preference(facts, one.spec), seconds, memory


def _handicap(facts: Facts, one: Costed) -> float:
    architecture = one.spec.options[Slot.ARCHITECTURE]
    handicap = ACCURACY_PRIOR.get(architecture, 1.2) * SAMPLER_PRIOR.get(one.spec.options[Slot.SAMPLING], 1.0)
    homophily = facts.graph.labels.homophily
    if architecture == "gcn" and homophily is not None and homophily < 0.5:
        handicap *= HETEROPHILY_HANDICAP
    if trains_types(facts) and architecture not in TYPED:
        handicap *= ONE_TYPE_HANDICAP
    if samples_for_nothing(one):
        handicap *= POINTLESS_SAMPLING_HANDICAP
    if _memory_share(facts, one) > TIGHT_SHARE:
        handicap *= TIGHT_HANDICAP
    return handicap


def samples_for_nothing(one: Costed) -> bool:
    """One batch holds all training nodes: sampling drops neighbours and saves no step."""
    return one.spec.options[Slot.SAMPLING] != "full_batch" and one.figures.steps_per_epoch == 1


def _memory_share(facts: Facts, one: Costed) -> float:
    host = one.figures.needs_host_bytes / max(facts.host_limit_bytes, 1)
    device = one.figures.needs_device_bytes / facts.device_limit_bytes if facts.device_limit_bytes else 0.0
    return max(host, device)


def varied(ranked: list[Costed]) -> list[Costed]:
    """The same order, but the first three differ in sampling or architecture: alternatives should be alternatives."""
    first: list[Costed] = []
    rest: list[Costed] = []
    seen: set[tuple[str, str]] = set()
    for one in ranked:
        key = (one.spec.options[Slot.SAMPLING], one.spec.options[Slot.ARCHITECTURE])
        if key in seen or len(first) >= 3:
            rest.append(one)
        else:
            seen.add(key)
            first.append(one)
    return first + rest


def reasons(facts: Facts, one: Costed) -> tuple[Reason, ...]:
    """Why this candidate is here: memory, time and what each choice is good for."""
    figures, options = one.figures, one.spec.options
    found = [
        Reason(
            fact="host memory",
            value=f"up to {format_bytes(figures.needs_host_bytes)}",
            rule=f"baseline + peak under {format_bytes(facts.host_limit_bytes)}",
            source="cost model",
            text=f"peaks in {figures.peak_phase.value}",
        )
    ]
    if figures.needs_device_bytes:
        found.append(
            Reason(
                fact="device memory",
                value=f"up to {format_bytes(figures.needs_device_bytes)}",
                rule=f"peak under {format_bytes(facts.device_limit_bytes)}",
                source="cost model",
                text=f"peaks in {figures.device_peak_phase.value}; CUDA context and allocator's slack included",
            )
        )
    epochs = figures.epochs_to_converge
    found.append(
        Reason(
            fact="time to converge",
            value=f"about {format_seconds(figures.seconds_to_converge)}",
            rule=f"{epochs.low:.0f} to {epochs.high:.0f} epochs of {format_seconds(figures.epoch_seconds.expected)}",
            source="Bajaj et al., VLDB 2025, table 3",
            text="published epochs to accuracy; tune measures it",
        )
    )
    handicap = _handicap(facts, one)
    if handicap > 1.0:
        rule = "expected quality of layer and sampler, one-batch sampling, tight memory"
        text = "ranked as if it took so many times as long; tune measures it"
        found.append(_reason("handicap", f"{handicap:.2f}x", rule, "Bajaj et al., VLDB 2025, section 5", text))
    found += type_reasons(facts, one.spec) + sampler_reasons(facts, one.spec) + _choice_reasons(facts, options)
    return tuple(found)


def _choice_reasons(facts: Facts, options: dict[Slot, str]) -> list[Reason]:
    graph, found = facts.graph, []
    if options[Slot.REPRESENTATION] in ("coo", "csr"):
        rule = f"sparse below {DENSE_WORTH_IT:.0%} of all pairs linked"
        text = "a sparse adjacency holds only the pairs that are linked"
        if graph.density >= DENSE_WORTH_IT:
            text = "a dense matrix could pay here but is not offered yet; a sparse one also serves a graph that grows"
        found.append(_reason("density", f"{graph.density:.2g}", rule, "source, technique 2", text))
    if options[Slot.REPRESENTATION_FEATURES] == "csr":
        density = graph.features.density(graph.num_nodes)
        text = "only non-zeros are stored and multiplied"
        found.append(_reason("feature density", f"{density:.2%}", "sparse below 10 %", "source, technique 2", text))
    if options[Slot.SAMPLING] == "neighbor":
        text = "memory is bounded by the batch, not by the graph"
        found.append(_reason("nodes", f"{graph.num_nodes:,}", "sample what is large", "source, technique 4", text))
    if options[Slot.ARCHITECTURE] == "sage" and facts.goal.grow > 1:
        text = "GraphSAGE learns from samples and serves nodes it has not seen; try GAT in a controlled trial"
        found.append(_reason("growth", f"{facts.goal.grow:g}x", "growing graphs", "source, case D", text))
    return found


def _reason(fact: str, value: str, rule: str, source: str, text: str) -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source=source, text=text)
