"""A small valid graph, and a payload that leaves a mark if anything ever unpickles it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.payload import Payload


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    return Payload(tmp_path / "marker")


@pytest.fixture
def arrays() -> dict[str, Any]:
    """Six nodes in two classes on a ring, both directions stored."""
    ring = np.arange(6)
    edges = np.stack([np.concatenate([ring, (ring + 1) % 6]), np.concatenate([(ring + 1) % 6, ring])])
    return {
        "num_nodes": np.array(6),
        "edge_index": edges.astype(np.int32),
        "x": np.arange(18, dtype=np.float32).reshape(6, 3),
        "y": np.array([0, 0, 0, 1, 1, -1]),
        "train_mask": np.array([1, 1, 0, 1, 0, 0], dtype=bool),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays to an ``.npz``."""

    def save(name: str = "ring", **parts: Any) -> Path:
        file = tmp_path / f"{name}.npz"
        np.savez_compressed(file, **parts)
        return file

    return save


@pytest.fixture
def pyg() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric")
