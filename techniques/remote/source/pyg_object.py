"""PyG objects in memory -> named arrays: ``Data`` and sets of ``Data`` here, ``HeteroData`` next door."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, ArrayGraph

MASKS = ("train_mask", "val_mask", "test_mask")
INT32 = np.iinfo(np.int32)


def convert(obj: object, name: str) -> ArrayGraph:
    """Turn a PyG object into arrays; tensors on the CPU are shared, not copied, where their dtype is kept.

    Args:
        obj: ``Data``, ``HeteroData``, or a ``Dataset`` or list of ``Data`` (several graphs become ``graph_ptr``).
        name: name for the graph.

    Raises:
        GraphError: ``obj`` is something else, is empty, or holds labels that are no classes.
    """
    from torch_geometric.data import Data, Dataset, HeteroData

    from techniques.remote.source.hetero_object import hetero_arrays

    if is_collated(obj):
        obj = separated(obj)  # type: ignore[arg-type]
    if isinstance(obj, (Dataset, list, tuple)):
        graphs = _graphs(obj)
        if len(graphs) == 1:
            return convert(graphs[0], name)
        return _named(_merged(graphs), name)
    if isinstance(obj, HeteroData):
        return _named(hetero_arrays(obj), name)
    if isinstance(obj, Data):
        return _named(_data_arrays(obj), name)
    raise GraphError(
        f"A graph must be a PyG Data, HeteroData or Dataset, got {type(obj).__name__}",
        "Return or save the Data object itself, such as dataset[0]",
    )


def _named(arrays: dict[str, Array], name: str) -> ArrayGraph:
    return ArrayGraph(name, arrays | {"meta": np.array(json.dumps({"name": name}))})


def _graphs(dataset: Iterable[Any]) -> list[Any]:
    from torch_geometric.data import Data, HeteroData

    try:
        graphs = list(dataset)
    except Exception as error:  # a Dataset runs the user's code for every graph
        raise GraphError(
            f"The graphs of {type(dataset).__name__} could not be read, got {type(error).__name__}: {error}",
            "Correct the data set's get() or transform",
        ) from error
    if not graphs:
        raise GraphError("A data set must hold at least one graph, got none", "Check its split and its filters")
    odd = next((graph for graph in graphs if not isinstance(graph, (Data, HeteroData))), None)
    if odd is not None or (len(graphs) > 1 and any(isinstance(graph, HeteroData) for graph in graphs)):
        found = type(graphs[0] if odd is None else odd).__name__
        raise GraphError(f"A set of graphs must hold Data objects only, got {found}", "Pass one graph, or Data objects")
    return graphs


def is_collated(obj: object) -> bool:
    """Whether this is what PyG's ``InMemoryDataset.save`` writes: (data, slices) or (data, slices, class)."""
    return isinstance(obj, tuple) and len(obj) in (2, 3) and isinstance(obj[1], dict)


def separated(obj: tuple[Any, ...]) -> list[Any]:
    """The graphs of a collated data set.

    Raises:
        GraphError: the slices do not fit the data.
    """
    from torch_geometric.data import Data
    from torch_geometric.data.separate import separate

    data, slices = obj[0], obj[1]
    data = Data.from_dict(data) if isinstance(data, dict) else data
    counts = [len(cut) - 1 for cut in slices.values() if not isinstance(cut, dict)]
    if not isinstance(data, Data) or not counts or min(counts) != max(counts):
        raise GraphError(
            "A collated data set must be (data, slices) of one Data, got slices of different lengths or another object",
            "Save it with InMemoryDataset.save, or save a list of Data",
        )
    return [separate(Data, data, index, slices, decrement=False) for index in range(counts[0])]


def _data_arrays(data: Any, with_labels: bool = True) -> dict[str, Array]:
    nodes = count_nodes(data)
    edges, weight = _edges(data)
    arrays: dict[str, Array] = {"num_nodes": np.array(nodes), "edge_index": edge_array(edges)}
    if weight is not None:
        arrays["edge_weight"] = to_numpy(weight)
    if data.get("x") is not None:
        arrays |= feature_arrays(data.x)
    if data.get("y") is not None and with_labels:
        arrays["y"] = label_array(data.y)
    for key in MASKS:
        if isinstance(data.get(key), torch.Tensor):
            arrays[key] = squeezed(to_numpy(data[key])).astype(bool)
    for key in ("edge_weight", "edge_attr", "pos"):
        if isinstance(data.get(key), torch.Tensor):
            arrays[key] = squeezed(to_numpy(data[key])) if key == "edge_weight" else to_numpy(data[key])
    return arrays


def _merged(graphs: list[Any]) -> dict[str, Array]:
    """Put graphs one after another; a key that only some of them have is left out."""
    labels = _set_labels(graphs)
    parts = [_data_arrays(graph, with_labels=labels is None) for graph in graphs]
    offsets = np.cumsum([0, *(int(part["num_nodes"]) for part in parts)])
    shared = set.intersection(*(set(part) for part in parts)) - {"num_nodes", "edge_index"}
    if any(key.startswith("x_") for key in shared):
        raise GraphError("Sets of graphs must have dense features, got sparse tensors", "Call x.to_dense() on each")
    merged: dict[str, Array] = {"num_nodes": offsets[-1], "graph_ptr": offsets}
    edges = [part["edge_index"] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    merged["edge_index"] = narrow(np.concatenate(edges, axis=1))
    if labels is not None:
        merged["y"] = labels
    for key in sorted(shared):
        rows = [np.atleast_1d(part[key]) for part in parts]
        _check_widths(key, rows)
        merged[key] = np.concatenate(rows)
    return merged


def _check_widths(key: str, rows: list[Array]) -> None:
    """Rows of all graphs must be as wide as those of the first."""
    for index, one in enumerate(rows):
        if one.shape[1:] != rows[0].shape[1:]:
            raise GraphError(
                f"All graphs must have {key} of one width, got {_columns(rows[0])} in graph 0, {_columns(one)} in graph {index}",
                f"Make {key} alike",
            )


def _columns(rows: Array) -> str:
    if rows.ndim != 2:
        return f"shape {list(rows.shape)}"
    return f"{rows.shape[1]} column{'s' * (rows.shape[1] != 1)}"


def _set_labels(graphs: list[Any]) -> Array | None:
    """One label, or one row of labels or targets, per graph: int64 [G], uint8 [G, L] or float [G, T].

    ``None`` where some graph has none, or where nodes have them. A row of one graph is ``y`` of shape [1], [1, T] or [].
    """
    rows = [to_numpy(graph.y) for graph in graphs if graph.get("y") is not None]
    if len(rows) < len(graphs):
        return None
    rows = [row.reshape(1, -1) if row.ndim == 0 or row.shape[0] == 1 else row for row in rows]
    if not all(row.shape[0] == 1 for row in rows) or all(count_nodes(graph) == 1 for graph in graphs):
        return None
    if len({row.shape for row in rows}) > 1:
        shapes = " and ".join(sorted({str(row.shape) for row in rows})[:3])
        raise GraphError(f"All graphs must have y of one width, got {shapes}", "Make y alike")
    y: Array = squeezed(np.concatenate([row.reshape(1, -1) for row in rows]))
    whole = y.dtype.kind != "f" or np.array_equal(y, np.rint(y))
    return (
        label_array(torch.from_numpy(y))
        if whole and (y.ndim == 1 or np.isin(y, (0, 1)).all())
        else y.astype(np.float64)
    )


def count_nodes(store: Any) -> int:
    """Nodes of a ``Data`` or node store.

    Raises:
        GraphError: nothing in it tells.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyG warns where it has to infer the count from the edges
        nodes = store.num_nodes
    if nodes is None:
        raise GraphError("The number of nodes must be known, got neither x nor num_nodes", "Set num_nodes on the data")
    return int(nodes)


def _edges(data: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """[2, E], and the weights that only ``adj_t`` holds; ones, which PyG fills in, are none."""
    edges = data.get("edge_index")
    if isinstance(edges, torch.Tensor):
        return edges, None
    transposed = data.get("adj_t")
    if isinstance(transposed, torch.Tensor) and transposed.layout != torch.strided:
        stored = transposed.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
        weight: torch.Tensor = stored.values()
        return stored.indices().flip(0), weight if weight.dim() == 1 and bool((weight != 1).any()) else None
    raise GraphError("A graph must have edges, got Data without edge_index", "Set edge_index to a [2, E] int64 tensor")


def to_numpy(tensor: torch.Tensor) -> Array:
    """A tensor as an array, shared where possible; bfloat16, which numpy lacks, becomes float32."""
    if not isinstance(tensor, torch.Tensor):
        return np.asarray(tensor)
    plain = tensor.detach().cpu()
    plain = plain.to_dense() if plain.layout != torch.strided else plain
    array: Array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return array


def edge_array(edges: torch.Tensor) -> Array:
    """[2, E] ids, int32 where they fit; what is no integer [2, E] is handed on for validation to refuse."""
    array = to_numpy(edges)
    return narrow(array) if array.dtype.kind in "iu" else array


def narrow(ids: Array) -> Array:
    """Halve an id array where its values allow it."""
    # By value, not by node count: a wrong id must stay wrong instead of wrapping around to a right one.
    fits = ids.size == 0 or (ids.min() >= INT32.min and ids.max() <= INT32.max)
    return ids.astype(np.int32) if fits else ids


def feature_arrays(x: Any) -> dict[str, Array]:
    """``x`` [N, F] as its own float dtype (others as float32), or CSR parts of a sparse tensor."""
    if isinstance(x, torch.Tensor) and x.layout != torch.strided:
        return _csr_parts(x)
    array = _numbers("x", to_numpy(x))
    array = array if array.dtype.kind == "f" else array.astype(np.float32)
    return {"x": array.reshape(-1, 1) if array.ndim == 1 else array}


def _numbers(name: str, array: Array) -> Array:
    """Real numbers as they are; half of a complex one would be lost."""
    if array.dtype.kind not in "biuf":
        raise GraphError(
            f"{name} must hold real numbers, got {array.dtype}", f"Turn {name} into numbers, or leave it out"
        )
    return array


def _csr_parts(x: torch.Tensor) -> dict[str, Array]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its CSR layout a beta feature
        csr = x.detach().cpu().to_sparse_csr()
    values = _numbers("x", to_numpy(csr.values()))
    return {
        "x_data": values if values.dtype.kind == "f" else values.astype(np.float32),
        "x_indices": narrow(to_numpy(csr.col_indices())),
        "x_indptr": to_numpy(csr.crow_indices()).astype(np.int64),
        "x_shape": np.array(tuple(x.shape), dtype=np.int64),
    }


def label_array(y: Any) -> Array:
    """Class ids as int64 [N], -1 where they are NaN, or 0/1 as uint8 [N, L]; ``y`` of shape [N, 1] is squeezed.

    Raises:
        GraphError: the values are neither, such as a regression target.
    """
    array = squeezed(_numbers("y", to_numpy(y)))
    array = array.reshape(1) if array.ndim == 0 else array
    array = np.where(np.isnan(array), -1, array) if array.ndim == 1 and array.dtype.kind == "f" else array
    if array.ndim == 2 and np.isin(array, (0, 1)).all():
        return array.astype(np.uint8)
    if array.ndim != 1 or (array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all()):
        raise GraphError(
            f"y must hold class ids [N] or 0/1 [N, L], got {array.dtype} values of shape {array.shape}",
            "gnnfit trains classifiers: turn the targets into classes, or leave y out",
        )
    return array.astype(np.int64)


def mask_array(mask: torch.Tensor) -> Array:
    """bool [N]; of several splits side by side [N, S] the first."""
    array = to_numpy(mask)
    first = array[:, 0] if array.ndim == 2 else array
    return first.astype(bool)


def squeezed(array: Array) -> Array:
    """[N, 1] -> [N]."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
