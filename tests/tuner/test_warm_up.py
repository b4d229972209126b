"""The step before a measurement: it must run whatever the layers read."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.worker import warm_up


@pytest.mark.parametrize("architecture", ["gcn", "gat", "sage"])
@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "graph_saint"])
def test_the_small_graph_has_what_edges_carry(
    architecture: str, sampling: str, tiny: Any, profiled: Any, spec_for: Any, request_for: Any
) -> None:
    facts = profiled(tiny(weights="symmetric", edge_columns=3))
    form = "coo" if architecture == "gat" else "csr"
    chosen = {"architecture": architecture, "sampling": sampling, "representation": form}
    warm_up(request_for(facts, spec_for(facts, chosen, hidden=8, threads=1)))
