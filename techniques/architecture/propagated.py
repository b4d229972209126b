"""Features propagated before training, in bounded memory, and read as rows: the live side of SGC and SIGN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from techniques.architecture.network import target_chunks
from techniques.architecture.precomputed import columns_at_once
from techniques.representation.block import neighbor_sum

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.remote.rows import RowStore
    from techniques.sampling.structure import Structure

CPU = torch.device("cpu")


class PropagatedRows:
    """Features of one or more hops; a row is all of them side by side. ``hops`` are [N, F] each."""

    def __init__(self, hops: Sequence[Tensor]) -> None:
        self.hops = tuple(hops)

    @property
    def num_features(self) -> int:
        return sum(hop.size(1) for hop in self.hops)

    def rows(self, ids: NDArray[np.int64]) -> Tensor:
        """[B, (K + 1) F], written once: rows of every hop first and side by side then would take twice the memory."""
        chosen = torch.from_numpy(ids)
        out = torch.empty(chosen.numel(), self.num_features)
        for hop, columns in zip(self.hops, torch.split(out, [hop.size(1) for hop in self.hops], dim=1), strict=True):
            torch.index_select(hop, 0, chosen, out=columns)
        return out

    def whole(self) -> Tensor:
        return torch.cat(self.hops, dim=1)


@torch.no_grad()
def propagate(
    features: RowStore, structure: Structure, steps: int, adds_loops: bool, keeps_all: bool
) -> PropagatedRows:
    """Average dense features over neighbours ``steps`` times: D^-1/2 A D^-1/2 X, with loops D^-1/2 (A + I) D^-1/2 X.

    Args:
        features: dense rows in memory; overwritten unless ``keeps_all``.
        adds_loops: a loop of weight 1 per node, counted in its degree; without, a node of degree 0 passes nothing on.
        keeps_all: keep the features before and after every step instead of the last.
    """
    x = features.whole()
    hops = [x, *(torch.empty_like(x) for _ in range(steps))] if keeps_all else [x]
    degrees = structure.degrees() + (1.0 if adds_loops else 0.0)
    roots = torch.where(degrees > 0, degrees.rsqrt(), 0.0).unsqueeze(1)
    width = columns_at_once(x.size(0), x.size(1))
    for first in range(0, x.size(1), width):
        columns = slice(first, first + width)
        h = x[:, columns].clone() if keeps_all else x[:, columns].contiguous()  # all of them: the same memory
        for step in range(1, steps + 1):
            h = _step(structure, h.mul_(roots), roots, adds_loops)
            if keeps_all:
                hops[step][:, columns] = h
        if not keeps_all:
            x[:, columns] = h
    return PropagatedRows(hops)


def _step(structure: Structure, scaled: Tensor, roots: Tensor, adds_loops: bool) -> Tensor:
    """[N, c] that has been multiplied with ``roots`` once -> [N, c], a chunk of targets at a time."""
    out: Tensor | None = None
    for start, block in target_chunks(structure, scaled.size(1), CPU):
        rows = neighbor_sum(block, scaled)
        if block.num_targets == structure.num_nodes:
            out = rows
            break
        out = torch.empty_like(scaled) if out is None else out
        out[start : start + block.num_targets] = rows
    assert out is not None, "a graph has at least one node"
    return (out.add_(scaled) if adds_loops else out).mul_(roots)
