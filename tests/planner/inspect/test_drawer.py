"""Batches that a plan draws are those of the graph that a job samples from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.costing import cost
from planner.inspect.opened import drawer
from techniques.remote.source.arrays import ArrayGraph

SMALL = {"batch_size": 16, "num_parts": 4, "hidden": 8}


@pytest.mark.parametrize("sampling", ["neighbor", "shadow_k_hop", "graph_saint", "cluster"])
def test_layers_that_add_loops_are_drawn_for_without_the_stored_ones(
    sampling: str, tiny: Any, profiled: Any, spec_for: Any
) -> None:
    """GCN drops stored self-loops before it samples; GraphSAGE keeps them, and draws them."""
    plain = tiny(self_loops=False)
    loops = np.tile(np.arange(60, dtype=np.int32), (2, 3))
    edges = np.concatenate([loops, plain.arrays["edge_index"]], axis=1)
    looped = ArrayGraph("looped", {**plain.arrays, "edge_index": edges})

    def drawn(stored: Any, architecture: str) -> Any:
        facts = profiled(stored)
        spec = spec_for(facts, {"sampling": sampling, "architecture": architecture}, **SMALL)
        return cost(facts, spec, drawer(stored, facts.graph)).p99_step

    assert drawn(looped, "gcn") == drawn(plain, "gcn")
    assert drawn(looped, "sage") != drawn(plain, "sage")
