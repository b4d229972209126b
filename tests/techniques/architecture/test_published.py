"""Level 1 against published peaks of full-batch GCN; the ledger knows nothing of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

from techniques.architecture.gat import GAT

ROOT = Path(__file__).parents[3]
MEASURED = ROOT.parent / "shared" / "reference" / "measured.csv"


@pytest.fixture(scope="module")
def published() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published", ROOT / "tests" / "benchmarks" / "published.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_published_gcn_peaks_are_reproduced_within_one_per_cent_on_average(published: ModuleType) -> None:
    if not MEASURED.is_file():
        pytest.skip(f"no published measurements at {MEASURED}")
    errors = [abs(error) for _, error in published.gcn_errors(published.read(MEASURED))]
    assert len(errors) >= 30
    assert mean(errors) < 0.01
    assert max(errors) < 0.05


def test_a_row_of_a_known_peak(published: ModuleType) -> None:
    """amazon-photo, hidden 64: 159.7 - 25.9 MiB at layer 0 in the stage log of AugF/pyg-analysis (costs.md, section 2.2)."""
    row = {"nodes": "7650", "edges": "238162", "features": "745", "classes": "8", "layers": "2", "hidden": "64"}
    row |= {"heads": "", "model": "GCN", "adjacency": "edge_index (gather-scatter)", "peak_mem": "133.8"}
    ((_, error),) = published.gcn_errors([row])
    assert abs(error) < 0.01


def test_attention_of_today_takes_less_than_that_of_the_published_rows(published: ModuleType) -> None:
    row = {"nodes": "7650", "edges": "238162", "features": "745", "classes": "8", "layers": "2", "hidden": "128"}
    row |= {"heads": "4", "model": "GAT"}
    assert 0.6 < published.live_bytes(row, GAT) / (647.15 * 2**20) < 0.9
