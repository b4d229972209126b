"""What a trace of the user's own module has found: figures of one step for any number of nodes, edges and seeds."""

from __future__ import annotations

from collections.abc import Iterable

from techniques.record import Record

KnobValue = bool | int | float | str
OWN_EXIT = "Look for os._exit, sys.exit or a crash in code that the module calls: call it in Python alone, with faulthandler on"
"""What to do about a module that ends its process."""


class CustomKnob(Record):
    """A keyword argument of the user's factory; without ``choices`` it is pinned, never tuned."""

    name: str
    default: KnobValue
    choices: tuple[KnobValue, ...] = ()


class PerSize(Record):
    """A figure that grows with N nodes, E edges and S seeds (rows or pairs that carry the loss):
    ``fixed + per_node N + per_edge E + per_seed S + per_pair N^2``."""

    fixed: float
    per_node: float
    per_edge: float
    per_seed: float = 0.0
    per_pair: float = 0.0

    def at(self, nodes: float, edges: float, seeds: float = 0.0) -> float:
        grows = self.per_node * nodes + self.per_edge * edges + self.per_seed * seeds
        return self.fixed + grows + self.per_pair * nodes * nodes


def largest(moments: Iterable[PerSize], nodes: float, edges: float, seeds: float = 0.0) -> float:
    """The peak: the largest of the live bytes at every moment of a step."""
    return max((one.at(nodes, edges, seeds) for one in moments), default=0.0)


class OperatorFacts(Record):
    """All calls of one torch operator in a training step, below autograd, such as ``aten.mm``."""

    name: str
    calls: int
    moved_bytes: PerSize
    """Of its inputs and outputs; 0 for views."""
    gemm_flops: PerSize
    """2 per multiply-add, as ``FlopCounterMode`` counts them."""


class Trace(Record):
    """One training step (forward, loss, backward, optimiser) and one forward pass without gradients, operator by operator.

    Bytes are live bytes: storages that exist at that moment, without what was there before the step (input, weights,
    moments of the optimiser). A peak is ``largest(train, nodes, edges, seeds)``; seconds can be priced from
    ``operators``.
    """

    values: dict[str, KnobValue]
    """Knobs of the module that was traced."""
    precision: str
    method: str
    """``fake tensors``, or ``small steps`` where those could not be used."""
    why_not_fake: str = ""
    checked_error: float
    """Of the peak at one more size than those that it was fitted to, relative."""
    parameters: int
    train: tuple[PerSize, ...]
    """Live bytes at the moments that can be the largest of a training step, gradients included."""
    infer: tuple[PerSize, ...]
    """The same of a forward pass without gradients: of ``inference`` where the module has one."""
    kept_bytes: PerSize
    """What the forward pass leaves for the backward pass."""
    kernels: tuple[PerSize, ...]
    """The same as ``train`` where a kernel on the host takes memory for itself, which is included."""
    blocks: tuple[PerSize, ...]
    """The largest storages that are alive at the peak."""
    operators: tuple[OperatorFacts, ...]

    @property
    def quadratic(self) -> bool:
        """Whether memory grows with the square of the nodes, as dense attention does."""
        return any(one.per_pair > 0 for one in (*self.train, *self.infer))

    @property
    def calls(self) -> int:
        """Operators of a step, views included."""
        return sum(one.calls for one in self.operators)

    def moved_bytes(self, nodes: float, edges: float, seeds: float) -> float:
        """Read and written by one training step."""
        return sum(one.moved_bytes.at(nodes, edges, seeds) for one in self.operators)

    def gemm_flops(self, nodes: float, edges: float, seeds: float) -> float:
        """Dense products of one training step, forward and backward."""
        return sum(one.gemm_flops.at(nodes, edges, seeds) for one in self.operators)


class CustomFacts(Record):
    """The user's own module as traces of it have shown it."""

    factory: str
    """``module:factory``."""
    folder: str
    """Where its module is looked for first."""
    source: str | None = None
    """Fingerprint of the module's file; ``None`` where none was found."""
    knobs: tuple[CustomKnob, ...]
    takes_dropout: bool
    """Whether the factory wants the dropout of training."""
    forward: tuple[str, ...]
    """What ``forward`` takes beside ``x`` and ``edge_index``: of edge_weight, edge_attr, batch_size."""
    has_inference: bool
    layers: int
    """Message-passing layers that were found; at least 1."""
    traces: tuple[Trace, ...]
    """The knobs as they stand first; then other values that the factory lists, and bfloat16."""

    def trace(self, values: dict[str, KnobValue], precision: str) -> tuple[Trace, bool]:
        """The trace of these knobs, and whether it is one: else that of the knobs as they stood."""
        known = self.traces[0].values
        wanted = {name: values.get(name, value) for name, value in known.items()}
        same = [one for one in self.traces if one.values == wanted]
        for one in same:
            if one.precision == precision:
                return one, True
        return (same or self.traces)[0], bool(same)
