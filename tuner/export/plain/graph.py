"""Arrays of a graph as a ``Data``: features and edges."""

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data


def bare_graph_of(arrays: dict[str, Any]) -> Data:
    """``x`` (sparse where it is stored so), ``edge_index``, and what edges carry."""
    data = Data(num_nodes=int(np.asarray(arrays["num_nodes"]).item()))
    data.edge_index = torch.from_numpy(np.array(arrays["edge_index"], dtype=np.int64, order="C"))
    if "x_data" in arrays:
        parts = (torch.from_numpy(np.array(arrays[name])) for name in ("x_indptr", "x_indices", "x_data"))
        pointer, index, values = parts
        shape = tuple(int(size) for size in arrays["x_shape"])
        data.x = torch.sparse_csr_tensor(
            pointer.long(), index.long(), values.float(), size=shape, check_invariants=True
        )
    elif "x" in arrays:
        data.x = torch.from_numpy(np.array(arrays["x"], dtype=np.float32, order="C"))
    for name in ("edge_weight", "edge_attr"):
        if name in arrays:
            data[name] = torch.from_numpy(np.array(arrays[name], dtype=np.float32))
    if "edge_weight" in data:
        data.edge_weight = data.edge_weight.flatten()
    return data
