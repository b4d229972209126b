"""A graph from a PyG ``Data``."""

from typing import Any

import numpy as np
import torch

NAMES = ("x", "y", "train_mask", "val_mask", "test_mask", "edge_weight", "edge_attr", "pos")
"""What is read beside the edges."""


def arrays_of(data: Any) -> dict[str, Any]:
    """What training needs of a ``Data``, or of the only graph of a data set."""
    data = data if hasattr(data, "edge_index") and hasattr(data, "num_nodes") else data[0]
    arrays: dict[str, Any] = {"num_nodes": np.array(data.num_nodes), **edges_of(data)}
    if data.get("x") is not None and data.x.layout != torch.strided:
        rows = data.x.to_sparse_csr()
        arrays |= {"x_indptr": rows.crow_indices().numpy(), "x_indices": rows.col_indices().numpy()}
        arrays |= {"x_data": numbers(rows.values()), "x_shape": np.array(rows.shape)}
    elif data.get("x") is not None:
        arrays["x"] = numbers(data.x if data.x.dim() > 1 else data.x[:, None])
    for name in NAMES[1:]:
        if isinstance(data.get(name), torch.Tensor):
            arrays[name] = numbers(data[name])
    if arrays.get("y") is not None and arrays["y"].ndim == 2 and arrays["y"].shape[1] == 1:
        arrays["y"] = arrays["y"][:, 0]
    return arrays


def edges_of(data: Any) -> dict[str, Any]:
    """``edge_index``, or the entries of ``adj_t`` and their weights, unless these are the ones that PyG fills in."""
    if data.get("edge_index") is not None:
        return {"edge_index": data.edge_index.numpy()}
    stored = data.adj_t.to_sparse_coo().coalesce()
    edges, weight = {"edge_index": stored.indices().flip(0).numpy()}, stored.values()
    return {**edges, "edge_weight": numbers(weight)} if (weight != 1).any() else edges


def numbers(tensor: torch.Tensor) -> Any:
    """As an array; bfloat16, which numpy lacks, as float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()
