"""The built-in network: a stack of PyG convolutions that runs on whole graphs and on sampled blocks alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from techniques.representation.block import Block, on_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from techniques.sampling.structure import Structure

MESSAGE_BYTES_PER_CHUNK = 64 * 2**20
"""What layer-wise inference may hold of messages at once where neighbours are gathered edge by edge."""
FUSED_EDGES_PER_CHUNK = 4_000_000
"""Edges whose values it holds at once where neighbours are summed by a fused product."""


@dataclass(frozen=True)
class Batch:
    """One training step's input.

    Shapes: ``x`` [S, F] dense, or sparse CSR; ``blocks`` one per layer, input side first; ``y`` [B] class ids or
    [B, C] float for multi-label; the loss is taken on rows ``loss_rows`` [B] of the output (all rows if ``None``).
    """

    x: Tensor
    blocks: tuple[Block, ...]
    y: Tensor
    loss_rows: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device; itself if it is there already."""
        if self.x.device == device:
            return self
        return Batch(
            x=self.x.to(device, non_blocking=True),
            blocks=tuple(on_device(block, device) for block in self.blocks),
            y=self.y.to(device, non_blocking=True),
            loss_rows=None if self.loss_rows is None else self.loss_rows.to(device, non_blocking=True),
        )


class Conv(Protocol):
    """A convolution in two halves, so that inference can compute the first half once per node.

    ``forward(x, block)`` must equal ``combine(transform(x), block, 0)``.
    """

    def __call__(self, x: Tensor, block: Block) -> Tensor:
        """[S, F_in] -> [T, F_out]; the targets are the first T sources."""

    def transform(self, x: Tensor) -> Tensor:
        """The half that needs no neighbours: [n, F_in] -> [n, P]."""

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        """The half that does: targets are sources ``first_target``, ``first_target + 1``, ...; -> [T, F_out]."""


class _ReluDropout(torch.autograd.Function):
    """In place; keeps the result only, which is the next layer's input and so is kept anyway.

    The result is above 0 exactly where the value passed both ReLU and dropout. ``F.dropout(x.relu_())`` keeps three
    times as much: ReLU's result, the noise and dropout's result.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, scale: float) -> Tensor:
        x.relu_()
        if scale != 1.0:
            x.mul_(torch.empty_like(x).bernoulli_(1.0 / scale).mul_(scale))
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        ctx.scale = scale  # type: ignore[attr-defined]
        return x

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (out,) = ctx.saved_tensors  # type: ignore[attr-defined]
        passed = torch.ops.aten.threshold_backward(grad, out, 0)
        return passed.mul_(ctx.scale), None  # type: ignore[attr-defined]


def relu_dropout(x: Tensor, p: float) -> Tensor:
    """``F.dropout(x.relu_(), p)`` of a training step, ``0 <= p < 1``: the same numbers, less memory; changes ``x``."""
    return _ReluDropout.apply(x, 1.0 / (1.0 - p))  # type: ignore[no-any-return,no-untyped-call]


class Network(nn.Module):
    """Convolutions with ReLU and dropout between them.

    Args:
        convs: at least one convolution; the last one's width is the number of classes.
        dropout: probability of dropping a hidden value, at least 0 and below 1.
    """

    def __init__(self, convs: Sequence[nn.Module], dropout: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.dropout = dropout

    def forward(self, x: Tensor, blocks: Sequence[Block]) -> Tensor:
        """Logits of the last block's targets, [T, C]."""
        last = len(self.convs) - 1
        for index, (conv, block) in enumerate(zip(self.convs, blocks, strict=True)):
            x = conv(x, block)
            if index < last:
                x = relu_dropout(x, self.dropout) if self.training else x.relu_()
        return x

    @torch.no_grad()
    def inference(self, x: Tensor, structure: Structure, device: torch.device) -> Tensor:
        """Logits of every node, [N, C], exact: each layer is finished for all nodes before the next begins.

        Needs memory for two layers' outputs and one chunk of edges, whatever the depth (layer-wise inference as in
        PyG's ``BasicGNN.inference``). ``x`` [N, F] dense or sparse CSR stays where it is; chunks move to ``device``.
        """
        was_training = self.training
        self.eval()
        last = len(self.convs) - 1
        for index, conv in enumerate(self.convs):
            x = self._infer_layer(conv, x, structure, device)
            if index < last:
                x = x.relu_()
        self.train(was_training)
        return x

    def _infer_layer(self, conv: nn.Module, x: Tensor, structure: Structure, device: torch.device) -> Tensor:
        projected = conv.transform(x.to(device))  # type: ignore[operator]
        out: Tensor | None = None
        for start, block in target_chunks(structure, projected.size(1), device):
            rows = conv.combine(projected, block, start)  # type: ignore[operator]
            if out is None:
                if block.num_targets == structure.num_nodes:
                    return rows  # type: ignore[no-any-return]
                out = rows.new_empty(structure.num_nodes, rows.size(1))
            out[start : start + rows.size(0)] = rows
        assert out is not None, "a graph has at least one node"
        return out


def target_chunks(structure: Structure, columns: int, device: torch.device) -> Iterator[tuple[int, Block]]:
    """Consecutive target nodes whose in-edges stay within the memory of one chunk, as blocks over all sources."""
    edges = FUSED_EDGES_PER_CHUNK if structure.fused else MESSAGE_BYTES_PER_CHUNK // (4 * columns)
    start = 0
    while start < structure.num_nodes:
        stop = structure.chunk_end(start, edges)
        yield start, on_device(structure.rows(start, stop), device)
        start = stop
