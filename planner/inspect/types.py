"""Facts by node and edge type: sizes, features, degrees, and which edge types are each other's reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.inspect.degrees import measured_degrees
from planner.inspect.structure import HASH_CHUNK, _mix, chunks
from techniques.facts import FLOAT_BYTES, GraphFacts
from techniques.graph_figures import EdgeTypeFacts, NodeTypeFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.hetero_types import EdgeType, NodeTypes
    from techniques.remote.source.stored import StoredGraph

    Ints = NDArray[np.integer[Any]]


def type_facts(stored: StoredGraph) -> tuple[dict[str, Any], list[str]]:
    """The fields of ``GraphFacts`` about types, and what is worth a note; nothing for a graph of one type."""
    from techniques.remote.hetero_types import edge_types, edges_by_type, is_heterogeneous, node_types

    if not is_heterogeneous(stored):
        return {}, []
    nodes = node_types(stored)
    types = edge_types(stored, nodes)
    if len(nodes.names) < 2 and len(types) < 2:
        return {}, []
    edges = edges_by_type(stored, nodes, types)
    found: dict[str, Any] = {
        "node_types": _node_types(stored, nodes),
        "edge_types": tuple(_edge_type(nodes, one, pairs) for one, pairs in zip(types, edges, strict=True)),
    }
    hashes = [_hashes(pairs) for pairs in edges]
    found["edge_types"] = tuple(
        one.model_copy(update={"reverse": _reverse(index, types, hashes)})
        for index, one in enumerate(found["edge_types"])
    )
    target, notes = _target(stored, nodes)
    return found | {"target_type": target}, notes


def learned_nodes(stored: StoredGraph, types: dict[str, Any]) -> NDArray[np.bool_] | None:
    """Nodes of the type whose labels are learned [N]; ``None`` where that is all of them."""
    import numpy as np

    if not types or types["target_type"] is None or "node_type" not in stored.headers:
        return None
    place = [one.name for one in types["node_types"]].index(types["target_type"])
    found: NDArray[np.bool_] = np.asarray(stored.read("node_type")) == place
    return found


def _node_types(stored: StoredGraph, nodes: NodeTypes) -> tuple[NodeTypeFacts, ...]:
    from techniques.remote.hetero_rows import columns_and_nonzeros

    found = []
    for number, (name, count) in enumerate(zip(nodes.names, nodes.counts, strict=True)):
        columns, nonzeros = columns_and_nonzeros(stored, nodes, number)
        found.append(
            NodeTypeFacts(
                name=name,
                num_nodes=count,
                columns=columns,
                nonzeros=nonzeros,
                feature_bytes=FLOAT_BYTES * count * columns,
            )
        )
    return tuple(found)


def _edge_type(nodes: NodeTypes, one: EdgeType, edges: Ints) -> EdgeTypeFacts:
    import numpy as np

    into, out = (
        measured_degrees(np.bincount(edges[row], minlength=max(nodes.counts[kind], 1)))
        for row, kind in ((1, one.target), (0, one.source))
    )
    return EdgeTypeFacts(
        source=nodes.names[one.source],
        relation=one.name,
        target=nodes.names[one.target],
        num_edges=one.num_edges,
        degrees=into,
        out_degrees=out,
    )


def _hashes(edges: Ints) -> tuple[int, int]:
    """Sums of a hash over all (u, v) and over all (v, u), as ``structure.both_directions`` makes them."""
    import numpy as np

    forward = backward = 0
    for part in chunks(edges.shape[1], HASH_CHUNK):
        u, v = edges[0, part].astype(np.uint64), edges[1, part].astype(np.uint64)
        forward += int(_mix((u << np.uint64(32)) + v).sum(dtype=np.uint64))
        backward += int(_mix((v << np.uint64(32)) + u).sum(dtype=np.uint64))
    return forward % 2**64, backward % 2**64


def _reverse(index: int, types: tuple[EdgeType, ...], hashes: list[tuple[int, int]]) -> int | None:
    """The first edge type with the same edges the other way round; an undirected one is its own."""
    one = types[index]
    order = [index, *(other for other in range(len(types)) if other != index)]
    for other in order if one.num_edges else []:
        candidate = types[other]
        swapped = (candidate.source, candidate.target) == (one.target, one.source)
        if swapped and candidate.num_edges == one.num_edges and hashes[other][0] == hashes[index][1]:
            return other
    return None


def _target(stored: StoredGraph, nodes: NodeTypes) -> tuple[str | None, list[str]]:
    """The node type whose nodes have labels: with a split those that are trained on, else the most labelled one."""
    import numpy as np

    if "y" not in stored.headers:
        return None, ["no node type has labels"]
    labels: Any = np.asarray(stored.read("y"))
    if len(labels) != sum(nodes.counts):
        return None, []
    known = (np.nan_to_num(labels, nan=-1) >= 0) if labels.ndim == 1 else labels.any(axis=1)
    chosen = known
    if "train_mask" in stored.headers:
        mask: Any = np.asarray(stored.read("train_mask"))
        chosen = known & (mask if mask.ndim == 1 else mask[:, 0]).astype(bool)
    kind: Any = np.zeros(len(labels), np.int8) if nodes.kind is None else np.asarray(nodes.kind)
    counts = np.bincount(kind[chosen], minlength=len(nodes.names))
    if not counts.any():
        return None, ["no node has a label"]
    name = nodes.names[int(counts.argmax())]
    others = [nodes.names[other] for other in np.unique(kind[known]).tolist() if nodes.names[other] != name]
    return name, [f"labels of {name} are learned; those of {', '.join(others)} are left out"] if others else []


def typed_drawer(stored: StoredGraph, facts: GraphFacts, train: Ints, classes: Ints | None) -> Any:
    """Makes, once for every set of relations, the graph that typed batches are drawn from; ``None`` for one type."""
    if facts.target_type is None:
        return None
    from functools import cache

    from techniques.sampling.hetero_drawn import DrawnTypedGraph

    place = [one.name for one in facts.node_types].index(facts.target_type)
    if "node_type" in stored.headers:
        ours: Any = stored.read("node_type")[train] == place
        train, classes = train[ours], None if classes is None else classes[ours]
    return cache(lambda relations: DrawnTypedGraph(stored, relations, train, classes))  # type: ignore[arg-type]
