"""Jobs of subgraph samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from techniques.job import Job
from techniques.remote.source.arrays import ArrayGraph
from tests.techniques.sampling.subgraph_jobs import SAMPLINGS


@pytest.fixture
def job_of(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> Callable[..., Job]:
    """``job_of("walk", representation="coo", stored=..., undirected=True, **settings)``; column 0 holds the node's id."""

    def build(
        sampling: str,
        representation: str = "csr",
        architecture: str = "sage",
        stored: ArrayGraph | None = None,
        undirected: bool = True,
        **settings: Any,
    ) -> Job:
        stored = stored or tiny(undirected=undirected)
        facts = profiled(stored)
        name, values = SAMPLINGS[sampling]
        chosen = {"sampling": name, "representation": representation, "architecture": architecture}
        chosen["representation.features"] = "dense"
        values = {"hidden": 8, "layers": 2, "threads": 1, "dropout": 0.0, "prefetch": 0, **values, **settings}
        job: Job = make_job(facts, stored, spec_for(facts, chosen, **values))
        job.need("features").values[:, 0] = np.arange(facts.graph.num_nodes)
        return job

    return build
