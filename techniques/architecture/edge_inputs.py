"""Which of a graph's edge weights and attributes an architecture reads, and what it says of those that it does not.

An architecture reads weights where its class says ``uses_edge_weight``, attributes where it says ``uses_edge_attr``.
"""

from __future__ import annotations

from techniques.base import USABLE, Slot, Verdict, refuse
from techniques.facts import Facts
from techniques.job import JobSpec


def reads_weights(facts: Facts, spec: JobSpec) -> bool:
    """Whether messages are multiplied with the graph's own edge weights."""
    return facts.graph.edge_weighted and _uses(facts, spec, "edge_weight")


def read_columns(facts: Facts, spec: JobSpec) -> int:
    """Columns of ``edge_attr`` that the layers read; 0 where there are none or they read none."""
    return facts.graph.edge_features if _uses(facts, spec, "edge_attr") else 0


def shares_values(facts: Facts, spec: JobSpec) -> bool:
    """Whether the matrix of all edges is its own transpose, values included."""
    graph = facts.graph
    return graph.undirected and (graph.edge_weight_symmetric or not reads_weights(facts, spec))


def edge_verdict(facts: Facts, spec: JobSpec) -> Verdict:
    """A refusal of negative weights by who reads weights, else usable with a warning for what is not read."""
    graph = facts.graph
    if reads_weights(facts, spec) and graph.edge_weight_least is not None and graph.edge_weight_least < 0:
        text = "a degree is a sum of weights and has no root where it is negative: weights of at least 0, or --fix architecture=sage"
        rule = "normalising by the roots of degrees needs weights of at least 0"
        return refuse("least edge_weight", f"{graph.edge_weight_least:g}", rule, "Kipf and Welling 2017", text)
    name = spec.options[Slot.ARCHITECTURE]
    warnings: list[str] = []
    if graph.edge_weighted and not reads_weights(facts, spec):
        warnings.append(f"{name} does not read edge_weight, as PyG's layer does not: gcn and appnp do")
    if graph.edge_weighted and reads_weights(facts, spec) and graph.self_loops:
        warnings.append(f"{name} adds a loop of weight 1 to every node: the weights of stored self-loops are not read")
    if graph.edge_features and not read_columns(facts, spec):
        warnings.append(f"{name} does not read edge_attr, as PyG's layer does not: gat and gatv2 do")
    return Verdict(usable=True, warnings=tuple(warnings)) if warnings else USABLE


def _uses(facts: Facts, spec: JobSpec, what: str) -> bool:
    from techniques import option

    if spec.options[Slot.ARCHITECTURE] == "custom":
        return facts.model.custom is not None and what in facts.model.custom.forward
    return bool(getattr(option(Slot.ARCHITECTURE, spec.options[Slot.ARCHITECTURE]), f"uses_{what}", False))
