"""Does a stored graph make sense: first by its headers (next door), then its ids and labels, then its features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array
from techniques.remote.source.headers import check_headers, count_nodes
from techniques.remote.source.stored import StoredGraph

__all__ = ["check_features", "check_headers", "check_structure"]

CHUNK = 1 << 20
"""Values looked at in one go: temporary arrays stay near 8 MB, and no forecast has to name them."""


def check_structure(stored: StoredGraph, chunk: int = CHUNK) -> None:
    """Check the values of ids, pointers, labels and masks, ``chunk`` values at a time.

    Raises:
        GraphError: an id is out of range, a pointer array is not monotone, or there is nothing to train on.
    """
    headers, nodes = stored.headers, count_nodes(stored)
    for row, ids in enumerate(stored.read("edge_index")):
        _check_range("edge_index", ids, nodes, chunk, f"[{row}, ")
    if "graph_ptr" in headers:
        _check_pointer("graph_ptr", stored.read("graph_ptr"), nodes, chunk)
        _check_inside_graphs(stored.read("edge_index"), stored.read("graph_ptr"), chunk)
    if "x_indptr" in headers:
        _check_pointer("x_indptr", stored.read("x_indptr"), headers["x_data"].shape[0], chunk)
        _check_range("x_indices", stored.read("x_indices"), int(np.asarray(stored.read("x_shape"))[1]), chunk)
    for key, names in (("node_type", "type_names"), ("edge_type", "rel_names")):
        if key in headers and names in headers:
            _check_range(key, stored.read(key), headers[names].shape[0], chunk)
    y = stored.read("y") if "y" in headers else None
    graphs = headers["graph_ptr"].shape[0] - 1 if "graph_ptr" in headers else None
    if y is not None and y.dtype.kind == "f" and len(y) == graphs != nodes:
        _check_targets(y)
    elif y is not None:
        _check_classes(y, chunk)
    if "train_mask" in headers:
        train = stored.read("train_mask")
        # Some collections store ten splits side by side: the first one counts.
        _check_training(train if train.ndim == 1 else train[:, 0], y, chunk)


def check_features(stored: StoredGraph, chunk: int = CHUNK) -> None:
    """Check that features and edge weights are finite, ``chunk`` values at a time.

    Raises:
        GraphError: NaN or infinity, with the first bad row and the count of bad values.
    """
    headers = stored.headers
    for key in ("x", "edge_weight", "edge_attr"):
        if key in headers:
            array = stored.read(key)
            _refuse_infinite(key, _infinite(array.reshape(len(array), -1), chunk))
    if "x_data" in headers:
        data = stored.read("x_data").reshape(-1, 1)
        entry, count = _infinite(data, chunk)
        row = int(np.searchsorted(stored.read("x_indptr"), entry, side="right")) - 1 if count else 0
        _refuse_infinite("x", (row, count))


def _check_range(key: str, ids: Array, end: int, chunk: int, place: str = "[") -> None:
    """``place`` is how the index of an entry begins."""
    for low, part in _chunks(ids, chunk):
        if part.min() < 0:
            at = int((part < 0).argmax())
            raise GraphError(
                f"{key} must hold no negative ids, got {int(part[at])} at {key}{place}{low + at}]", "Number from 0"
            )
        if part.max() >= end:
            at = int((part >= end).argmax())
            raise GraphError(
                f"{key} must hold ids below {end}, got {int(part[at])} at {key}{place}{low + at}]",
                "Correct the ids, or the count they refer to (num_nodes for edge_index)",
            )


def _check_pointer(key: str, pointer: Array, end: int, chunk: int) -> None:
    first, last = int(pointer[0]), int(pointer[-1])
    if first != 0 or last != end:
        raise GraphError(f"{key} must run from 0 to {end}, got {first} to {last}", f"Store {key} again")
    for low in range(0, len(pointer) - 1, chunk):
        part = pointer[low : low + chunk + 1]
        falls = part[1:] < part[:-1]
        if falls.any():
            raise GraphError(f"{key} must never fall, got a fall at {low + int(falls.argmax())}", f"Store {key} again")


def _check_inside_graphs(edge_index: Array, pointer: Array, chunk: int) -> None:
    """No edge leads from one graph of a set to another."""
    for low, source in _chunks(edge_index[0], chunk):
        target = edge_index[1, low : low + len(source)]
        ours, theirs = (np.searchsorted(pointer, ends, side="right") for ends in (source, target))
        across = ours != theirs
        if across.any():
            at = int(across.argmax())
            raise GraphError(
                f"edges must stay inside a graph of graph_ptr, got {int(source[at])} to {int(target[at])} from graph "
                f"{int(ours[at]) - 1} to graph {int(theirs[at]) - 1}, entry {low + at}",
                "Correct edge_index or graph_ptr, or leave graph_ptr out for one graph",
            )


def _check_targets(y: Array) -> None:
    """Targets, or class ids stored as floats, of graphs: finite where they are known, and not all alike."""
    if np.isinf(y).any():
        raise GraphError(
            f"y must hold finite targets, got {int(np.isinf(y).sum())} infinite ones", "Use NaN for unknown"
        )
    known = y.reshape(len(y), -1)
    known = known[~np.isnan(known).any(1)]
    if not len(known) or (known == known[0]).all():
        what = "no graph with all of them" if not len(known) else "the same for every graph"
        raise GraphError(f"targets y must differ between graphs, got {what}", "Correct y, or leave it out")
    if y.ndim == 2 and y.shape[1] > 1 and np.isin(known, (0, 1)).all():
        raise GraphError(
            "several labels per graph must be integers, got floats", "Store them as uint8 [G, L], all known"
        )


def _check_classes(y: Array, chunk: int) -> None:
    if y.ndim == 2:
        _check_multi_label(y, chunk)
        return
    least, most, labelled = None, None, 0
    for low, part in _chunks(y, chunk):
        known = part[part >= 0]
        _refuse_fractions(known, low)
        labelled += known.size
        if known.size:
            least = int(known.min()) if least is None else min(least, int(known.min()))
            most = int(known.max()) if most is None else max(most, int(known.max()))
    if least == most:
        what = f"only class {least}" if labelled else "no labelled entry"
        raise GraphError(f"y must hold at least two classes, got {what}", "Correct y, or leave it out for link tasks")


def _check_multi_label(y: Array, chunk: int) -> None:
    some = False
    for low, part in _chunks(y, chunk):
        if part.dtype.kind == "f" and np.isnan(part).any():
            text = "Store 0 and 1, and leave nodes whose labels are not known out of the masks"
            raise GraphError(f"y of shape [N, L] must hold 0 and 1, got NaN near row {low}", text)
        _refuse_fractions(part, low)
        if part.max() > 1 or part.min() < 0:
            wrong = part.max() if part.max() > 1 else part.min()
            raise GraphError(f"y of shape [N, L] must hold 0 and 1, got {wrong} near row {low}", "Store 0 and 1")
        some = some or bool(part.any())
    if not some:
        raise GraphError("y must hold at least one positive label, got only zeros", "Correct y or leave it out")


def _refuse_fractions(labels: Array, low: int) -> None:
    """Of labels stored as floats."""
    if labels.dtype.kind != "f":
        return
    wrong = labels[~np.isfinite(labels) | (labels != np.rint(labels))]
    if wrong.size:
        raise GraphError(
            f"labels of nodes must be class ids [N] or rows of 0 and 1 [N, L], got {wrong[0]} near row {low}",
            "Numbers are predicted for whole graphs only: turn them into classes, or leave y out for link tasks",
        )


def _check_training(train: Array, y: Array | None, chunk: int) -> None:
    if not train.any():
        raise GraphError("train_mask must pick at least one node, got none", "Correct it, or leave all masks out")
    if y is None or y.ndim != 1 or len(y) != len(train):
        return
    if not any(bool((part & (y[low : low + len(part)] >= 0)).any()) for low, part in _chunks(train, chunk)):
        raise GraphError("train_mask must pick at least one labelled node, got none", "Correct train_mask or y")


def _infinite(rows: Array, chunk: int) -> tuple[int, int]:
    """First row with NaN or infinity in float32, what they are trained in, and the count of such values."""
    first, count = -1, 0
    if rows.dtype.kind == "f":
        for low, part in _chunks(rows, chunk):
            with np.errstate(over="ignore"):
                bad: Any = ~np.isfinite(part.astype(np.float32, copy=False))
            found = int(np.count_nonzero(bad))
            if found and not count:
                first = low + int(bad.any(axis=1).argmax())
            count += found
    return first, count


def _refuse_infinite(key: str, found: tuple[int, int]) -> None:
    row, count = found
    if count:
        raise GraphError(
            f"{key} must hold finite numbers (in float32), got {count} NaN or infinite values, the first in row {row}",
            f"Replace or scale them, for example with {key} = numpy.nan_to_num({key})",
        )


def _chunks(rows: Array, chunk: int) -> Iterator[tuple[int, Array]]:
    """Pieces of about ``chunk`` values, each with the index of its first row."""
    step = max(1, chunk // max(1, rows[:1].size))
    for low in range(0, len(rows), step):
        yield low, rows[low : low + step]
