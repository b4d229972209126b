"""The edge-list form: ``edges.csv`` with ``source,target[,weight]``, and ``nodes.csv`` beside it if there is one."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from techniques.errors import GraphError
from techniques.remote.source.arrays import Array, ArrayGraph

CHUNK_ROWS = 1 << 20
SPLITS = {"train": "train_mask", "val": "val_mask", "valid": "val_mask", "test": "test_mask"}
MOST_IDS_PER_EDGE = 20
"""More ids than this for every edge means that the ids are not numbered 0 to N - 1."""


def read_csv(edges: Path) -> ArrayGraph:
    """Read an edge list; each line is one stored directed edge.

    ``nodes.csv`` has ``id`` first, then numeric feature columns, and optionally ``label`` (empty or -1: unlabelled)
    and ``split`` (train, val, test or empty).

    Raises:
        GraphError: a header or a value is wrong (with its line), or ids are not 0 to N - 1.
    """
    table = _read_table(edges, _edge_dtype(_header(edges)))
    edge_index = np.stack([table["source"], table["target"]])
    nodes = edges.with_name("nodes.csv")
    arrays = _read_nodes(nodes) if nodes.is_file() else {}
    count = int(arrays["num_nodes"]) if arrays else int(edge_index.max(initial=-1)) + 1
    _check_ids(edges, edge_index, count, known=bool(arrays))
    arrays |= {"num_nodes": np.array(count), "edge_index": _narrow(edge_index)}
    if "weight" in (table.dtype.names or ()):
        arrays["edge_weight"] = table["weight"].copy()
    name = edges.resolve().parent.name if edges.name == "edges.csv" else edges.stem
    return ArrayGraph(name, arrays)


def _edge_dtype(header: list[str]) -> np.dtype[Any]:
    fields = [(name, np.float32 if name == "weight" else np.int64) for name in header]
    return np.dtype(fields)


def _header(file: Path) -> list[str]:
    with _opened(file) as stream:
        header = [name.strip().lower() for name in next(csv.reader(stream), [])]
    first = ["source", "target"] if file.name != "nodes.csv" else ["id"]
    if header[: len(first)] != first or len(set(header)) != len(header):
        raise GraphError(
            f"{file} must start with a header line {','.join(first)}[,...] of distinct names, got {','.join(header)!r}",
            "Add the header line, with these columns first",
        )
    if first != ["id"] and header[2:] not in ([], ["weight"]):
        raise GraphError(f"{file} may have source, target and weight, got {header[2]!r}", "Remove the other columns")
    return header


def _read_table(file: Path, dtype: np.dtype[Any]) -> Array:
    parts = []
    with _opened(file) as stream:
        next(stream, None)
        while len(part := _read_rows(file, stream, dtype)):
            parts.append(part)
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _read_rows(file: Path, stream: Any, dtype: np.dtype[Any]) -> Array:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns where it reads 1.5 as the id 1
            warnings.filterwarnings("ignore", message=".*contained no data")
            return np.loadtxt(
                stream, dtype=dtype, delimiter=",", comments=None, quotechar='"', max_rows=CHUNK_ROWS, ndmin=1
            )
    except (ValueError, Warning) as error:
        raise _first_bad_line(file, dtype, error) from error


def _first_bad_line(file: Path, dtype: np.dtype[Any], error: Exception) -> GraphError:
    """Read again, slowly, to name the line: numpy's own count starts anew with every chunk."""
    names = _columns(dtype)
    for number, row in _numbered(file):
        if len(row) != len(names):
            return GraphError(f"{file} line {number} must have {len(names)} values, got {len(row)}", "Correct the line")
        for (name, parse), value in zip(names, row, strict=True):
            try:
                parse(value)
            except ValueError:
                kind = "a whole number" if parse is int else "a number"
                return GraphError(f"{file} line {number}: {name} must be {kind}, got {value!r}", "Correct the line")
    return GraphError(f"{file} must be a CSV file of numbers, got {error}", "Correct the file")


def _columns(dtype: np.dtype[Any]) -> list[tuple[str, Callable[[str], Any]]]:
    columns: list[tuple[str, Callable[[str], Any]]] = []
    for name in dtype.names or ():
        field = dtype[name]
        width = field.shape[0] if field.shape else 1
        parse: Callable[[str], Any] = {"i": int, "f": float}.get(field.base.kind, str)
        columns += [(name, parse)] * width
    return columns


def _numbered(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with their line numbers; blank lines are passed over, as numpy does."""
    with _opened(file) as stream:
        reader = csv.reader(stream)
        next(reader, None)
        for row in reader:
            if row:
                yield reader.line_num, row


def _check_ids(edges: Path, edge_index: Array, count: int, known: bool) -> None:
    if edge_index.size and (edge_index.min() < 0 or edge_index.max() >= count):
        column = int(np.argmax(((edge_index < 0) | (edge_index >= count)).any(axis=0)))
        line = next(number for row, (number, _) in enumerate(_numbered(edges)) if row == column)
        pair = ",".join(map(str, edge_index[:, column]))
        raise GraphError(
            f"{edges} line {line}: ids must be from 0 to {count - 1}, got {pair}",
            "Number the nodes from 0, with one line each in nodes.csv where there is one",
        )
    if not known and count > MOST_IDS_PER_EDGE * (edge_index.shape[1] + 50):
        raise GraphError(
            f"{edges} must number its nodes 0 to N - 1, got the id {count - 1} with only {edge_index.shape[1]} edges",
            "Renumber the nodes, or list them all in nodes.csv",
        )


def _read_nodes(file: Path) -> dict[str, Array]:
    header = _header(file)
    table = _read_table(file, _node_dtype(header))
    ids, count = table["id"], len(table)
    if not count:
        raise GraphError(f"{file} must list at least one node, got none", "Add the nodes, or delete the file")
    if not np.array_equal(np.sort(ids), np.arange(count)):
        raise GraphError(
            f"{file} must list every id from 0 to {count - 1} once, got ids from {ids.min()} to {ids.max()}",
            "Number the nodes from 0 without gaps or repeats",
        )
    order = np.argsort(ids)
    arrays: dict[str, Array] = {"num_nodes": np.array(count)}
    features = [name for name in header if name not in ("id", "label", "split")]
    if features:
        arrays["x"] = np.stack([table[name] for name in features], axis=1)[order]
    if "label" in header:
        arrays["y"] = _labels(file, table["label"])[order]
    if "split" in header:
        arrays |= _masks(file, table["split"][order])
    return arrays


def _node_dtype(header: list[str]) -> np.dtype[Any]:
    kinds: dict[str, Any] = {"id": np.int64, "label": "U24", "split": "U8"}
    return np.dtype([(name, kinds.get(name, np.float32)) for name in header])


def _labels(file: Path, texts: Array) -> Array:
    """Class ids; ``1.0`` is one, as tables with gaps have it. Empty, NaN or below 0: unlabelled."""
    stripped = np.char.strip(texts)
    try:
        numbers = np.where(stripped == "", "nan", stripped).astype(np.float64)
    except ValueError:
        raise _odd_label(file, stripped) from None
    unknown = np.isnan(numbers)
    if not (unknown | (np.isfinite(numbers) & (np.floor(numbers) == numbers))).all():
        raise _odd_label(file, stripped)
    return np.where(unknown, -1, numbers).astype(np.int64)


def _odd_label(file: Path, texts: Array) -> GraphError:
    odd = next(text for text in texts.tolist() if not _is_class(text))
    return GraphError(f"{file}: label must be a whole number or empty, got {odd!r}", "Number the classes from 0")


def _is_class(text: str) -> bool:
    try:
        value = float(text or "nan")
    except ValueError:
        return False
    return value != value or value % 1 == 0


def _masks(file: Path, texts: Array) -> dict[str, Array]:
    splits = np.char.lower(np.char.strip(texts))
    odd = splits[~np.isin(splits, ["", *SPLITS])]
    if odd.size:
        raise GraphError(f"{file}: split must be train, val, test or empty, got {str(odd[0])!r}", "Correct the column")
    masks: dict[str, Array] = {key: np.zeros(len(splits), dtype=bool) for key in dict.fromkeys(SPLITS.values())}
    for word, key in SPLITS.items():
        masks[key] |= splits == word
    return masks


def _narrow(ids: Array) -> Array:
    fits = ids.size == 0 or (ids.min() >= 0 and ids.max() <= np.iinfo(np.int32).max)
    return ids.astype(np.int32) if fits else ids


def _opened(file: Path) -> Any:
    try:
        return file.open(encoding="utf-8-sig", newline="", errors="replace")
    except OSError as error:
        raise GraphError(f"{file} must be a readable file, got {error.strerror}", "Check the path") from error
