"""A ``HeteroData`` from flat arrays: ``node_type`` and ``edge_type`` are numbers, a node's id is its rank in its type."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import HeteroData

EdgeType = tuple[str, str, str]


def typed_graph_of(
    arrays: dict[str, Any], node_types: list[str], edge_types: list[EdgeType], columns: dict[str, int]
) -> HeteroData:
    """Nodes and edges by type; ``x`` of those types that have ``columns``; labels and splits where they are stored."""
    edge_index = np.asarray(arrays["edge_index"])
    kind = np.asarray(arrays.get("node_type", np.zeros(int(arrays["num_nodes"]), np.int8)))
    relation = np.asarray(arrays.get("edge_type", np.zeros(edge_index.shape[1], np.int8)))
    data, local = HeteroData(), np.zeros(len(kind), np.int64)
    for number, name in enumerate(node_types):
        members = np.flatnonzero(kind == number)
        local[members] = np.arange(len(members))
        data[name].num_nodes = len(members)
        if name in columns:
            data[name].x = torch.from_numpy(rows_of(arrays, members, columns[name]))
        for stored in {"y", "train_mask", "val_mask", "test_mask"} & set(arrays):
            data[name][stored] = torch.from_numpy(np.asarray(arrays[stored])[members])
    source, target = kind[edge_index]
    for key in edge_types:
        numbers = [number for number, name in enumerate(relation_names(arrays, relation)) if name == key[1]]
        ends = (source == node_types.index(key[0])) & (target == node_types.index(key[2]))
        data[key].edge_index = torch.from_numpy(local[edge_index[:, ends & np.isin(relation, numbers)]])
    return data


def relation_names(arrays: dict[str, Any], relation: Any) -> list[str]:
    """What the numbers in ``edge_type`` are called: ``by`` for ``movie|by|director``."""
    stored = [str(name).split("|") for name in np.asarray(arrays.get("rel_names", []))]
    names = [parts[1] if len(parts) == 3 else "|".join(parts) for parts in stored]
    count = max(len(names), int(relation.max(initial=0)) + 1)
    return names + [f"edge{number}" if count > 1 else "to" for number in range(len(names), count)]


def rows_of(arrays: dict[str, Any], members: Any, columns: int) -> Any:
    """Features of some nodes, dense float32 [n, columns]."""
    if "x" in arrays:
        rows = np.asarray(arrays["x"][members], np.float32).reshape(len(members), -1)
        return np.ascontiguousarray(rows[:, :columns])
    first, stop = arrays["x_indptr"][members], arrays["x_indptr"][members + 1]
    owner = np.repeat(np.arange(len(members)), stop - first)
    place = np.arange(len(owner)) + np.repeat(stop - (stop - first).cumsum(), stop - first)
    rows = np.zeros((len(members), columns), np.float32)
    rows[owner, arrays["x_indices"][place]] = arrays["x_data"][place]
    return rows
