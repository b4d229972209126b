"""Any GRAPH form as a PyG ``Data``, with the splits that gnnfit trains on: what a recipe starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from techniques.remote.graphs import read_graphs
from techniques.remote.labels import read_labels, read_splits
from techniques.remote.links import read_links
from techniques.remote.rows import dense_rows, sparse_rows
from techniques.remote.source import open_graph


def read_data(graph: str, *, task: str = "node", undirected: bool = False) -> Data:
    """Read a graph into memory.

    Args:
        graph: an ``.npz`` file, a folder of ``.npy`` files, a ``.pt`` file, ``edges.csv``, ``pyg:NAME`` or
            ``module:factory``.
        task: ``node`` gives ``y`` and masks; ``link`` gives ``train_edge_index`` [2, M] and leaves in ``edge_index`` what
            messages may use; ``graph`` gives ``ptr`` [G + 1], and ``y`` and masks per graph.
        undirected: both directions of every edge are stored; for links they are hidden together.

    Returns:
        ``x`` [N, F] float32, sparse CSR where it is stored so, absent where the graph has no features; ``edge_index``
        [2, E] int64; labels [N] from 0 on, or [N, L].

    Raises:
        GraphError: the graph is missing or damaged, or lacks labels.
    """
    stored = open_graph(graph)
    num_nodes = int(np.asarray(stored.read("num_nodes")).item())
    data = Data(num_nodes=num_nodes)
    if "x" in stored.headers:
        data.x = dense_rows(stored, num_nodes).whole()
    elif "x_data" in stored.headers:
        data.x = sparse_rows(stored, num_nodes).whole()
    edges: Any = stored.read("edge_index")
    kept: Any = slice(None)
    if task == "link":
        links = read_links(stored, undirected)
        edges, kept = links.message_edges, links.message_mask
        data.train_edge_index = torch.from_numpy(links.train.astype(np.int64))
    elif task == "graph":
        data.y, masks, scale = read_graphs(stored)
        data.y = data.y if scale is None else scale.restored(data.y)
        data.ptr = torch.from_numpy(np.array(stored.read("graph_ptr"), dtype=np.int64))
        for split, mask in masks.items():
            data[f"{split}_mask"] = mask
    else:
        data.y = read_labels(stored)
        for split, mask in read_splits(stored, data.y).items():
            data[f"{split}_mask"] = mask
    for key in ("edge_weight", "edge_attr"):
        if key in stored.headers:
            data[key] = torch.from_numpy(np.asarray(stored.read(key)).astype(np.float32)[kept])
    if "pos" in stored.headers:
        data.pos = torch.from_numpy(np.array(stored.read("pos")))
    data.edge_index = torch.from_numpy(np.asarray(edges).astype(np.int64))
    return data
