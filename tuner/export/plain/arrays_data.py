"""A graph from a PyG ``Data``."""

from typing import Any

import numpy as np
import torch

NAMES = ("x", "y", "train_mask", "val_mask", "test_mask", "edge_weight", "edge_attr", "pos")
"""What is read beside the edges."""


def arrays_of(data: Any) -> dict[str, Any]:
    """What training needs of a ``Data``, or of the only graph of a data set."""
    data = data if hasattr(data, "edge_index") and hasattr(data, "num_nodes") else data[0]
    arrays: dict[str, Any] = {"num_nodes": np.array(data.num_nodes), "edge_index": data.edge_index.numpy()}
    if data.get("x") is not None and data.x.layout != torch.strided:
        rows = data.x.to_sparse_csr()
        arrays |= {"x_indptr": rows.crow_indices().numpy(), "x_indices": rows.col_indices().numpy()}
        arrays |= {"x_data": rows.values().numpy(), "x_shape": np.array(rows.shape)}
    elif data.get("x") is not None:
        arrays["x"] = data.x.numpy()
    for name in NAMES[1:]:
        if isinstance(data.get(name), torch.Tensor):
            arrays[name] = data[name].numpy()
    if arrays.get("y") is not None and arrays["y"].ndim == 2 and arrays["y"].shape[1] == 1:
        arrays["y"] = arrays["y"][:, 0]
    return arrays
