"""Small graphs, machines and jobs that many tests need. No test package may be imported, so they are fixtures."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from planner.inspect.estimate import from_counts
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.facts import Facts, Goal, GpuFacts, GraphFacts, HardwareFacts, ModelFacts, Origin
from tests import graphs

GIB = 2**30
settings.register_profile("here", deadline=None)  # kernels compile on their first call, and machines are busy at times
settings.load_profile("here")


def pytest_configure() -> None:
    """Programs that tests start can be interrupted, also where a shell in the background has told the tests to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that fork this process come first, while it has no threads of torch and numba that a fork would lose."""
    items.sort(key=lambda item: item.path.name != "test_kills.py")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: Any) -> Path:
    """A home of gnnfit of the tests' own: neither calibration nor history of whoever runs them counts, or grows."""
    folder: Path = tmp_path_factory.mktemp("home")
    os.environ["GNNFIT_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def make_machine() -> Callable[..., HardwareFacts]:
    """``make_machine(cores=2, host=16 GiB, device=0)``: a machine with known limits."""

    def build(cores: int = 2, host: int = 16 * GIB, device: int = 0) -> HardwareFacts:
        gpu = GpuFacts(name="T4", memory_total_bytes=device, memory_free_bytes=device)
        return HardwareFacts(
            name="test",
            origin=Origin.TYPED,
            cores=cores,
            memory_total_bytes=host,
            memory_available_bytes=host,
            gpus=(gpu,) if device else (),
            memory_bandwidth_bytes_per_second=20e9,
            gemm_flops_per_second=60e9,
            notes=() if device else ("no GPU: a test machine",),
        )

    return build


@pytest.fixture(scope="session")
def make_facts(make_machine: Any) -> Callable[..., Facts]:
    """``make_facts(graph or counts, host=, device=, **goal)``."""

    def build(
        graph: GraphFacts | tuple[int, ...] = (10_000, 50_000, 64, 5),
        *,
        directed: bool = False,
        model: ModelFacts | None = None,
        machine: HardwareFacts | None = None,
        cores: int = 2,
        host: int = 16 * GIB,
        device: int = 0,
        **goal: Any,
    ) -> Facts:
        if isinstance(graph, tuple):
            graph = from_counts(*graph, directed=directed)
        machine = machine or make_machine(cores, host, device)
        return Facts(graph=graph, hardware=machine, goal=Goal(**goal), model=model or ModelFacts())

    return build


@pytest.fixture(scope="session")
def make_calibration() -> Callable[..., Any]:
    """``make_calibration(work=1e-9, operator=1e-6, step=1e-3)``: a machine on which every unit of work takes as long."""
    from techniques.hardware.calibration import Calibration, SamplerRate, ThreadRates
    from techniques.hardware.grid import Grid
    from techniques.hardware.operations import Kind

    axes = {Kind.GEMM: 3, Kind.GEMM_WEIGHT: 3, Kind.SPMM: 3}
    axes |= dict.fromkeys((Kind.GATHER, Kind.GATHER_SORTED, Kind.SCATTER, Kind.INDEX_ADD, Kind.MAXIMUM), 2)
    axes |= {Kind.SPARSE_INPUT: 2, Kind.SPARSE_WEIGHT: 2}

    def flat(value: float, dimensions: int) -> Grid:
        return Grid(axes=((1.0,),) * dimensions, values=(value,))

    def build(
        work: float = 1e-9, operator: float = 1e-6, step: float = 1e-3, edge: float = 1e-8, fingerprint: str = "test"
    ) -> Calibration:
        grids = {kind: flat(work, axes.get(kind, 1)) for kind in Kind if kind is not Kind.LAUNCH}
        rates = ThreadRates(threads=2, grids=grids, touch=flat(1e-12, 1), operator_seconds=operator, step_seconds=step)
        kernels = ("neighbor", "shadow", "subgraph", "saint")
        sampler = SamplerRate(seconds_per_edge=flat(edge, 1), batch_seconds=0.0)
        return Calibration(
            date="2026-01-02T03:04:05+00:00",
            fingerprint=fingerprint,
            packages={},
            rates=(rates,),
            samplers={f"{kernel}/{form}": sampler for kernel in kernels for form in ("csr", "coo")},
            row_seconds_per_byte=flat(1e-10, 2),
        )

    return build


OWN_MODULE = """
import torch
from torch_geometric.nn import SAGEConv


class Net(torch.nn.Module):
    def __init__(self, width, hidden, classes):
        super().__init__()
        self.first, self.second = SAGEConv(width, hidden), SAGEConv(hidden, classes)

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)


def build(facts, hidden=8):
    links = facts.task == "link"
    classes = hidden if links else max(facts.graph.labels.num_classes, 2)
    return Net(facts.graph.features.width, hidden, classes)
"""


@pytest.fixture(scope="session")
def own_model(make_facts: Any, tmp_path_factory: Any) -> Callable[..., ModelFacts]:
    """``own_model(facts)``: facts of a module that is written to a folder and looked at in this process."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_module_of_tests.py").write_text(OWN_MODULE)

    def build(facts: Facts | None = None, factory: str = "own_module_of_tests:build", **values: Any) -> ModelFacts:
        from techniques.architecture.probe import probe

        found = probe(factory, str(folder), facts or make_facts(), values)
        return ModelFacts(architecture="custom", custom=found)

    return build


@pytest.fixture(scope="session")
def spec_for() -> Callable[..., Any]:
    """``spec_for(facts, {"sampling": "neighbor", ...}, hidden=8, ...)``: a full spec with defaults for the rest."""
    from techniques.base import Slot

    def build(facts: Facts, chosen: dict[str, str] | None = None, **settings: Any) -> Any:
        pins = Pins({Slot(name): value for name, value in {"hardware": "cpu", **(chosen or {})}.items()}, settings)
        return make_spec(facts, pins, {})

    return build


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """``tiny(features=..., undirected=..., labels=...)``: see ``graphs.tiny``."""
    return graphs.tiny


@pytest.fixture(scope="session")
def tiny_set() -> Callable[..., Any]:
    """``tiny_set(labels=..., features=..., undirected=...)``: see ``graphs.tiny_set``."""
    return graphs.tiny_set


@pytest.fixture(scope="session")
def films() -> Callable[..., Any]:
    """``films(scale=1, sparse=False, labels="classes", masks=False)``: see ``graphs.films``."""
    return graphs.films


@pytest.fixture(scope="session")
def profiled(make_facts: Any) -> Callable[..., Facts]:
    """``profiled(stored, **goal)``: facts of a stored graph that has passed the checks."""

    def build(stored: Any, **others: Any) -> Facts:
        from planner.inspect.graph import profile
        from planner.inspect.opened import checked

        checked(stored, check_values=True)
        return make_facts(profile(stored), **others)

    return build


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Any]:
    """``make_job(facts, stored, spec)``: a built job over the graph spilled to a folder, as a worker has it."""

    def build_job(facts: Facts, stored: Any, spec: Any) -> Any:
        from techniques.assembly import build
        from techniques.job import Job
        from techniques.remote.source.folder import FolderGraph, spill

        folder = tmp_path / "graph"
        if not folder.exists():
            spill(stored, folder)
        return build(Job(spec=spec, facts=facts, stored=FolderGraph(folder), scratch=tmp_path))

    return build_job
