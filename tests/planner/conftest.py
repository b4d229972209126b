"""A small graph in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    file = tmp_path / "graph.npz"
    np.savez(
        file,
        num_nodes=np.array(50),
        edge_index=rng.integers(0, 50, (2, 200)),
        x=rng.normal(size=(50, 4)).astype(np.float32),
        y=np.arange(50) % 3,
    )
    return file
