"""Named rules of the source, applied to the facts; each says where it comes from and what it found."""

from __future__ import annotations

from planner.quantities import format_bytes
from planner.records import RuleVerdict
from techniques.base import Reason
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts
from techniques.sampling.seeds import IMBALANCED

MEMORY_LOW, MEMORY_HIGH = 4, 10
"""Memory should be 4 to 10 times the data set (source, general steps)."""
DENSE_WORTH_IT = 0.25
"""Share of linked pairs from which a dense adjacency can pay; the measured sweep comes with the dense option."""
LOW_HOMOPHILY = 0.5
HIGH_DEGREE = 30.0


def apply_rules(facts: Facts) -> tuple[RuleVerdict, ...]:
    """Every rule, in the order a person would read them."""
    rules = [size_class(facts.graph), memory_rule(facts), density_rule(facts.graph)]
    if facts.hardware.gpus:
        rules.append(device_memory_rule(facts))
    rules.append(feature_rule(facts.graph))
    return tuple(rules)


def size_class(graph: GraphFacts) -> RuleVerdict:
    """Small, medium or large by nodes and edges."""
    value = f"{graph.num_nodes:,} nodes, {graph.num_edges:,} stored edges"
    return RuleVerdict(name="size class", source="source, stages", value=value, verdict=graph.size_class.value)


def memory_rule(facts: Facts) -> RuleVerdict:
    """4 to 10 times the data set, against host memory."""
    return _memory_rule("host memory 4-10x", facts.grown_dataset_bytes, facts.host_limit_bytes)


def device_memory_rule(facts: Facts) -> RuleVerdict:
    """The same against device memory, where the rule is known to mislead (published full-batch GraphSAGE runs need 2.0 to 8.7 times the data)."""
    return _memory_rule("device memory 4-10x", facts.grown_dataset_bytes, facts.device_limit_bytes)


def _memory_rule(name: str, data_bytes: int, has_bytes: int) -> RuleVerdict:
    low, high = MEMORY_LOW * data_bytes, MEMORY_HIGH * data_bytes
    value = f"data {format_bytes(data_bytes)}: {format_bytes(low)} to {format_bytes(high)} wanted"
    if has_bytes >= high:
        verdict = f"comfortable: {format_bytes(has_bytes)} there"
    elif has_bytes >= low:
        verdict = f"enough: {format_bytes(has_bytes)} there"
    else:
        verdict = f"short: {format_bytes(has_bytes)} there; the cost model decides"
    return RuleVerdict(name=name, source="source, general steps", value=value, verdict=verdict)


def density_rule(graph: GraphFacts) -> RuleVerdict:
    """E / (N (N - 1) / 2) for undirected graphs decides between dense and sparse."""
    dense_bytes = FLOAT_BYTES * graph.num_nodes**2
    value = f"{graph.density:.3g} of all pairs linked; dense would need {format_bytes(dense_bytes)}"
    verdict = (
        "sparse" if graph.density < DENSE_WORTH_IT else "dense enough for a dense matrix, which is not offered yet"
    )
    return RuleVerdict(name="density", source="source, technique 2", value=value, verdict=verdict)


def feature_rule(graph: GraphFacts) -> RuleVerdict:
    """Features are often larger than structure."""
    feature_bytes = FLOAT_BYTES * graph.num_nodes * graph.features.width
    structure_bytes = 16 * graph.num_edges
    value = f"features {format_bytes(feature_bytes)}, structure {format_bytes(structure_bytes)}"
    larger = "features" if feature_bytes > structure_bytes else "structure"
    return RuleVerdict(name="what is large", source="source, root causes", value=value, verdict=larger)


def judgements(facts: Facts) -> tuple[Reason, ...]:
    """What an expert would say about this graph whatever is chosen."""
    graph, found = facts.graph, []
    labels = graph.labels
    if labels.imbalance is not None and labels.imbalance >= IMBALANCED:
        found.append(
            Reason(
                fact="imbalance",
                value=f"{labels.imbalance:.1f}",
                rule=f"largest class over smallest at least {IMBALANCED:.0f}",
                source="source, technique 4",
                text="accuracy alone misleads: macro-F1, AUROC and average precision are reported beside it",
            )
        )
    if labels.homophily is not None and labels.homophily < LOW_HOMOPHILY:
        found.append(
            Reason(
                fact="homophily",
                value=f"{labels.homophily:.2f}",
                rule=f"below {LOW_HOMOPHILY}",
                source="Platonov et al., ICLR 2023",
                text="layers that keep a node apart from its neighbours (GraphSAGE) do better than GCN",
            )
        )
    if len(facts.hardware.gpus) > 1 and not facts.goal.ddp_tried:
        found.append(
            Reason(
                fact="GPUs",
                value=str(len(facts.hardware.gpus)),
                rule="no DistributedDataParallel that has not been tried with this model",
                source="source, case F",
                text="one GPU is used here; measure time per epoch and convergence under DDP before adopting it",
            )
        )
    return tuple(found)
