"""What every usable combination of options forecasts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase as Phases
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.pins import Pins
from planner.proposal import make_spec
from techniques.assembly import compose, forecast
from techniques.base import Slot
from techniques.facts import Facts
from techniques.forecast import Phase, Place
from techniques.hardware.allocator import MOST_HEAP_BYTES
from techniques.job import JobSpec
from tests.combinations import COMBINATIONS, GRAPHS, SAMPLING, meeting, ranges, usable


@pytest.fixture(scope="module")
def specs_of(make_facts: Any) -> Callable[[str, int], list[JobSpec]]:
    """``specs_of(graph, device)``: specs of a graph in which all options meet that can."""

    @cache
    def specs(graph: str, device: int) -> list[JobSpec]:
        there = [one for one in COMBINATIONS if device or one[Slot.HARDWARE] != "cuda"]
        return meeting(usable(make_facts(GRAPHS[graph], device=device), there))

    return specs


def test_forecasting_every_option_imports_nothing_heavy(specs_of: Any) -> None:
    code = """
import json, sys
from planner.inspect.estimate import from_counts
from planner.catalog import machine
from planner.pins import Pins
from planner.proposal import make_spec
from techniques import option
from techniques.base import Slot
from techniques.facts import Facts
from techniques.assembly import forecast
facts = Facts(graph=from_counts(1000, 5000, 32, 3, directed=False), hardware=machine("colab-t4"))
for chosen in json.load(sys.stdin):
    spec = make_spec(facts, Pins({Slot(slot): name for slot, name in chosen.items()}), {})
    [option(slot, name).recipe(spec) for slot, name in spec.options.items()]
    forecast(spec, facts)
heavy = [name for name in ("torch", "torch_geometric", "numpy", "numba", "scipy", "optuna") if name in sys.modules]
print(json.dumps(heavy))
"""
    chosen = [{slot.value: name for slot, name in spec.options.items()} for spec in specs_of("small", 2**34)]
    assert len(chosen) >= 20
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, input=json.dumps(chosen), capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(out.stdout) == []


@pytest.mark.parametrize(("graph", "device"), [*((graph, 2**34) for graph in GRAPHS), ("small", 0)])
def test_every_figure_is_an_ordered_range(graph: str, device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device)
    for spec in specs_of(graph, device):
        for name, figure in ranges(forecast(spec, facts)).items():
            assert 0 <= figure.low <= figure.expected <= figure.high < float("inf"), (name, spec.options)


@pytest.mark.parametrize(("graph", "device"), [("small", 0), ("small", 2**34), ("types", 2**34)])
def test_a_forecast_is_complete(graph: str, device: int, make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS[graph], device=device)
    for spec in specs_of(graph, device):
        found = forecast(spec, facts)
        assert found.shape is not None and len(found.shape.layers) == spec.settings["layers"]
        assert found.flops_per_epoch.expected > 0 and found.epoch_seconds.expected > 0
        assert found.parameters > 0 and found.steps_per_epoch >= 1
        on_gpu = spec.options[Slot.HARDWARE] == "cuda"
        assert (found.peak_bytes(Place.DEVICE).expected > 0) == on_gpu
        for phase in Phase:
            assert found.phases[phase].host_peak_bytes.expected > 0, phase


def test_parts_come_in_order_of_execution(make_facts: Any, specs_of: Any) -> None:
    facts = make_facts(GRAPHS["small"])
    for spec in specs_of("small", 0):
        stages = [part.stage for part in compose(spec, facts)]
        assert stages == sorted(stages)
        assert compose(spec, facts) == compose(spec, facts), "a spec always gives the same parts"


def host_and_device(facts: Facts, spec: JobSpec, phases: tuple[Phase, ...]) -> tuple[float, float]:
    found = [forecast(spec, facts).phases[phase] for phase in phases]
    host, device = (one.host_peak_bytes.expected for one in found), (one.device_peak_bytes.expected for one in found)
    return max(host), max(device)


ALLOCATOR_STEP = MOST_HEAP_BYTES
"""Where the largest tensor crosses the allocator's threshold, up to so much slack goes at once."""

sizes = st.tuples(
    st.integers(2_000, 2_000_000),  # nodes
    st.integers(2, 60),  # undirected edges a node
    st.sampled_from([16, 24, 31]),  # narrower than any hidden width, so that no layer changes its order
    st.integers(2, 30),
)


@pytest.mark.parametrize("larger", ["nodes and edges", "edges", "features", "hidden", "layers"])
@settings(max_examples=25, derandomize=True, phases=(Phases.explicit, Phases.generate))
@given(size=sizes, factor=st.floats(1.1, 4), which=st.integers(0, 10**6))
def test_more_never_needs_less_memory(
    larger: str, size: tuple[int, int, int, int], factor: float, which: int, make_facts: Any, specs_of: Any
) -> None:
    nodes, degree, width, classes = size
    before = make_facts((nodes, nodes * degree, width, classes), device=2**34)
    after = before
    among = [dict(one.options) for one in specs_of("small", 2**34)]
    if larger == "nodes and edges":
        # Of more nodes with the same degree, as many that are drawn have fewer edges between them.
        among = [one for one in among if one[SAMPLING] not in ("shadow_k_hop", "graph_saint")]
    first = which % len(among)
    spec = grown = next(usable(before, among[first:] + among[:first]))
    if larger == "nodes and edges":
        after = make_facts((int(nodes * factor), int(nodes * factor) * degree, width, classes), device=2**34)
    elif larger == "edges":
        after = make_facts((nodes, int(nodes * degree * factor), width, classes), device=2**34)
    elif larger == "features":
        after = make_facts((nodes, nodes * degree, width + 1, classes), device=2**34)
    else:
        value = {"hidden": 256, "layers": 3}[larger]
        grown = make_spec(before, Pins(spec.options, {larger: value}), {})
    # Evaluation walks chunks of so many edges: the more edges a node has, the fewer nodes are in one.
    phases = (Phase.LOAD, Phase.PREPARE, Phase.TRAIN) if larger == "edges" else tuple(Phase)
    if larger == "nodes and edges" and spec.options[Slot.SAMPLING] == "shadow_k_hop":
        # In a smaller graph of the same degree the nodes of an ego graph are linked more often among themselves.
        phases = (Phase.LOAD, Phase.PREPARE)
    less, more = host_and_device(before, spec, phases), host_and_device(after, grown, phases)
    for least, most in zip(less, more, strict=True):
        assert least <= most + ALLOCATOR_STEP, (spec.options, least, most)
