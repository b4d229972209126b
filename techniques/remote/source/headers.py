"""Does a stored graph make sense by its headers: names, shapes and dtypes."""

from __future__ import annotations

import numpy as np

from techniques.errors import GraphError
from techniques.remote.source.stored import ArrayHeader, StoredGraph

CSR_PARTS = ("x_data", "x_indices", "x_indptr", "x_shape")
MASKS = ("train_mask", "val_mask", "test_mask")
ID_DTYPES = ("int32", "int64")
"""Of node ids, as kernels take them."""


def check_headers(stored: StoredGraph) -> None:
    """Check names, shapes and dtypes; reads nothing but the scalar ``num_nodes`` and ``x_shape``.

    Raises:
        GraphError: an array is missing or has the wrong shape or dtype.
    """
    headers = stored.headers
    _check_byte_order(headers)
    _check_edge_header(headers)
    nodes = count_nodes(stored)
    _check_feature_headers(stored, headers, nodes)
    graphs = headers["graph_ptr"].shape[0] - 1 if _is_vector(headers, "graph_ptr", integers=True) else None
    _check_label_header(headers, nodes, graphs)
    for key in MASKS:
        # Graph sets may split their graphs instead of their nodes.
        _check_length(headers, key, {nodes} if graphs is None else {nodes, graphs})
        if key in headers and headers[key].dtype != "bool":
            raise GraphError(f"{key} must be boolean, got {headers[key].dtype}", f"Store {key}.astype(bool)")
    _check_masks_are_whole(headers)
    edges = headers["edge_index"].shape[1]
    _check_length(headers, "node_type", {nodes})
    _check_length(headers, "pos", {nodes})
    for key in ("edge_type", "edge_weight", "edge_attr", "edge_split"):
        _check_length(headers, key, {edges})
    _check_edge_values(headers)


def _check_masks_are_whole(headers: dict[str, ArrayHeader]) -> None:
    """Without a mask to train by all would be split anew, and what was held out be trained on."""
    held_out = [key for key in MASKS[1:] if key in headers]
    if held_out and MASKS[0] not in headers:
        raise GraphError(
            f"{' and '.join(held_out)} must come with {MASKS[0]}, got none",
            f"Store {MASKS[0]}, such as ~({' | '.join(held_out)}), or leave all masks out",
        )


def count_nodes(stored: StoredGraph) -> int:
    """The stored number of nodes.

    Raises:
        GraphError: it is missing, no integer scalar, or below 1.
    """
    header = stored.headers.get("num_nodes")
    if header is None:
        raise GraphError("num_nodes must be stored, got no such array", "Store it as an int64 scalar")
    if header.shape not in ((), (1,)) or not _is_integer(header):
        raise GraphError(
            f"num_nodes must be an integer scalar, got {header.dtype} of shape {header.shape}",
            "Store it as an int64 scalar",
        )
    nodes = int(np.asarray(stored.read("num_nodes")).reshape(-1)[0])
    if nodes < 1:
        raise GraphError(f"num_nodes must be at least 1, got {nodes}", "Give a graph that has nodes")
    return nodes


def _check_byte_order(headers: dict[str, ArrayHeader]) -> None:
    """Kernels and torch read arrays as they lie in memory."""
    for key, header in headers.items():
        if not np.dtype(header.dtype).isnative:
            raise GraphError(
                f"{key} must be in this machine's byte order, got {header.dtype}",
                f"Store {key}.astype({key}.dtype.newbyteorder('='))",
            )


def _check_edge_header(headers: dict[str, ArrayHeader]) -> None:
    header = headers.get("edge_index")
    if header is None:
        raise GraphError(f"edge_index must be stored, got only {', '.join(headers)}", "Store it with shape [2, E]")
    if len(header.shape) != 2 or header.shape[0] != 2:
        raise GraphError(
            f"edge_index must have two rows, got shape {header.shape}",
            "Store source ids in row 0 and target ids in row 1",
        )
    if not _is_integer(header):
        raise GraphError(f"edge_index must hold integers, got {header.dtype}", "Store node ids as int32 or int64")
    if header.dtype not in ID_DTYPES:
        raise GraphError(
            f"edge_index must be {' or '.join(ID_DTYPES)}, got {header.dtype}", "Store edge_index.astype(numpy.int64)"
        )
    if header.shape[1] == 0:
        raise GraphError("edge_index must hold at least one edge, got 0", "Give a graph that has edges")


def _check_edge_values(headers: dict[str, ArrayHeader]) -> None:
    """Weights are one number per edge, attributes a row of numbers."""
    for key, wanted in (("edge_weight", "[E]"), ("edge_attr", "[E] or [E, D]")):
        header = headers.get(key)
        if header is None:
            continue
        wide = len(header.shape) > 2 or (key == "edge_weight" and header.shape[1:] not in ((), (1,)))
        if wide or np.dtype(header.dtype).kind not in "fiub":
            got = f"{header.dtype} of shape {header.shape}"
            raise GraphError(f"{key} must hold numbers of shape {wanted}, got {got}", f"Correct {key} or leave it out")


def _check_feature_headers(stored: StoredGraph, headers: dict[str, ArrayHeader], nodes: int) -> None:
    x = headers.get("x")
    if x is not None and (len(x.shape) != 2 or x.shape[0] != nodes or x.shape[1] < 1):
        raise GraphError(
            f"x must have one row per node and a column, ({nodes}, F), got {x.shape}", "Store x as [num_nodes, F]"
        )
    if x is not None and np.dtype(x.dtype).kind not in "fiub":
        raise GraphError(f"x must hold real numbers, got {x.dtype}", "Store x as float32")
    parts = [key for key in CSR_PARTS if key in headers]
    if not parts:
        return
    if len(parts) < len(CSR_PARTS) or x is not None:
        got = ", ".join(parts + ["x"] * (x is not None))
        raise GraphError(
            f"Features must be x alone or all of {', '.join(CSR_PARTS)}, got {got}", "Store one form whole"
        )
    _check_csr_headers(stored, headers, nodes)


def _check_csr_headers(stored: StoredGraph, headers: dict[str, ArrayHeader], nodes: int) -> None:
    for key in ("x_indices", "x_indptr", "x_shape"):
        _is_vector(headers, key, integers=True)
    _is_vector(headers, "x_data", integers=False)
    _check_length(headers, "x_shape", {2})
    rows, width = (int(size) for size in np.asarray(stored.read("x_shape")))
    if rows != nodes or width < 1:
        raise GraphError(f"x_shape must be ({nodes}, F), got ({rows}, {width})", "Store one row per node")
    _check_length(headers, "x_indptr", {nodes + 1})
    _check_length(headers, "x_indices", {headers["x_data"].shape[0]})


def _check_label_header(headers: dict[str, ArrayHeader], nodes: int, graphs: int | None) -> None:
    y = headers.get("y")
    if y is None:
        return
    if graphs is not None and y.shape and y.shape[0] == graphs != nodes and np.dtype(y.dtype).kind == "f":
        _check_target_header(y)
        return
    if np.dtype(y.dtype).kind not in "iubf":  # whether floats are whole numbers is seen when their values are
        raise GraphError(
            f"y must hold integers, got {y.dtype}", "Store class ids as int64, or [N, L] of 0 and 1 as uint8"
        )
    if len(y.shape) not in (1, 2) or (len(y.shape) == 2 and y.shape[1] < 2):
        raise GraphError(
            f"y must have shape [N] or [N, L] with L of 2 or more, got {y.shape}", "Store class ids as [N]"
        )
    _check_length(headers, "y", {nodes} if graphs is None else {nodes, graphs})


def _check_target_header(y: ArrayHeader) -> None:
    """Targets of a regression over graphs are a number, or a row of them, per graph."""
    if len(y.shape) > 2 or 0 in y.shape:
        raise GraphError(
            f"y must have shape [G] or [G, T] for a set of graphs, got {y.shape}", "Store targets as [G, T]"
        )


def _is_integer(header: ArrayHeader) -> bool:
    return np.dtype(header.dtype).kind in "iu"


def _is_vector(headers: dict[str, ArrayHeader], key: str, *, integers: bool) -> bool:
    """Whether ``key`` is there; if so it must be one-dimensional and not empty unless it holds data."""
    header = headers.get(key)
    if header is None:
        return False
    kinds = "iu" if integers else "fiub"
    if (
        len(header.shape) != 1
        or np.dtype(header.dtype).kind not in kinds
        or (key.endswith("ptr") and not header.shape[0])
    ):
        what = "integers" if integers else "numbers"
        raise GraphError(
            f"{key} must be one row of {what}, got {header.dtype} of shape {header.shape}", f"Store {key} again"
        )
    return True


def _check_length(headers: dict[str, ArrayHeader], key: str, lengths: set[int]) -> None:
    header = headers.get(key)
    if header is not None and (not header.shape or header.shape[0] not in lengths):
        wanted = " or ".join(map(str, sorted(lengths)))
        raise GraphError(f"{key} must have length {wanted}, got shape {header.shape}", f"Correct {key} or leave it out")
