"""Sizes of a step: what its layers read and write, as it is forecast and as batches of the graph at hand are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from techniques.facts import EDGE, NODE

if TYPE_CHECKING:
    from techniques.sampling.drawn import DrawnGraph


@dataclass(frozen=True)
class LayerShape:
    """One layer of one step: nodes read, nodes written, edges used, each by type."""

    sources: Mapping[str, float]
    targets: Mapping[str, float]
    edges: Mapping[str, float]

    @staticmethod
    def homogeneous(sources: float, targets: float, edges: float) -> LayerShape:
        return LayerShape({NODE: sources}, {NODE: targets}, {EDGE: edges})

    @property
    def num_sources(self) -> float:
        return sum(self.sources.values())

    @property
    def num_targets(self) -> float:
        return sum(self.targets.values())

    @property
    def num_edges(self) -> float:
        return sum(self.edges.values())


@dataclass(frozen=True)
class StepShape:
    """What one training step sees: its layers, input side first, and the nodes that carry a loss; ``reached`` of the input
    nodes were chosen along an edge, the others by chance."""

    layers: tuple[LayerShape, ...]
    seeds: float
    reached: float = 0.0

    @property
    def input_nodes(self) -> float:
        return self.layers[0].num_sources

    @property
    def input_edges(self) -> float:
        return self.layers[0].num_edges


@dataclass(frozen=True)
class DrawnHops:
    """Sizes of one sampled batch: ``nodes`` found at hop 0 (the seeds), 1, ..., ``edges`` drawn at hop 1, 2, ...

    A batch that is one subgraph has one number of each.
    """

    nodes: tuple[int, ...]
    edges: tuple[int, ...]


class Drawable(Protocol):
    """Batches that can be drawn from a graph at hand; equal ones are drawn once."""

    quick_to_draw: ClassVar[bool]
    """Whether fifty take no longer than one, however many edges they have."""

    def draw(self, graph: DrawnGraph, index: int) -> DrawnHops:
        """Sizes of one batch; ``index`` seeds it."""

    def __hash__(self) -> int: ...


Draw = Callable[[Drawable], tuple[DrawnHops, ...]]
"""Draws some fifty real batches of the graph at hand."""
