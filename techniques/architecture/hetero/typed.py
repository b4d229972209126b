"""Which architectures keep node and edge types apart, and the edge types that they see."""

from __future__ import annotations

from techniques.architecture.hetero.relation import Relation, relations
from techniques.base import Slot
from techniques.facts import GraphFacts
from techniques.job import JobSpec

TYPED = ("hetero_sage", "rgcn", "hgt")
"""Architectures for heterogeneous graphs, in order of preference."""


def is_typed(spec: JobSpec) -> bool:
    """Whether a spec keeps node and edge types apart."""
    return spec.options[Slot.ARCHITECTURE] in TYPED


def relations_of(graph: GraphFacts, spec: JobSpec) -> tuple[Relation, ...]:
    """The relations of a typed spec."""
    return relations(graph, bool(spec.settings["reverse_edges"]))
