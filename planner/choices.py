"""Why each option of a candidate was chosen, fact by fact, whatever its numbers are."""

from __future__ import annotations

from planner.quantities import format_bytes
from planner.rules import break_even, outgrows_dense
from techniques.base import Reason, Slot
from techniques.facts import FLOAT_BYTES, Facts
from techniques.representation.dense import matrix_bytes
from techniques.representation.features_csr import csr_bytes

LAYERS = {
    "gcn": "one weighted mean over neighbours: cheap, and behind where neighbours differ",
    "sage": "keeps a node apart from its neighbours and learns from samples: little memory, good convergence",
    "gat": "weighs neighbours: the most accurate of the source's three layers, and the most expensive where messages count",
    "gatv2": "weighs neighbours by either end: as GAT, a little more expensive",
    "gin": "sums, which tell structures apart that means do not: for sets of graphs first of all",
    "appnp": "a perceptron, then personalised PageRank over its few columns: cheap, leads GCN on citation graphs",
}
"""What the source (technique 3) and the layers' papers say of them."""


def choice_reasons(facts: Facts, options: dict[Slot, str]) -> list[Reason]:
    """Processor, representation, features, sampling and architecture, each with the fact that speaks for it."""
    graph, found = facts.graph, _hardware_reasons(facts, options)
    found += _adjacency_reasons(facts, options[Slot.REPRESENTATION])
    if options[Slot.REPRESENTATION_FEATURES] == "csr":
        density = graph.features.density(graph.num_nodes)
        sizes = [csr_bytes(graph), FLOAT_BYTES * graph.num_nodes * graph.features.width]
        sparse, dense = (format_bytes(size) for size in sizes)
        text = f"{sparse} instead of {dense}; only non-zeros are stored and multiplied"
        found.append(_reason("feature density", f"{density:.2%}", "sparse below 10 %", "source, technique 2", text))
    if options[Slot.SAMPLING] == "neighbor":
        text = "memory is bounded by the batch, not by the graph"
        found.append(_reason("nodes", f"{graph.num_nodes:,}", "sample what is large", "source, technique 4", text))
    found += _architecture_reasons(facts, options[Slot.ARCHITECTURE])
    if options[Slot.ARCHITECTURE] == "sage" and facts.goal.grow > 1:
        text = "GraphSAGE learns from samples and serves nodes it has not seen; try GAT in a controlled trial"
        found.append(_reason("growth", f"{facts.goal.grow:g}x", "growing graphs", "source, case D", text))
    return found


def _hardware_reasons(facts: Facts, options: dict[Slot, str]) -> list[Reason]:
    """Only where there is a choice."""
    if not facts.hardware.gpus:
        return []
    text = "best fit for training; loading, sampling and preparing stay on the CPU"
    if options[Slot.HARDWARE] == "cpu":
        text = "the GPU is left out: too small for this, or no quicker"
    rule = "GPUs for training, CPUs for preprocessing"
    return [_reason("processor", facts.hardware.gpus[0].name, rule, "source, technique 1", text)]


def _architecture_reasons(facts: Facts, architecture: str) -> list[Reason]:
    """Of a layer that the planner chose; a user's own needs none."""
    if architecture not in LAYERS or facts.model.architecture is not None:
        return []
    rule = f"best for {facts.goal.optimize.value}, expected quality counted in"
    return [_reason("architecture", architecture, rule, "source, technique 3", LAYERS[architecture])]


def _adjacency_reasons(facts: Facts, representation: str) -> list[Reason]:
    """Density against the break-even of the cost model, and growth where that turns it."""
    graph, least = facts.graph, break_even(facts)
    pays, dense = graph.density >= least, representation == "dense"
    text = "a sparse adjacency holds only the pairs that are linked"
    if dense:
        text = (
            "one dense product is faster than a sum over so many edges" if pays else "few pairs: mostly zeros are held"
        )
    elif pays:
        text = "a dense product would be faster here" + (" today" if outgrows_dense(facts) else "")
    rule = f"dense from {least:.2g} of all pairs linked on, by the rates of products and of memory"
    found = [_reason("density", f"{graph.density:.2g}", rule, "source, technique 2; cost model", text)]
    if pays and outgrows_dense(facts):
        needs = [format_bytes(int(matrix_bytes(graph.num_nodes * factor))) for factor in (1, facts.goal.grow)]
        text = f"a dense matrix would grow from {needs[0]} to {needs[1]}, a sparse one with its edges"
        rule = "dense grows with the square of the nodes"
        found.append(_reason("growth", f"{facts.goal.grow:g}x", rule, "source, case C", text))
    return found


def _reason(fact: str, value: str, rule: str, source: str, text: str) -> Reason:
    return Reason(fact=fact, value=value, rule=rule, source=source, text=text)
