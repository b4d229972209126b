"""Traces of modules as users write them, against real steps of sizes that were not traced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv, global_mean_pool
from torch_geometric.utils import dropout_edge

from techniques import option
from techniques.architecture.custom import trace_warnings
from techniques.architecture.layer_size import shape_sizes
from techniques.architecture.operations.step import training_step
from techniques.architecture.operations.traced import traced_operations
from techniques.architecture.own_steps import OwnSteps, StepSize
from techniques.architecture.own_trace import trace_steps
from techniques.architecture.readout import Readout
from techniques.architecture.trace import LiveBytes
from techniques.architecture.user_module import UserNetwork
from techniques.architecture.user_plan import UserPlan
from techniques.base import Slot
from techniques.hardware.prices import PublishedPrices
from techniques.own_model import Trace, largest
from techniques.step_shape import LayerShape, StepShape

WIDTH, HIDDEN, CLASSES = 64, 32, 5
WHOLE = StepSize(20_000, 200_000, 12_000)
OTHER = StepSize(700, 9_000, 100)


class Two(nn.Module):
    """Two layers of one kind."""

    def __init__(self, make: Any, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.first, self.second = make(WIDTH, hidden), make(hidden, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index)  # type: ignore[no-any-return]


class Checkpointed(Two):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden: Tensor = checkpoint(self.first, x, edge_index, use_reentrant=False)  # type: ignore[assignment]
        return self.second(hidden.relu(), edge_index)  # type: ignore[no-any-return]


class Values(Two):
    """Asks for values: a number of nodes, degrees, a mean over all nodes."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.first(x, edge_index)
        degree = torch.bincount(edge_index[1], minlength=int(edge_index.max()) + 1)
        h = h / (1 + degree).unsqueeze(1) + global_mean_pool(h, torch.zeros(x.size(0), dtype=torch.long))
        return self.second(h, edge_index)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """All pairs of nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, width) for width in (16, 16, CLASSES))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return (self.query(x) @ self.key(x).T).softmax(1) @ self.value(x)  # type: ignore[no-any-return]


class DroppedEdges(Two):
    """How many edges are left is known by their values only."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        left, _ = dropout_edge(edge_index, 0.5, training=self.training)
        return super().forward(x, left)


def gin(columns_in: int, columns_out: int) -> Any:
    return GINConv(nn.Sequential(nn.Linear(columns_in, columns_out), nn.ReLU(), nn.Linear(columns_out, columns_out)))


MODULES = {
    "GCN": lambda: Two(GCNConv),
    "GraphSAGE, wide": lambda: Two(SAGEConv, 128),
    "maximum": lambda: Two(lambda columns_in, columns_out: SAGEConv(columns_in, columns_out, aggr="max")),
    "GIN": lambda: Two(gin),
    "GAT, checkpointed": lambda: Checkpointed(GATConv),
    "values": lambda: Values(SAGEConv),
    "attention": Attention,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def steps_of(module: nn.Module, facts: Any, *, bf16: bool = False) -> OwnSteps:
    plan = UserPlan("mine:build", ".", (), (), CLASSES, True, "forward", 3, bf16)
    return OwnSteps(UserNetwork(module, plan), facts)


def traced(steps: OwnSteps) -> Trace:
    return trace_steps(steps, {}, "fp32", WHOLE)


@pytest.mark.parametrize("name", ["GCN", "maximum", "GAT, checkpointed", "values", "attention"])
def test_figures_are_those_of_real_steps(name: str, make_facts: Any) -> None:
    torch.manual_seed(0)
    steps = steps_of(MODULES[name](), make_facts((20_000, 200_000, WIDTH, CLASSES)))
    trace = traced(steps)
    assert trace.method == "fake tensors", trace.why_not_fake
    assert trace.quadratic == (name == "attention")
    real, inferred = steps.train(OTHER), steps.infer(OTHER)
    assert largest(trace.train, *OTHER) == pytest.approx(real.peak_bytes, rel=1e-3)
    assert largest(trace.infer, *OTHER) == pytest.approx(inferred.peak_bytes, rel=1e-3)
    assert trace.kept_bytes.at(*OTHER) == pytest.approx(real.kept_bytes, rel=0.01)
    moved = 0.03 if name == "values" else 1e-3  # one graph is pooled as if it were many
    assert trace.moved_bytes(*OTHER) == pytest.approx(real.moved_bytes, rel=moved)
    assert trace.gemm_flops(*OTHER) == pytest.approx(real.gemm_flops, rel=1e-9)
    assert trace.calls == pytest.approx(len(real.names), abs=1)


@pytest.mark.parametrize("name", ["GraphSAGE, wide", "maximum", "GAT, checkpointed"])
def test_live_bytes_are_those_of_torchs_allocator(name: str, make_facts: Any, monkeypatch: Any) -> None:
    """What kernels take for themselves included; sorting is not seen by the allocator and not done on one thread."""
    torch.manual_seed(0)
    monkeypatch.setattr("techniques.architecture.trace.SORT_BYTES", 0)
    steps = steps_of(MODULES[name](), make_facts((20_000, 200_000, WIDTH, CLASSES)))
    walk, found = steps.train(OTHER), []

    def watch(step: Any, known: Any, assumed: Any) -> Any:
        step(LiveBytes([]))
        for parameter in steps.network.parameters():
            parameter.grad = None
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            step(LiveBytes([]))
        results: Any = profiled.profiler
        events = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
        found.append(int(np.cumsum([one.nbytes() for one in sorted(events, key=lambda one: one.start_ns())]).max()))
        return walk

    monkeypatch.setattr("techniques.architecture.own_steps.walked", watch)
    steps.train(OTHER)
    in_kernels = [live + own for live, own in zip(walk.live_bytes, walk.kernel_bytes, strict=True)]
    assert max(in_kernels) == pytest.approx(found[0], rel=0.001)


def test_dense_products_are_those_of_the_flop_counter(make_facts: Any) -> None:
    steps = steps_of(MODULES["GIN"](), make_facts((20_000, 200_000, WIDTH, CLASSES)))
    with FlopCounterMode(display=False) as counter:
        walk = steps.train(OTHER)
    assert walk.gemm_flops == counter.get_total_flops() > 0


def test_what_values_decide_is_seen_in_small_real_steps(make_facts: Any) -> None:
    torch.manual_seed(0)
    steps = steps_of(DroppedEdges(GCNConv), make_facts((20_000, 200_000, WIDTH, CLASSES)))
    trace = traced(steps)
    assert trace.method == "small steps" and "depend on values" in trace.why_not_fake
    assert "small real steps" in trace_warnings(trace)[0]
    other = StepSize(5_000, 60_000, 1_000)
    assert largest(trace.train, *other) == pytest.approx(steps.train(other).peak_bytes, rel=0.05)


def test_bfloat16_takes_less(make_facts: Any) -> None:
    facts = make_facts((20_000, 200_000, WIDTH, CLASSES))
    full, half = (traced(steps_of(MODULES["GIN"](), facts, bf16=bf16)) for bf16 in (False, True))
    assert half.kept_bytes.at(*WHOLE) < 0.8 * full.kept_bytes.at(*WHOLE)


def test_the_module_itself_is_left_alone(make_facts: Any) -> None:
    module = MODULES["GCN"]()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    traced(steps_of(module, make_facts((20_000, 200_000, WIDTH, CLASSES))))
    assert all(type(one) is nn.Parameter and one.grad is None for one in module.parameters())
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name])


PRICES = PublishedPrices(20e9, 50e9, on_host=True)


@pytest.mark.parametrize(("name", "module"), [("gcn", Two(GCNConv)), ("sage", Two(SAGEConv)), ("gat", Two(GATConv))])
def test_seconds_are_about_those_of_our_own_layers(name: str, module: nn.Module, make_facts: Any) -> None:
    trace = traced(steps_of(module, make_facts((20_000, 200_000, WIDTH, CLASSES))))
    nodes, edges, seeds = WHOLE
    architecture: Any = option(Slot.ARCHITECTURE, name)
    shape = StepShape((LayerShape.homogeneous(nodes, nodes, edges),) * 2, seeds)
    sizes = shape_sizes(shape, (WIDTH, HIDDEN, CLASSES), fused=False, transform_first=False, dropout=False)
    listed = training_step(sizes, architecture.layer_operations, seeds, Readout.NODES, CLASSES, trace.parameters)
    ratio = PRICES.seconds(traced_operations(trace, *WHOLE)) / PRICES.seconds(listed)
    assert 0.4 < ratio < 2.5
    many, twice = (  # all of them large: memory of their own costs what that of small tensors does not
        PRICES.seconds(traced_operations(trace, times * nodes, times * edges, times * seeds)) for times in (10, 20)
    )
    assert twice == pytest.approx(2 * many, rel=0.2)
