"""Steps of the user's own module at any size, on small real tensors or on fake ones, watched operator by operator."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from techniques.architecture.assumed_values import AssumedValues
from techniques.architecture.loss import loss_of
from techniques.architecture.network import Batch
from techniques.architecture.optimizer import adam
from techniques.architecture.trace import LiveBytes, Walk, walked
from techniques.architecture.user_module import UserNetwork
from techniques.facts import Facts, Task
from techniques.job import Training
from techniques.representation.block import Block

STEP_SECONDS = 20.0
"""A step that takes longer is given up."""


class StepSize(NamedTuple):
    """Nodes and edges of a batch, and the rows (or pairs) that carry its loss."""

    nodes: int
    edges: int
    seeds: int


@dataclass(frozen=True)
class OwnSteps:
    """One module, ready to take steps; every step is taken by a copy of it."""

    network: UserNetwork
    facts: Facts

    def check(self) -> None:
        """One small forward pass, by the module itself: it may find its widths.

        Raises:
            OptionError: the output has another shape than it must.
        """
        size = StepSize(8, 16, 4)
        batch = real_batch(self.facts, size)
        with torch.no_grad():
            self.network.eval().call(batch.x, batch.blocks[0], size.nodes)

    def train(self, size: StepSize, *, fake: bool = False) -> Walk:
        """Forward, loss, backward and optimiser step; moments of the optimiser are there before."""
        with _limited(STEP_SECONDS), self._ready(size, fake) as (network, batch, assumed):
            network.train()
            optimizer = adam(network, Training(learning_rate=1e-6))

            def step(mode: LiveBytes) -> None:
                loss = loss_of(network.logits(batch), batch.y)
                mode.enter_backward()
                network.walk_back(loss)
                mode.leave_backward()
                del loss
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

            known = [value for state in optimizer.state.values() for value in state.values()]
            return walked(step, [*_tensors(network, batch), *known], assumed)

    def infer(self, size: StepSize, *, fake: bool = False) -> Walk:
        """A forward pass without gradients, by the module's own ``inference`` where it has one."""
        of = "inference" if self.network.plan.evaluation == "inference" else "forward"
        with _limited(STEP_SECONDS), torch.no_grad(), self._ready(size, fake) as (network, batch, assumed):
            network.eval()
            block = batch.blocks[0]
            return walked(
                lambda mode: network.call(batch.x, block, block.num_sources, of), _tensors(network, batch), assumed
            )

    @contextmanager
    def _ready(self, size: StepSize, fake: bool) -> Iterator[tuple[UserNetwork, Batch, AssumedValues | None]]:
        network = UserNetwork(copy.deepcopy(self.network.module), self.network.plan)
        if not fake:
            yield network, real_batch(self.facts, size), None
            return
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            _take_memory(network.module, mode)
            yield network, _fake_batch(self.facts, size), AssumedValues(size.nodes)


def real_batch(facts: Facts, size: StepSize) -> Batch:
    """Random edges without self-loops, sorted by target as batches are, with the weights and attributes of the graph."""
    graph, rng = facts.graph, torch.Generator().manual_seed(0)
    source, target = torch.randint(0, size.nodes, (2, size.edges), generator=rng)
    target = target.sort().values
    target[-1] = size.nodes - 1
    source = torch.where(source == target, (source + 1) % size.nodes, source)
    weight = torch.rand(size.edges, generator=rng) if graph.edge_weighted else None
    attr = torch.randn(size.edges, graph.edge_features, generator=rng) if graph.edge_features else None
    block = Block(size.nodes, size.nodes, edge_index=torch.stack([source, target]), weight=weight, edge_attr=attr)
    x = torch.randn(size.nodes, graph.features.width, generator=rng)
    return _labelled(facts, size, x, block)


def _fake_batch(facts: Facts, size: StepSize) -> Batch:
    graph = facts.graph
    weight = torch.empty(size.edges) if graph.edge_weighted else None
    attr = torch.empty(size.edges, graph.edge_features) if graph.edge_features else None
    edge_index = torch.empty(2, size.edges, dtype=torch.long)
    block = Block(size.nodes, size.nodes, edge_index=edge_index, weight=weight, edge_attr=attr)
    return _labelled(facts, size, torch.empty(size.nodes, graph.features.width), block)


def _labelled(facts: Facts, size: StepSize, x: Tensor, block: Block) -> Batch:
    """Node classes, several labels a node, or pairs."""
    if facts.task is Task.LINK:
        pairs = torch.zeros(2, size.seeds, dtype=torch.long)
        return Batch(x, (block,), torch.zeros(size.seeds), pairs=pairs)
    labels = facts.graph.labels
    classes = max(labels.num_classes, 2)
    y = torch.zeros(size.seeds, classes) if labels.multi_label else torch.zeros(size.seeds, dtype=torch.long)
    return Batch(x, (block,), y, loss_rows=torch.arange(size.seeds))


def _take_memory(module: nn.Module, mode: FakeTensorMode) -> None:
    """Fake tensors take the place of parameters, buffers and other tensors."""
    made: dict[int, Tensor] = {}

    def fake(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            empty = mode.from_tensor(tensor.detach())
            made[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
        return made[id(tensor)]

    for one in module.modules():
        for holder in (one._parameters, one._buffers, one.__dict__):
            held: dict[str, Any] = holder  # type: ignore[assignment]
            held.update({name: fake(value) for name, value in held.items() if isinstance(value, Tensor)})


def _tensors(network: nn.Module, batch: Batch) -> list[Tensor]:
    """What is there before a step."""
    block = batch.blocks[0]
    given = (batch.x, batch.y, block.edge_index, block.weight, block.edge_attr, batch.loss_rows, batch.pairs)
    return [*network.parameters(), *network.buffers(), *(one for one in given if one is not None)]


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise ``TimeoutError`` inside after so many seconds, where the system can."""
    if not hasattr(signal, "setitimer"):
        with nullcontext():
            yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"a step took more than {seconds:.0f} s")

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
