"""In-degree facts: counted from a graph, or estimated from its size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from techniques.graph_figures import DegreeFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXACT_BINS = 16
BIN_GROWTH = 1.25
TYPICAL_SIGMA = 1.2
"""Spread of log-normal degrees with the coefficient of variation seen in social, web and shop graphs (1.1 to 1.5)."""

_GRID_START = -1.5
_GRID_STEP = 0.25


def measured_degrees(in_degrees: NDArray[np.integer[Any]]) -> DegreeFacts:
    """Bins of one degree up to 16, then geometric ones; the last begins at the maximum. Empty bins are left out.

    Args:
        in_degrees: [N] stored entries per target node, N >= 1.
    """
    import numpy as np

    top = int(in_degrees.max())
    counts = np.bincount(in_degrees, minlength=top + 1)
    lows = np.asarray(_bin_lows(top))
    nodes = np.add.reduceat(counts, lows)
    totals = np.add.reduceat(counts * np.arange(top + 1), lows)
    kept = np.flatnonzero(nodes)
    return DegreeFacts(
        mean=int(totals.sum()) / len(in_degrees),
        max=top,
        lows=tuple(lows[kept].tolist()),
        histogram=tuple(nodes[kept].tolist()),
        totals=tuple(totals[kept].tolist()),
    )


def estimated_degrees(num_nodes: int, num_edges: int, sigma: float = TYPICAL_SIGMA) -> DegreeFacts:
    """Log-normal degrees whose counts add up to ``num_nodes`` and whose totals add up to ``num_edges``.

    Nodes are grouped by quantile, each group gets the mean degree of its quantiles, and no mean exceeds N - 1 (what is
    cut off a dense graph's tail is spread over the rest). Standard library only; ``max`` is that of an expected sample.

    Args:
        num_edges: stored directed entries.
        sigma: standard deviation of the logarithm of the degrees; 0 for a regular graph.
    """
    groups = _quantile_groups(num_nodes, sigma)
    ceiling = max(num_nodes - 1, num_edges / num_nodes)
    scale = _fill(groups, num_edges, ceiling)
    shares = [(size, size * min(ceiling, scale * weight)) for size, weight in groups]
    bins = _merge(_rounded(shares, num_edges))
    lows = tuple(total // size for size, total in bins)
    last_size, last_total = bins[-1]
    return DegreeFacts(
        mean=num_edges / num_nodes,
        max=-(-last_total // last_size),
        lows=lows,
        histogram=tuple(size for size, _ in bins),
        totals=tuple(total for _, total in bins),
    )


def _bin_lows(top: int) -> list[int]:
    lows = list(range(min(top, EXACT_BINS) + 1))
    while lows[-1] < top:
        lows.append(min(top, math.ceil(lows[-1] * BIN_GROWTH)))
    return lows


def _quantile_groups(num_nodes: int, sigma: float) -> list[tuple[int, float]]:
    """(nodes, mean weight) of slices of a log-normal distribution with mean 1, lightest first.

    Slices end at standard normal quantiles a quarter apart; the partial mean of a log-normal below quantile z is
    Phi(z - sigma). The last slice begins where less than one node is expected beyond.
    """
    cuts = [-math.inf, _GRID_START]
    while num_nodes * _tail(cuts[-1]) >= 1:
        cuts.append(cuts[-1] + _GRID_STEP)
    cuts.append(math.inf)
    groups = []
    for low, high in pairwise(cuts):
        size = round(num_nodes * _tail(low)) - round(num_nodes * _tail(high))
        share = _tail(low) - _tail(high)
        if size > 0 and share > 0:
            groups.append((size, (_tail(low - sigma) - _tail(high - sigma)) / share))
    return groups


def _tail(z: float) -> float:
    """Probability of a standard normal value above ``z``, exact far out."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def _fill(groups: list[tuple[int, float]], num_edges: int, ceiling: float) -> float:
    """The factor on all weights with which degrees cut at ``ceiling`` add up to ``num_edges``."""
    below, above = 0.0, 1.0
    while _filled(groups, above, ceiling) < num_edges and above < 1e18:
        above *= 2
    for _ in range(60):
        middle = (below + above) / 2
        if _filled(groups, middle, ceiling) < num_edges:
            below = middle
        else:
            above = middle
    return above


def _filled(groups: list[tuple[int, float]], scale: float, ceiling: float) -> float:
    return sum(size * min(ceiling, scale * weight) for size, weight in groups)


def _rounded(shares: list[tuple[int, float]], num_edges: int) -> list[tuple[int, int]]:
    """Whole totals by rounding the running sum, so that errors never add up."""
    total = sum(share for _, share in shares) or 1.0
    rounded, running, before = [], 0.0, 0
    for size, share in shares:
        running += share
        upto = round(num_edges * (running / total))
        rounded.append((size, upto - before))
        before = upto
    size, last = rounded[-1]
    rounded[-1] = (size, last + num_edges - before)
    return rounded


def _merge(groups: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join neighbours until the whole part of the mean degree rises from bin to bin."""
    bins: list[tuple[int, int]] = []
    for size, total in groups:
        while bins and total // size <= bins[-1][1] // bins[-1][0]:
            previous_size, previous_total = bins.pop()
            size, total = size + previous_size, total + previous_total
        bins.append((size, total))
    return bins
