"""Any GRAPH form of a heterogeneous graph as a PyG ``HeteroData``: what a recipe starts from."""

from __future__ import annotations

import torch
from torch_geometric.data import HeteroData

from techniques.errors import GraphError
from techniques.remote.hetero_labels import read_targets
from techniques.remote.hetero_rows import columns_and_nonzeros, rows_of_type
from techniques.remote.hetero_types import edge_types, edges_by_type, node_types
from techniques.remote.source import open_graph


def read_hetero(graph: str, target: str) -> HeteroData:
    """Read a graph into memory, with the splits that gnnfit trains on.

    Args:
        graph: an ``.npz`` file, a folder of ``.npy`` files, a ``.pt`` file, ``pyg:NAME`` or ``module:factory``.
        target: the node type whose labels are learned.

    Returns:
        Types in the order of gnnfit's facts. For every node type ``num_nodes`` and, where it has features, ``x`` [N, F]
        float32, sparse CSR where they are stored so; for every edge type ``edge_index`` [2, E] int64; for the target
        labels ``y`` from 0 on, or [N, L], and ``train_mask``, ``val_mask``, ``test_mask``.

    Raises:
        GraphError: the graph is missing or damaged, lacks labels, or has no such node type.
    """
    stored = open_graph(graph)
    nodes = node_types(stored)
    if target not in nodes.names:
        raise GraphError(
            f"target must be a node type of {graph}, got {target!r}", f"Use one of {', '.join(nodes.names)}"
        )
    data = HeteroData()
    for number, name in enumerate(nodes.names):
        data[name].num_nodes = nodes.counts[number]
        columns, _ = columns_and_nonzeros(stored, nodes, number)
        if columns:
            data[name].x = rows_of_type(stored, nodes, number, columns, "x_data" in stored.headers).whole()
    labels, masks = read_targets(stored, nodes.names.index(target))
    data[target].y = labels
    for split, mask in masks.items():
        data[target][f"{split}_mask"] = mask
    types = edge_types(stored, nodes)
    for one, edges in zip(types, edges_by_type(stored, nodes, types), strict=True):
        key = nodes.names[one.source], one.name, nodes.names[one.target]
        data[key].edge_index = torch.from_numpy(edges).long()
    return data
