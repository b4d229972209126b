"""Where a list of graphs is cut into batches: at even shares of its cost, or where so many nodes are full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Graphs = NDArray[np.int64]


def even_cuts(order: Graphs, cost: NDArray[np.int64], steps: int) -> list[Graphs]:
    """Runs of ``order`` of nearly equal cost; each has one graph at least, every graph is in one.

    Args:
        order: [n] places in ``cost``, at least ``steps`` of them.
        cost: of every graph.
        steps: how many runs.
    """
    running = np.cumsum(np.maximum(cost[order], 0))
    wanted = running[-1] * np.arange(1, steps) / steps
    # The nearer end of the graph that a share ends in.
    after = np.minimum(np.searchsorted(running, wanted), order.size - 1)
    before = np.where(after > 0, running[after - 1], 0)
    cut = after + (running[after] - wanted <= wanted - before)
    # At least one graph a run: cuts rise by one or more, and leave one for every run to come.
    place = np.arange(1, steps)
    cut = np.maximum.accumulate(np.maximum(cut, place) - place) + place
    cut = np.minimum(cut, order.size - steps + place)
    return np.split(order, cut)


def bounded_runs(graphs: Graphs, nodes: NDArray[np.int64], most: int) -> Iterator[Graphs]:
    """Longest runs of ``graphs`` with at most ``most`` nodes; one graph at least."""
    running = np.concatenate([[0], np.cumsum(nodes[graphs])])
    start = 0
    while start < graphs.size:
        stop = int(np.searchsorted(running, running[start] + most, side="right")) - 1
        stop = max(stop, start + 1)
        yield graphs[start:stop]
        start = stop
