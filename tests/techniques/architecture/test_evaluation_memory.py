"""Judging a model is forecast to need no more memory than training it, whatever the architecture, the sampler and the graph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.proposal import check, make_spec
from techniques import options
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.facts import Facts
from techniques.forecast import Phase
from techniques.job import JobSpec

GRAPHS = {
    "small": from_counts(3_000, 12_000, 64, 5, directed=False),
    "wide features": from_counts(20_000, 100_000, 3_000, 10, directed=False),
    "narrow features": from_counts(200_000, 2_000_000, 4, 40, directed=False),
    "few training nodes": from_counts(200_000, 2_000_000, 64, 10, directed=False, train_share=0.002),
    "large": from_counts(2_000_000, 60_000_000, 100, 47, directed=False),
    "many classes": from_counts(100_000, 1_000_000, 32, 2_000, directed=False),
    "nearly complete": from_counts(2_000, 900_000, 16, 3, directed=False),
}
LARGE = GRAPHS["large"]
GRAPHS["hub"] = LARGE.model_copy(
    update={"degrees": LARGE.degrees.model_copy(update={"max": int(0.9 * LARGE.num_nodes)})}
)
ERROR = 1.02
"""Of either forecast."""
FIXED_MB = {0: 16.0, 2**39: 32.0}
"""Workspaces and holes of the heap on the host (a pass is allowed up to 31 MB of them, a training whose steps are alike less), and messages of a nearly complete graph on a device, which fit no two per cent of a tiny step."""


def specs(facts: Facts) -> Iterator[JobSpec]:
    """Every architecture with every sampler, where they go together."""
    architectures = [one.name for one in options(Slot.ARCHITECTURE) if one.name != "custom"]
    samplers = [one.name for one in options(Slot.SAMPLING)]
    hardware = "cuda" if facts.hardware.gpus else "cpu"
    for architecture, sampling, form in product(architectures, samplers, ("coo", "csr")):
        chosen = {Slot.ARCHITECTURE: architecture, Slot.SAMPLING: sampling, Slot.REPRESENTATION: form}
        chosen |= {Slot.HARDWARE: hardware, Slot.REPRESENTATION_FEATURES: "dense"}
        near = {"trim": False, "propagation_steps": 2} if (architecture, sampling) == ("appnp", "neighbor") else {}
        spec = make_spec(facts, Pins(chosen, near), {})
        if check(facts, spec).usable:
            yield spec


@pytest.mark.parametrize("device", [0, 2**39])
@pytest.mark.parametrize("graph", GRAPHS)
def test_judging_needs_no_more_than_training(graph: str, device: int, make_facts: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device, host=2**39)
    seen = set()
    for spec in specs(facts):
        phases = forecast(spec, facts).phases
        train, judge = (
            phases[phase].device_peak_bytes if device else phases[phase].host_peak_bytes
            for phase in (Phase.TRAIN, Phase.EVALUATE)
        )
        assert judge.expected <= ERROR * train.expected + 1e6 * FIXED_MB[device], spec.options
        assert judge.high <= ERROR * train.high + 3e6 * FIXED_MB[device], spec.options
        seen.add(spec.options[Slot.SAMPLING])
    assert seen >= {"neighbor", "shadow_k_hop", "graph_saint", "cluster", "random_node"}
