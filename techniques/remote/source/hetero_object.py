"""``HeteroData`` -> one flat graph: nodes type after type, with ``node_type`` and ``edge_type`` beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array
from techniques.remote.source.pyg_object import (
    MASKS,
    count_nodes,
    edge_array,
    feature_arrays,
    label_array,
    mask_array,
    narrow,
    squeezed,
    to_numpy,
)

SPARSE_BELOW = 0.1
"""Share of non-zero features below which CSR is kept: rows of types without features are all zero."""


def hetero_arrays(data: Any) -> dict[str, Array]:
    """Flatten a ``HeteroData``: the local id of a node is its rank within its type.

    Features narrower than the widest type's are padded with zero columns; a type without features has zero rows.
    ``type_columns`` [types] says how many columns each type has.
    Labels come from one node type, the others' nodes are unlabelled (-1). Edge weights and attributes are kept where
    every edge type has them, equally wide; else ``unread_edge_data`` names them.

    Raises:
        GraphError: no nodes or edges, a type of unknown size, or labels that are no classes.
    """
    types, relations = list(data.node_types), list(data.edge_types)
    if not types or not relations:
        raise GraphError(
            f"HeteroData must have nodes and edges, got {len(types)} node and {len(relations)} edge types",
            "Set x or num_nodes for each node type and edge_index for each relation",
        )
    counts = [count_nodes(data[kind]) for kind in types]
    starts = dict(zip(types, np.cumsum([0, *counts[:-1]]).tolist(), strict=True))
    nodes = sum(counts)
    arrays: dict[str, Array] = {
        "num_nodes": np.array(nodes),
        "node_type": np.repeat(np.arange(len(types), dtype=np.int16), counts),
        "type_names": np.array(types),
        "rel_names": np.array(["|".join(relation) for relation in relations]),
    }
    arrays |= _edge_arrays(data, relations, starts)
    arrays |= _stacked_features(data, types, counts)
    return arrays | _label_arrays(data, types, starts, nodes)


def _edge_arrays(data: Any, relations: list[tuple[str, str, str]], starts: dict[str, int]) -> dict[str, Array]:
    edges = []
    for relation in relations:
        source, _, target = relation
        store = data[relation]
        _check_ends(relation, starts)
        if not isinstance(store.get("edge_index"), torch.Tensor):
            raise GraphError(f"Relation {'|'.join(relation)} must have an edge_index, got none", "Set or delete it")
        local = edge_array(store.edge_index)
        if local.ndim != 2 or local.shape[0] != 2 or local.dtype.kind not in "iu":
            found = f"{local.dtype} of shape {local.shape}"
            raise GraphError(f"edge_index of {'|'.join(relation)} must be integer [2, E], got {found}", "Correct it")
        _check_local(relation, local, data)
        edges.append(local.astype(np.int64) + np.array([[starts[source]], [starts[target]]]))
    sizes = [part.shape[1] for part in edges]
    arrays: dict[str, Array] = {
        "edge_index": narrow(np.concatenate(edges, axis=1)),
        "edge_type": np.repeat(np.arange(len(relations), dtype=np.int16), sizes),
    }
    return arrays | _edge_data(data, relations)


def _edge_data(data: Any, relations: list[tuple[str, str, str]]) -> dict[str, Array]:
    """Weights and attributes of all edges, and the names of those that cannot stand in one array."""
    arrays: dict[str, Array] = {}
    unread = []
    for key in ("edge_weight", "edge_attr"):
        found = {relation: data[relation].get(key) for relation in relations}
        found = {relation: rows for relation, rows in found.items() if isinstance(rows, torch.Tensor)}
        parts = [to_numpy(rows) for rows in found.values()]
        parts = [squeezed(part) for part in parts] if key == "edge_weight" else parts
        if len(parts) == len(relations) and len({part.shape[1:] for part in parts}) == 1:
            arrays[key] = np.concatenate(parts)
        else:
            unread += [f"{key} of {'|'.join(relation)}" for relation in found]
    return arrays | ({"unread_edge_data": np.array(unread)} if unread else {})


def _check_ends(relation: tuple[str, str, str], starts: dict[str, int]) -> None:
    for kind in (relation[0], relation[2]):
        if kind not in starts:
            raise GraphError(
                f"Edge type {'|'.join(relation)} must join node types of the graph, {', '.join(starts)}; it has no {kind}",
                f"Set data[{kind!r}].num_nodes, or x, or delete the edge type",
            )


def _check_local(relation: tuple[str, str, str], local: Array, data: Any) -> None:
    # Before flattening: an id past its own type's end would land in the next type and look right.
    for row, kind in zip(local, (relation[0], relation[2]), strict=True):
        nodes = count_nodes(data[kind])
        if row.size and (row.min() < 0 or row.max() >= nodes):
            raise GraphError(
                f"edge_index of {'|'.join(relation)} must hold {kind} ids from 0 to {nodes - 1}, "
                f"got {row.min()} to {row.max()}",
                f"Number the {kind} nodes from 0, or correct num_nodes",
            )


def _stacked_features(data: Any, types: list[str], counts: list[int]) -> dict[str, Array]:
    parts = [feature_arrays(data[kind].x) if data[kind].get("x") is not None else None for kind in types]
    if not any(parts):
        return {}
    columns = [_width(part) if part else 0 for part in parts]
    return {**_padded(parts, counts, max(columns)), "type_columns": np.array(columns, dtype=np.int64)}


def _padded(parts: list[dict[str, Array] | None], counts: list[int], width: int) -> dict[str, Array]:
    """The features of all types one below the other, as wide as the widest."""
    values = [part["x"] if "x" in part else part["x_data"] for part in parts if part]
    nonzeros = sum(int(np.count_nonzero(array)) for array in values)
    if nonzeros < SPARSE_BELOW * sum(counts) * width:
        return _stack_csr(parts, counts, width)
    dtype = np.result_type(*(array.dtype for array in values))
    x = np.zeros((sum(counts), width), dtype=dtype)
    start = 0
    for part, count in zip(parts, counts, strict=True):
        if part:
            dense = _dense(part)
            x[start : start + count, : dense.shape[1]] = dense
        start += count
    return {"x": x}


def _stack_csr(parts: list[dict[str, Array] | None], counts: list[int], width: int) -> dict[str, Array]:
    values, columns, lengths = [], [], []
    for part, count in zip(parts, counts, strict=True):
        if part is None:
            lengths.append(np.zeros(count, dtype=np.int64))
            continue
        csr = part if "x_data" in part else _sparse(part["x"])
        values.append(csr["x_data"])
        columns.append(csr["x_indices"])
        lengths.append(np.diff(csr["x_indptr"]))
    return {
        "x_data": np.concatenate(values),
        "x_indices": np.concatenate(columns),
        "x_indptr": np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        "x_shape": np.array([sum(counts), width], dtype=np.int64),
    }


def _sparse(x: Array) -> dict[str, Array]:
    rows, columns = np.nonzero(x)
    indptr = np.searchsorted(rows, np.arange(len(x) + 1))
    return {"x_data": x[rows, columns], "x_indices": columns.astype(np.int32), "x_indptr": indptr}


def _dense(part: dict[str, Array]) -> Array:
    if "x" in part:
        return part["x"]
    x = np.zeros(tuple(part["x_shape"]), dtype=part["x_data"].dtype)
    x[np.repeat(np.arange(len(x)), np.diff(part["x_indptr"])), part["x_indices"]] = part["x_data"]
    return x


def _width(part: dict[str, Array]) -> int:
    return int(part["x"].shape[1] if "x" in part else part["x_shape"][1])


def _label_arrays(data: Any, types: list[str], starts: dict[str, int], nodes: int) -> dict[str, Array]:
    labelled = [kind for kind in types if data[kind].get("y") is not None]
    if not labelled:
        return {}
    # A type with a split is what the data set's authors train on.
    kind = next((kind for kind in labelled if data[kind].get("train_mask") is not None), labelled[0])
    local, start = label_array(data[kind].y), starts[kind]
    _check_length(f"y of {kind}", local, count_nodes(data[kind]))
    y = np.full((nodes, *local.shape[1:]), -1 if local.ndim == 1 else 0, dtype=local.dtype)
    y[start : start + len(local)] = local
    arrays: dict[str, Array] = {"y": y}
    for key in MASKS:
        if data[kind].get(key) is not None:
            mask = mask_array(data[kind][key])
            _check_length(f"{key} of {kind}", mask, len(local))
            arrays[key] = np.zeros(nodes, dtype=bool)
            arrays[key][start : start + len(local)] = mask
    return arrays


def _check_length(what: str, array: Array, nodes: int) -> None:
    if len(array) != nodes:
        raise GraphError(f"{what} must have one row per node, {nodes}, got {len(array)}", "Correct or delete it")
