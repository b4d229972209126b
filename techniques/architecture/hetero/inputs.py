"""What each node type brings into the first layer: its features, a learned embedding, or its degree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from techniques.base import Slot
from techniques.facts import GraphFacts
from techniques.graph_figures import NodeTypeFacts
from techniques.job import JobSpec

DEGREE_COLUMNS = 2
"""Logarithm of the degree, and a constant."""
SPARSE_BELOW = 0.1
"""Share of non-zeros up to which a type's features are kept as CSR where the spec asks for it."""


class InputKind(StrEnum):
    """How a type's nodes are told apart before any message."""

    DENSE = "dense"
    SPARSE = "sparse"
    EMBEDDING = "embedding"
    DEGREE = "degree"


@dataclass(frozen=True)
class TypeInput:
    """Input of one node type: ``columns`` wide, of which ``nonzeros_per_node`` are stored; 0 columns for embeddings."""

    kind: InputKind
    num_nodes: int
    columns: int
    nonzeros_per_node: float

    @property
    def embedded(self) -> bool:
        return self.kind is InputKind.EMBEDDING

    @property
    def sparse(self) -> bool:
        return self.kind is InputKind.SPARSE

    @property
    def row_bytes(self) -> float:
        """Bytes of a node's row in a batch: float32 values, CSR parts, or the id that an embedding is looked up by."""
        if self.sparse:
            return 8 * self.nonzeros_per_node + 4
        return 8 if self.embedded else 4 * self.columns


def type_inputs(graph: GraphFacts, spec: JobSpec) -> tuple[TypeInput, ...]:
    """Inputs of every node type, in the order of the facts."""
    sparse = spec.options[Slot.REPRESENTATION_FEATURES] == "csr"
    embedded = spec.settings["featureless"] == InputKind.EMBEDDING.value
    return tuple(_input(one, sparse, embedded) for one in graph.node_types)


def _input(one: NodeTypeFacts, sparse: bool, embedded: bool) -> TypeInput:
    if not one.columns:
        kind = InputKind.EMBEDDING if embedded else InputKind.DEGREE
        columns = 0 if embedded else DEGREE_COLUMNS
        return TypeInput(kind, one.num_nodes, columns, columns)
    kind = InputKind.SPARSE if sparse and one.density <= SPARSE_BELOW else InputKind.DENSE
    return TypeInput(kind, one.num_nodes, one.columns, one.nonzeros / max(one.num_nodes, 1))
