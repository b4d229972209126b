"""Which form a GRAPH argument has, and what a wrong one is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techniques.errors import GraphError
from techniques.remote.source import FORMS, from_object, open_graph

ROOT = Path(__file__).parents[4]
DATA = (ROOT / ".." / "shared" / "data").resolve()


@pytest.mark.parametrize("graph", ["", " ", "nonsense", "a b:c", "x.parquet", "1:2", "x" * 5000, "a\0b", "~nobody/x"])
def test_unknown_form_lists_the_accepted_ones(graph: str) -> None:
    with pytest.raises(GraphError) as caught:
        open_graph(graph)
    assert all(form.words in str(caught.value) for form in FORMS)


@pytest.mark.parametrize(
    "graph", ["gone.npz", "gone.pt", "gone/edges.csv", "a\0b.npz", "~nobody/x.npz", "y" * 5000 + ".pt"]
)
def test_missing_file(graph: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError, match=r"path|exist"):
        open_graph(graph)


def test_missing_file_suggests_a_near_name(saved: Callable[..., Path], arrays: dict[str, Any]) -> None:
    file = saved("cora", **arrays)
    with pytest.raises(GraphError, match=r"Did you mean .*cora\.npz"):
        open_graph(str(file.with_name("coar.npz")))


def test_like_is_resolved_elsewhere() -> None:
    with pytest.raises(GraphError, match="catalog"):
        open_graph("like:ogbn-products@0.1")


def test_import_is_light() -> None:
    # The packages above are stubbed: what they import is not this package's business.
    program = (
        "import sys, types\n"
        "for name in ('techniques', 'techniques.remote'):\n"
        "    stub = types.ModuleType(name)\n"
        "    stub.__path__ = [name.replace('.', '/')]\n"
        "    sys.modules[name] = stub\n"
        "import techniques.remote.source\n"
        "heavy = {'numpy', 'torch', 'torch_geometric'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_object_of_another_kind(pyg: Any) -> None:
    with pytest.raises(GraphError, match="got dict"):
        from_object({}, "nothing")


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not beside this checkout")
def test_shared_graphs_pass_all_checks() -> None:
    from techniques.remote.source.validate import check_features, check_headers, check_structure

    files = sorted(DATA.glob("*.npz"))
    assert files
    for file in files:
        stored = open_graph(str(file))
        check_headers(stored)
        check_structure(stored)
        check_features(stored)
        assert stored.headers["edge_index"].shape == np.shape(stored.read("edge_index"))
