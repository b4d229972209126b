"""Named rules of the source, applied to the facts; each says where it comes from and what it found."""

from __future__ import annotations

from planner.inspect.sizes import dataset_bytes
from planner.quantities import format_bytes
from planner.records import RuleVerdict
from techniques.base import Reason, Slot
from techniques.facts import FLOAT_BYTES, Facts, GraphFacts
from techniques.hardware.rates import rates
from techniques.job import JobSpec
from techniques.representation.dense import break_even_density, matrix_bytes
from techniques.sampling.seeds import IMBALANCED

MEMORY_LOW, MEMORY_HIGH = 4, 10
"""Memory should be 4 to 10 times the data set (source, general steps)."""
DECIDES = "; the cost model decides"
TYPICAL_COLUMNS = 128
"""Width of hidden layers unless the user says otherwise: what the break-even density is computed for."""
LOW_HOMOPHILY = 0.5
HIGH_DEGREE = 30.0


def apply_rules(facts: Facts) -> tuple[RuleVerdict, ...]:
    """Every rule, in the order a person would read them."""
    rules = [size_class(facts.graph), memory_rule(facts), density_rule(facts)]
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
    return _memory_rule("host memory 4-10x", facts, facts.host_limit_bytes)


def device_memory_rule(facts: Facts) -> RuleVerdict:
    """The same against device memory, where the rule is known to mislead (published full-batch GraphSAGE runs need 2.0 to 8.7 times the data)."""
    found = _memory_rule("device memory 4-10x", facts, facts.device_limit_bytes)
    if found.verdict.endswith(DECIDES):
        return found
    return found.model_copy(update={"verdict": found.verdict + DECIDES})


def _memory_rule(name: str, facts: Facts, has_bytes: int) -> RuleVerdict:
    data_bytes = facts.grown_dataset_bytes
    low, high = MEMORY_LOW * data_bytes, MEMORY_HIGH * data_bytes
    value = f"data {format_bytes(data_bytes)}, {_counted(facts)}: {format_bytes(low)} to {format_bytes(high)} wanted"
    if has_bytes >= high:
        verdict = f"comfortable: {format_bytes(has_bytes)} there"
    elif has_bytes >= low:
        verdict = f"enough: {format_bytes(has_bytes)} there"
    else:
        verdict = f"short: {format_bytes(has_bytes)} there{DECIDES}"
    return RuleVerdict(name=name, source="source, general steps", value=value, verdict=verdict)


def _counted(facts: Facts) -> str:
    """Which bytes the rule was applied to."""
    graph, grown = facts.graph, f", grown {facts.goal.grow:g}x" if facts.goal.grow > 1 else ""
    if graph.dataset_bytes != counted_bytes(graph):
        return "as stated" + grown
    return "int64 edge_index and dense float32 features" + grown


def counted_bytes(graph: GraphFacts) -> int:
    """What nodes, edges and features make up, whatever the user states."""
    return dataset_bytes(graph.num_nodes, graph.num_edges, graph.features.width, graph.edge_features)


def break_even(facts: Facts) -> float:
    """Share of linked pairs from which a dense product is faster than a sparse one here, by the cost model's rates."""
    hardware = "cuda" if facts.hardware.gpus else "cpu"
    speed = rates(facts, JobSpec(options={Slot.HARDWARE: hardware}, settings={}))
    return break_even_density(speed, facts.graph.num_nodes, facts.model.hidden or TYPICAL_COLUMNS)


def outgrows_dense(facts: Facts) -> bool:
    """The graph will grow: a dense matrix grows with the square of its nodes, a sparse one with its edges."""
    return facts.goal.grow > 1


def density_rule(facts: Facts) -> RuleVerdict:
    """E / (N (N - 1) / 2) for undirected graphs decides between dense and sparse, and growth."""
    graph, least = facts.graph, break_even(facts)
    held = int(matrix_bytes(graph.num_nodes))
    pays = f"pays from {least:.2g} on" if least <= 1.0 else "never pays here: not even where all pairs are linked"
    value = f"{graph.density:.3g} of all pairs linked; dense needs {format_bytes(held)} and {pays}"
    verdict = "dense" if graph.density >= least else "sparse"
    if verdict == "dense" and held > (facts.device_limit_bytes or facts.host_limit_bytes):
        verdict = "sparse: a dense matrix does not fit"
    elif verdict == "dense" and outgrows_dense(facts):
        grown = int(matrix_bytes(graph.num_nodes * facts.goal.grow))
        verdict = f"sparse: grown {facts.goal.grow:g}x a dense matrix needs {format_bytes(grown)}"
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
