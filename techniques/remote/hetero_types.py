"""Node and edge types of a stored flat graph: names, local ids, and the edges of each type.

A node's local id is its rank within its type. An edge type is what its edges say: the type of their sources, their
relation and the type of their targets, so that a relation between several pairs of node types is several edge types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from techniques.errors import GraphError
from techniques.facts import EDGE, NODE

if TYPE_CHECKING:
    from techniques.remote.source.stored import StoredGraph

Ints = NDArray[np.integer[Any]]
EDGES_AT_ONCE = 1 << 20
MOST_EDGE_TYPES = 10_000


@dataclass(frozen=True)
class NodeTypes:
    """Names and sizes of the node types; ``kind`` [N] is the type of every node, ``None`` where there is only one."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    kind: Ints | None

    @cached_property
    def local(self) -> Ints | None:
        """Local id of every node, int32 [N]; ``None`` where there is only one type."""
        if self.kind is None:
            return None
        found = np.empty(len(self.kind), np.int32)
        for number, count in enumerate(self.counts):
            found[np.asarray(self.kind) == number] = np.arange(count, dtype=np.int32)
        return found

    def members(self, number: int) -> NDArray[np.int64]:
        """Nodes of one type in the flat graph, in the order of their local ids."""
        if self.kind is None:
            return np.arange(self.counts[number])
        return np.flatnonzero(np.asarray(self.kind) == number)


@dataclass(frozen=True)
class EdgeType:
    """``source`` and ``target`` are numbers of node types, ``relation`` is the number that ``edge_type`` holds."""

    source: int
    name: str
    target: int
    relation: int
    num_edges: int


def is_heterogeneous(stored: StoredGraph) -> bool:
    """Whether a graph says of what type its nodes or edges are."""
    return "node_type" in stored.headers or "edge_type" in stored.headers


def node_types(stored: StoredGraph) -> NodeTypes:
    """Types without a name are called by their number."""
    num_nodes = int(np.asarray(stored.read("num_nodes")).item())
    if "node_type" not in stored.headers:
        return NodeTypes((NODE,), (num_nodes,), None)
    kind: Any = stored.read("node_type")
    names = _names(stored, "type_names")
    counts = np.bincount(np.asarray(kind), minlength=len(names)).tolist()
    names += [f"{NODE}{number}" for number in range(len(names), len(counts))]
    return NodeTypes(tuple(names), tuple(counts), kind)


def edge_types(stored: StoredGraph, nodes: NodeTypes) -> tuple[EdgeType, ...]:
    """Edge types in the order of their relation's number; one without edges is kept where its name says its ends.

    Raises:
        GraphError: so many pairs of types that they cannot be types.
    """
    kinds, names = len(nodes.names), _names(stored, "rel_names")
    width = _num_relations(stored, names)
    if width * kinds * kinds > MOST_EDGE_TYPES**2:
        raise GraphError(
            f"a heterogeneous graph must have few types, got {kinds} node and {width} edge types",
            "Store types, not ids, in node_type and edge_type",
        )
    counts = np.zeros(width * kinds * kinds, np.int64)
    for code, _ in _codes(stored, nodes):
        counts += np.bincount(code, minlength=counts.size)
    found = []
    for relation in range(width):
        name = names[relation] if relation < len(names) else f"{EDGE}{relation}" if width > 1 else "to"
        ends = _ends(name, nodes)
        used = np.flatnonzero(counts[relation * kinds * kinds : (relation + 1) * kinds * kinds]).tolist()
        if not used and ends is not None:
            used = [ends[0] * kinds + ends[1]]
        for pair in used:
            size = int(counts[relation * kinds * kinds + pair])
            found.append(EdgeType(pair // kinds, _relation_name(name), pair % kinds, relation, size))
    return tuple(found)


def edges_by_type(stored: StoredGraph, nodes: NodeTypes, types: tuple[EdgeType, ...]) -> list[NDArray[np.int32]]:
    """Edges [2, E_r] of every type in local ids, in stored order: 8 bytes an edge in all."""
    kinds = len(nodes.names)
    out = [np.empty((2, one.num_edges), np.int32) for one in types]
    filled = [0] * len(types)
    of_code = {(one.relation * kinds + one.source) * kinds + one.target: number for number, one in enumerate(types)}
    for code, (source, target) in _codes(stored, nodes):
        for value in np.unique(code).tolist():
            number = of_code[value]
            chosen = code == value
            stop = filled[number] + int(np.count_nonzero(chosen))
            out[number][0, filled[number] : stop] = _localised(nodes, source[chosen])
            out[number][1, filled[number] : stop] = _localised(nodes, target[chosen])
            filled[number] = stop
    return out


def _codes(stored: StoredGraph, nodes: NodeTypes) -> Iterator[tuple[NDArray[np.int64], tuple[Ints, Ints]]]:
    """(relation, source type, target type) of a chunk of edges as one number, and the edges' ends."""
    edge_index: Any = stored.read("edge_index")
    relation: Any = stored.read("edge_type") if "edge_type" in stored.headers else None
    kinds = len(nodes.names)
    for start in range(0, edge_index.shape[1], EDGES_AT_ONCE):
        part = slice(start, start + EDGES_AT_ONCE)
        source, target = np.asarray(edge_index[0, part]), np.asarray(edge_index[1, part])
        code = np.zeros(source.size, np.int64) if relation is None else relation[part].astype(np.int64)
        if nodes.kind is not None:
            code = (code * kinds + nodes.kind[source]) * kinds + nodes.kind[target]
        yield code, (source, target)


def _localised(nodes: NodeTypes, ids: Ints) -> Ints:
    return ids if nodes.local is None else nodes.local[ids]


def _num_relations(stored: StoredGraph, names: list[str]) -> int:
    if "edge_type" not in stored.headers:
        return max(len(names), 1)
    kinds: Any = stored.read("edge_type")
    return max(len(names), int(kinds.max()) + 1 if kinds.size else 1)


def _names(stored: StoredGraph, key: str) -> list[str]:
    return [str(name) for name in np.asarray(stored.read(key))] if key in stored.headers else []


def _ends(name: str, nodes: NodeTypes) -> tuple[int, int] | None:
    """Source and target type that a name such as ``movie|by|director`` says."""
    parts = name.split("|")
    if len(parts) != 3 or parts[0] not in nodes.names or parts[2] not in nodes.names:
        return None
    return nodes.names.index(parts[0]), nodes.names.index(parts[2])


def _relation_name(name: str) -> str:
    parts = name.split("|")
    return parts[1] if len(parts) == 3 else name
