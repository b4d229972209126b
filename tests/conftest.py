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


@pytest.fixture
def tiny() -> Callable[..., Any]:
    """``tiny(features=..., undirected=..., labels=...)``: 60 nodes, some isolated, some with a self-loop."""
    import numpy as np

    from techniques.remote.source.arrays import ArrayGraph

    def build(
        num_nodes: int = 60,
        features: str = "dense",
        undirected: bool = True,
        labels: str = "classes",
        self_loops: bool = True,
        width: int = 24,
        seed: int = 0,
        weights: str = "none",
        edge_columns: int = 0,
        positions: bool = False,
    ) -> ArrayGraph:
        rng = np.random.default_rng(seed)
        edges = rng.integers(0, num_nodes - 5, (2, 4 * num_nodes))  # the last five nodes stay isolated
        edges = edges[:, edges[0] != edges[1]]
        if undirected:
            edges = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
        if self_loops:
            edges = np.concatenate([edges, np.stack([np.arange(7), np.arange(7)])], axis=1)
        arrays: dict[str, Any] = {"num_nodes": np.array(num_nodes), "edge_index": edges.astype(np.int32)}
        arrays |= _labels(labels, num_nodes, rng)
        arrays |= _features(features, num_nodes, width, rng)
        arrays |= _edge_data(edges, weights, edge_columns)
        arrays |= {"pos": np.random.default_rng(2).random((num_nodes, 2))} if positions else {}
        return ArrayGraph("tiny", arrays)

    def _labels(kind: str, num_nodes: int, rng: Any) -> dict[str, Any]:
        if kind == "none":
            return {}
        if kind == "multi":
            return {"y": (rng.random((num_nodes, 4)) < 0.4).astype(np.uint8)}
        return {"y": rng.permutation(np.arange(num_nodes) % 3)}

    def _edge_data(edges: Any, weights: str, columns: int) -> dict[str, Any]:
        """Weights from 0.5 to 2, ``symmetric``, ``random`` or all ``ones``; draws of their own keep the rest as it is."""
        rng = np.random.default_rng(1)
        found: dict[str, Any] = {}
        if weights != "none":
            drawn = rng.uniform(0.5, 2.0, (edges.max() + 1, edges.max() + 1)).astype(np.float32)
            drawn = drawn + drawn.T if weights == "symmetric" else np.ones_like(drawn) if weights == "ones" else drawn
            found["edge_weight"] = drawn[edges[0], edges[1]]
        if columns:
            found["edge_attr"] = rng.normal(size=(edges.shape[1], columns)).astype(np.float32)
        return found

    def _features(kind: str, num_nodes: int, width: int, rng: Any) -> dict[str, Any]:
        x = rng.normal(size=(num_nodes, width)).astype(np.float32)
        if kind == "none":
            return {}
        if kind == "dense":
            return {"x": x}
        if kind == "float16":
            return {"x": x.astype(np.float16)}
        keep = rng.random(x.shape) < 0.08
        rows, columns = np.nonzero(keep)
        pointer = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_nodes))])
        return {
            "x_data": x[keep],
            "x_indices": columns.astype(np.int32),
            "x_indptr": pointer.astype(np.int64),
            "x_shape": np.array(x.shape),
        }

    return build


@pytest.fixture
def tiny_set() -> Callable[..., Any]:
    """``tiny_set(labels=..., features=..., undirected=...)``: 40 graphs of 0 to 12 nodes, one without edges."""
    import numpy as np

    from techniques.remote.source.arrays import ArrayGraph

    def build(
        num_graphs: int = 40,
        labels: str = "classes",
        features: str = "dense",
        undirected: bool = True,
        width: int = 5,
        seed: int = 0,
        weights: bool = False,
        edge_columns: int = 0,
        sizes: Any = None,
    ) -> ArrayGraph:
        rng = np.random.default_rng(seed)
        nodes = rng.integers(1, 13, num_graphs) if sizes is None else np.asarray(sizes)
        if sizes is None:
            nodes[3], nodes[5] = 0, 1
        pointer = np.concatenate([[0], np.cumsum(nodes)])
        graph = np.repeat(np.arange(num_graphs), 2 * nodes)
        ends = pointer[graph] + rng.integers(0, np.maximum(nodes[graph], 1), (2, graph.size))
        ends = ends[:, (ends[0] != ends[1]) | (rng.random(graph.size) < 0.3)]  # few self-loops
        ends = ends[:, ~np.isin(ends[0], np.arange(pointer[7], pointer[8]))]  # graph 7 has no edges
        edges = np.concatenate([ends, ends[::-1]], axis=1) if undirected else ends
        edges = np.unique(edges, axis=1).astype(np.int32)
        arrays: dict[str, Any] = {"num_nodes": np.array(pointer[-1]), "edge_index": edges, "graph_ptr": pointer}
        if features == "sparse":
            x = rng.normal(size=(pointer[-1], 24)) * (rng.random((pointer[-1], 24)) < 0.08)
            rows, columns = np.nonzero(x)
            arrays |= {"x_data": x[rows, columns].astype(np.float32), "x_indices": columns.astype(np.int32)}
            arrays["x_indptr"] = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=pointer[-1]))])
            arrays["x_shape"] = np.array(x.shape)
        elif features != "none":
            arrays["x"] = rng.normal(size=(pointer[-1], width)).astype(features.replace("dense", "float32"))
        arrays["y"] = {
            "classes": rng.permutation(np.arange(num_graphs) % 3),
            "multi": (rng.random((num_graphs, 4)) < 0.4).astype(np.uint8),
            "target": rng.normal(3.0, 2.0, num_graphs),
            "targets": rng.normal(3.0, 2.0, (num_graphs, 2)),
        }[labels]
        if weights:
            arrays["edge_weight"] = (1.0 + (edges[0] + edges[1]) % 3).astype(np.float32)
        if edge_columns:
            arrays["edge_attr"] = rng.normal(size=(edges.shape[1], edge_columns)).astype(np.float32)
        return ArrayGraph("tiny-set", arrays)

    return build


@pytest.fixture
def films() -> Callable[..., Any]:
    """``films(scale=1, sparse=False, labels="classes", masks=False)``: a ``HeteroData`` with every oddity.

    Movies have 24 feature columns and the labels, people 5 columns, tags none; "knows" holds both directions of its
    edges, "likes" is no reverse of "by"; the last movie, person and tag have no edges.
    """
    import numpy as np
    import torch
    from torch_geometric.data import HeteroData

    def build(scale: int = 1, sparse: bool = False, labels: str = "classes", masks: bool = False, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        sizes = {"movie": 40 * scale, "person": 30 * scale, "tag": 12 * scale}
        data = HeteroData()
        x = rng.normal(size=(sizes["movie"], 24)) * (rng.random((sizes["movie"], 24)) < (0.06 if sparse else 1.0))
        data["movie"].x = torch.from_numpy(x.astype(np.float32))
        data["person"].x = torch.from_numpy(rng.normal(size=(sizes["person"], 5)).astype(np.float32))
        if sparse:
            data["person"].x[:, 1:] = 0.0
            data["person"].x[5:] = 0.0
        data["tag"].num_nodes = sizes["tag"]
        if labels != "none":
            several = torch.from_numpy((rng.random((sizes["movie"], 4)) < 0.4).astype(np.uint8))
            classes = torch.from_numpy(rng.permutation(np.arange(sizes["movie"]) % 3))
            data["movie"].y = several if labels == "multi" else classes
        if masks:
            for index, name in enumerate(("train_mask", "val_mask", "test_mask")):
                data["movie"][name] = torch.arange(sizes["movie"]) % 3 == index
        for source, relation, target, count in (
            ("movie", "by", "person", 90),
            ("movie", "has", "tag", 70),
            ("person", "likes", "movie", 60),
            ("person", "knows", "person", 40),
        ):
            ends = [rng.integers(0, sizes[kind] - 1, count * scale) for kind in (source, target)]
            edges = np.stack(ends)
            edges = np.concatenate([edges, edges[::-1]], axis=1) if relation == "knows" else edges
            data[source, relation, target].edge_index = torch.from_numpy(edges)
        return data

    return build


@pytest.fixture
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
