"""Kernels sent to another process: the same samples, from machine code that is there already."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from techniques.sampling.kernels import (
    NeighborKernel,
    ShadowKernel,
    SubgraphKernel,
    build_csc,
    ego_graph,
    hop,
    subgraph,
)

NODES = 80


def samples(kernel: Any) -> list[Any]:
    """Arrays of a few batches."""
    nodes = np.arange(0, NODES, 3)
    if isinstance(kernel, SubgraphKernel):
        found = [kernel.induced(nodes[start:], with_edge=True) for start in range(3)]
        return [array for one in found for array in (one.node, one.ptr, one.col_source, one.edge)]
    if isinstance(kernel, ShadowKernel):
        egos = [kernel.sample(nodes, 2, 3, seed, with_edge=True) for seed in range(3)]
        return [array for one in egos for array in (one.node, one.node_ptr, one.ptr, one.col_source, one.edge)]
    hops = [kernel.sample(nodes, [4, 3], seed, with_edge=True) for seed in range(3)]
    return [array for one in hops for array in (one.node, one.col_source, one.edge)]


@pytest.mark.parametrize(
    ("kind", "compiled"),
    [
        (NeighborKernel, hop.sample_edges),
        (SubgraphKernel, subgraph._scan),
        (ShadowKernel, ego_graph.sample_egos),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_an_unpickled_kernel_is_the_kernel(kind: Any, compiled: Any, mapped: bool, used: bool, tmp_path: Path) -> None:
    colptr, row, _ = build_csc(np.random.default_rng(0).integers(0, NODES, (2, 900)), NODES)
    if mapped:
        for name, array in (("colptr", colptr), ("row", row)):
            np.save(tmp_path / f"{name}.npy", array)
        colptr, row = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("colptr", "row"))
    kernel = kind(colptr, row, NODES)
    if used:
        samples(kernel)  # scratch stays behind
    twin = pickle.loads(pickle.dumps(kernel))
    expected = samples(kernel)
    before = len(compiled.signatures)
    for one, other in zip(samples(twin), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(compiled.signatures) == before, "writable arrays would be compiled for anew"
    assert not twin._colptr.flags.writeable and not twin._row.flags.writeable
