"""Parts of a job that reads a heterogeneous graph into memory: labels of one type, edges by relation, features by type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from techniques.architecture.hetero.inputs import InputKind, TypeInput
from techniques.architecture.hetero.relation import Relation, target_place
from techniques.base import Stage
from techniques.forecast import Forecast, Phase, Place, Range
from techniques.hardware.allocator import SMALL_BYTES
from techniques.job import Job

if TYPE_CHECKING:
    from techniques.remote.rows import RowStore

DISK_BYTES_PER_SECOND = 500e6
LABEL_BYTES_PER_NODE = 8 + 3
SORT_SECONDS_PER_EDGE = 60e-9
"""Telling edges apart by type, and sorting each relation by target, one thread."""
KIND_BYTES = 4
"""Local id of every node while edges are told apart."""
SPLIT_BYTES_PER_EDGE = 8
CODE_BYTES = 40 * 2**20
"""Types of the ends of a chunk of edges."""
FILL_BYTES_PER_SECOND = 500e6


@dataclass(frozen=True)
class ReadTargets:
    """Labels and splits of the node type that has labels."""

    stage: Stage = Stage.SOURCE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        targets = graph.node_types[target_place(graph)].num_nodes
        columns = graph.labels.num_classes if graph.labels.multi_label else 0
        held = (LABEL_BYTES_PER_NODE + 4 * columns) * targets
        so_far = so_far.hold(Phase.LOAD, Place.HOST, "small objects", SMALL_BYTES)
        so_far = so_far.hold(Phase.LOAD, Place.HOST, "labels", Range.within(held, 0.05))
        so_far = so_far.spike(Phase.LOAD, Place.HOST, Range.within((20 + 8 * columns) * graph.num_nodes, 0.5))
        seconds = (graph.structure_stored_bytes + graph.features.stored_bytes) / DISK_BYTES_PER_SECOND
        return so_far.spend(Phase.LOAD, Range(seconds / 10, seconds, seconds * 4))

    def build(self, job: Job) -> Job:
        from techniques.remote.hetero_labels import read_targets

        labels, masks = read_targets(job.stored, target_place(job.facts.graph))
        return replace(job, labels=labels, masks=masks)


@dataclass(frozen=True)
class SortByType:
    """Sort the edges of every relation by target, once."""

    relations: tuple[Relation, ...]
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        graph = so_far.facts.graph
        held = sum(8.0 * graph.node_types[one.target].num_nodes + 4 * one.num_edges for one in self.relations)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "structure", Range.within(held, 0.02))
        split = SPLIT_BYTES_PER_EDGE * graph.num_edges + KIND_BYTES * graph.num_nodes
        code = CODE_BYTES * min(1.0, graph.num_edges / 2**20)
        # The edges go, type by type, while the structure grows.
        spike = max(split + code - held, split / 2 + 8 * graph.num_nodes, 0.0)
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(spike, 0.3))
        edges = sum(one.num_edges for one in self.relations)
        return so_far.spend(Phase.PREPARE, Range.factor(SORT_SECONDS_PER_EDGE * edges + 0.01, 3))

    def build(self, job: Job) -> Job:
        from techniques.remote.hetero_types import edge_types, edges_by_type, node_types
        from techniques.sampling.hetero_structure import HeteroStructure

        nodes = node_types(job.stored)
        types = edge_types(job.stored, nodes)
        edges = edges_by_type(job.stored, nodes, types)
        return replace(job, structure=HeteroStructure.build(nodes.counts, self.relations, edges))  # type: ignore[arg-type]


@dataclass(frozen=True)
class FillTypes:
    """Rows of every type that has features or stands in with its degree; embedded types have none."""

    inputs: tuple[TypeInput, ...]
    stage: Stage = Stage.PREPARE

    def forecast(self, so_far: Forecast) -> Forecast:
        held = sum(self._bytes(one) for one in self.inputs)
        so_far = so_far.hold(Phase.PREPARE, Place.HOST, "features", Range.within(held, 0.03))
        features = so_far.facts.graph.features
        parts = 8.0 * features.nonzeros + 8 * so_far.facts.graph.num_nodes if features.sparse_at_rest else 0.0
        largest = max(self._bytes(one) for one in self.inputs)
        dense = max((self._bytes(one) for one in self.inputs if not one.sparse), default=0.0)
        spike = 1.5 * parts if features.sparse_at_rest else largest if largest > dense else min(dense, 64e6)
        so_far = so_far.spike(Phase.PREPARE, Place.HOST, Range.within(spike, 0.4))
        return so_far.spend(Phase.PREPARE, Range.factor(held / FILL_BYTES_PER_SECOND + 0.01, 3))

    def _bytes(self, one: TypeInput) -> float:
        if one.kind is InputKind.SPARSE:
            return one.num_nodes * (8 * one.nonzeros_per_node + 8)
        return 4.0 * one.num_nodes * one.columns

    def build(self, job: Job) -> Job:
        from techniques.remote.hetero_rows import rows_of_type
        from techniques.remote.hetero_types import node_types
        from techniques.remote.rows import degree_rows

        nodes = node_types(job.stored)
        found: list[RowStore | None] = []
        for number, one in enumerate(self.inputs):
            if one.kind is InputKind.EMBEDDING:
                found.append(None)
            elif one.kind is InputKind.DEGREE:
                found.append(degree_rows(_OfType(job.need("structure"), number)))  # type: ignore[arg-type]
            else:
                found.append(rows_of_type(job.stored, nodes, number, one.columns, one.sparse))
        return replace(job, features=found)  # type: ignore[arg-type]


class _OfType:
    """The degrees of one node type, as ``degree_rows`` asks for them."""

    def __init__(self, structure: object, number: int) -> None:
        self._structure, self._number = structure, number

    def degrees(self) -> object:
        return self._structure.degrees(self._number)  # type: ignore[attr-defined]
