"""A target with very many sources, a few of them at a time: parts that can be joined, and what a layer says of them in the end.

Sums and maxima of parts are those of the whole. Attention keeps, beside the sum, what it was weighted with, as the softmax of
a running maximum (Milakov and Gimelshein, 2018, arXiv:1805.02867).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from techniques.representation.block import Block, Csr, neighbor_sum


class Pieces:
    """A convolution whose neighbours are added up: ``piece`` of some edges of one target, ``join`` two of them, ``finish``."""

    def piece(self, projected: Tensor, block: Block) -> Tensor:
        """What the sources [S, P] of a block with one target add up to, [1, P]."""
        return neighbor_sum(block, projected)

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        """The piece of the edges of both."""
        return one + other

    def finish(self: Any, piece: Tensor, target: Tensor, block: Block) -> Tensor:
        """What the layer says of the target, [1, F_out], from its row [1, P] and the piece of all its edges."""
        made: Tensor = self.combine(torch.cat([target, piece]), joined_block(block), 0)
        return made


def joined_block(block: Block) -> Block:
    """One edge of weight 1 to the target of ``block``, from a source that stands for all of its own: of degree 0, which GCN
    takes for a factor of 1."""
    assert block.degrees is not None, "blocks of whole neighbourhoods carry the graph's degrees"
    degrees = F.pad(block.degrees[:1], (0, 1))
    if block.csr is None:
        return Block(2, 1, edge_index=torch.tensor([[1], [0]], device=degrees.device), degrees=degrees)
    like = block.csr.ptr
    csr = Csr(like.new_tensor([0, 1]), block.csr.source.new_tensor([1]), degrees.new_ones(1), None, None)
    return Block(2, 1, csr=csr, degrees=degrees)


class AttentionPieces:
    """The same for attention: per head the largest score, the sum of exponentials over it, and the sum of rows so weighted,
    side by side: [heads, 2 + C]."""

    def piece(self: Any, projected: Tensor, block: Block) -> Tensor:
        score, rows = self.scored(projected, block)
        top = score.amax(0)
        weight = (score - top).exp_()
        sums = (weight.unsqueeze(-1) * rows).sum(0)
        return torch.cat([top.unsqueeze(1), weight.sum(0).unsqueeze(1), sums], dim=1)

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        top = torch.maximum(one[:, :1], other[:, :1])
        weighted = sum(part[:, 1:] * (part[:, :1] - top).exp_() for part in (one, other))
        return torch.cat([top, weighted], dim=1)  # type: ignore[list-item]

    def finish(self: Any, piece: Tensor, target: Tensor, block: Block) -> Tensor:
        """With the target's loop, whose attributes are those [1, D] of ``block``: the mean over all edges."""
        pair = torch.zeros(2, 1, dtype=torch.long, device=target.device)
        loop = Block(1, 1, edge_index=pair, edge_attr=block.edge_attr)
        whole = self.join(piece, self.piece(target, loop))
        out = whole[:, 2:] / whole[:, 1:2]
        made: Tensor = (out.flatten() if self.concat else out.mean(0)) + self.bias
        return made.unsqueeze(0)
