"""A graph from ``edges.csv`` (source, target[, weight]) and ``nodes.csv`` (id, features[, label][, split]) beside it."""

from pathlib import Path
from typing import Any

import numpy as np

SPLIT_NAMES = {"train": "train_mask", "val": "val_mask", "valid": "val_mask", "test": "test_mask"}


def read_arrays(path: str) -> dict[str, Any]:
    """The two tables as arrays."""
    edges, nodes = read_table(Path(path).expanduser()), Path(path).expanduser().with_name("nodes.csv")
    index = np.stack([edges["source"], edges["target"]]).astype(np.int64)
    arrays: dict[str, Any] = {"edge_index": index}
    if "weight" in edges:
        arrays["edge_weight"] = edges["weight"].astype(np.float32)
    arrays["num_nodes"] = np.array(int(index.max(initial=-1)) + 1)
    return arrays | (read_nodes(nodes) if nodes.is_file() else {})


def read_nodes(path: Path) -> dict[str, Any]:
    """Features, labels (NaN where there is none) and splits, in the order of the ids."""
    table = read_table(path)
    order = np.argsort(table["id"].astype(np.int64))
    arrays: dict[str, Any] = {"num_nodes": np.array(len(order))}
    features = [name for name in table if name not in ("id", "label", "split")]
    if features:
        arrays["x"] = np.stack([table[name] for name in features], axis=1).astype(np.float32)[order]
    if "label" in table:
        arrays["y"] = np.where(table["label"] == "", "nan", table["label"]).astype(np.float64)[order]
    if "split" in table:
        words = np.char.lower(table["split"][order])
        for word, name in SPLIT_NAMES.items():
            arrays[name] = arrays.get(name, False) | (words == word)
    return arrays


def read_table(path: Path) -> dict[str, Any]:
    """Columns by name, as text."""
    with path.open(encoding="utf-8-sig") as file:
        names = [name.strip().lower() for name in file.readline().split(",")]
        rows = np.loadtxt(file, dtype=str, delimiter=",", comments=None, quotechar='"', ndmin=2)
    rows = rows if rows.size else rows.reshape(0, len(names))
    return {name: np.char.strip(rows[:, column]) for column, name in enumerate(names)}
