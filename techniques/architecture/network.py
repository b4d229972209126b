"""The built-in network: a stack of PyG convolutions that runs on whole graphs and on sampled blocks alike."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from techniques.representation.block import Block, on_device, scatter_sum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from techniques.architecture.layerwise import LayerWise, Rows
    from techniques.sampling.structure import Structure

MESSAGE_BYTES_PER_CHUNK = 64 * 2**20
"""What layer-wise inference may hold of messages at once where neighbours are gathered edge by edge."""
FUSED_EDGES_PER_CHUNK = 4_000_000
"""Edges whose values it holds at once where neighbours are summed by a fused product."""

HALF_ROWS_PER_CHUNK = 65_536
"""Rows of float16 features that inference holds as float32 at once."""


@dataclass(frozen=True)
class Batch:
    """One training step's input.

    Shapes: ``x`` [S, F] dense, or sparse CSR, or [S] node ids where features are learned; ``blocks`` one per layer, input side first; ``y`` [B] class ids,
    [B, C] float for multi-label, or [B] float for links; the loss is taken on rows ``loss_rows`` [B] of the output
    (all rows if ``None``), each counted ``loss_weight`` [B] times where that is given.
    ``ego`` [T] is the ego graph that each row of the output belongs to (ShaDow); ``pairs`` [2, B] are the rows of the
    output whose link is predicted. ``graph_ptr`` [B + 1] says where the rows of each graph begin (sets of graphs).
    """

    x: Tensor
    blocks: tuple[Block, ...]
    y: Tensor
    loss_rows: Tensor | None = None
    loss_weight: Tensor | None = None
    ego: Tensor | None = None
    pairs: Tensor | None = None
    graph_ptr: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device; itself if it is there already."""
        if self.x.device == device:
            return self
        moved: dict[int, Block] = {}  # layers may share one block: move it once
        for block in self.blocks:
            moved.setdefault(id(block), on_device(block, device))
        others = {name: getattr(self, name) for name in ("loss_rows", "loss_weight", "ego", "pairs", "graph_ptr")}
        return Batch(
            x=self.x.to(device, non_blocking=True),
            blocks=tuple(moved[id(block)] for block in self.blocks),
            y=self.y.to(device, non_blocking=True),
            **{name: part if part is None else part.to(device, non_blocking=True) for name, part in others.items()},
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
            x.mul_(torch.empty_like(x).bernoulli_(1.0 / scale)).mul_(scale)
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


def _twice(conv: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of a checkpointed layer's two passes: the second must not count the batch again."""
    return nullcontext(), _statistics_kept(conv)


@contextmanager
def _statistics_kept(conv: nn.Module) -> Iterator[None]:
    """Batch normalisation inside ``conv`` leaves its running mean and variance alone."""
    norms = [one for one in conv.modules() if isinstance(one, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # without any statistics other tensors would be kept than in the first pass
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


class Network(nn.Module):
    """Convolutions with ReLU and dropout between them.

    Args:
        convs: at least one convolution; the last one's width is the number of classes, of the embedding where links are
            predicted, or ``hidden`` where ``readout`` follows.
        dropout: probability of dropping a hidden value, at least 0 and below 1.
        readout: maps [B, 2 hidden] to [B, C]: the root of an ego graph beside the mean of its nodes (ShaDow); or a
            ``GraphReadout``.
        norms: one for every convolution, between it and its ReLU; ``None`` for none.
        bf16: in training, dense products and what is between layers are bfloat16 (``torch.autocast``).
        checkpoint_layers: in training, what a convolution keeps for its backward pass is computed again there.
        embedding: a row per node of the graph, [N, F], where inputs are ids [S] instead of features [S, F].
    """

    def __init__(
        self,
        convs: Sequence[nn.Module],
        dropout: float,
        readout: nn.Module | None = None,
        embedding: nn.Embedding | None = None,
        *,
        bf16: bool = False,
        checkpoint_layers: bool = False,
        norms: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.dropout = dropout
        self.norms = None if norms is None else nn.ModuleList(norms)
        self.readout = readout
        self.embedding = embedding
        self.bf16, self.checkpoint_layers = bf16, checkpoint_layers

    def forward(self, x: Tensor, blocks: Sequence[Block]) -> Tensor:
        """What the last convolution says of the last block's targets: logits [T, C] or embeddings [T, hidden]."""
        last = len(self.convs) - (1 if self.readout is None else 0)
        if self.embedding is not None:
            x = self.embedding(x)
        half = self.bf16 and self.training
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            for index, (conv, block) in enumerate(zip(self.convs, blocks, strict=True)):
                x = self._convolved(conv, x, block)
                x = x if self.norms is None else self.norms[index](x.float())
                if index < last:
                    x = x.bfloat16() if half else x
                    x = relu_dropout(x, self.dropout) if self.training else x.relu_()
        return x.float() if half else x

    def _convolved(self, conv: nn.Module, x: Tensor, block: Block) -> Tensor:
        """Dropout stays outside what is computed again: its result is the next layer's input, kept in any case."""
        if not (self.checkpoint_layers and self.training):
            return conv(x, block)  # type: ignore[no-any-return]
        return checkpoint(  # type: ignore[no-any-return]
            conv, x, block, use_reentrant=False, preserve_rng_state=False, context_fn=partial(_twice, conv)
        )

    def logits(self, batch: Batch) -> Tensor:
        """What the loss is taken on: [B, C] for nodes, [B] for links (dot product of the two ends)."""
        out: Tensor = self(batch.x, batch.blocks)
        if batch.pairs is not None:
            return (out[batch.pairs[0]] * out[batch.pairs[1]]).sum(1)
        if batch.graph_ptr is not None:
            assert self.readout is not None, "graphs need a readout"
            return self.readout(out, batch.graph_ptr)  # type: ignore[no-any-return]
        if self.readout is not None:
            assert batch.ego is not None and batch.loss_rows is not None, "a readout needs ego graphs"
            roots = batch.loss_rows
            sizes = torch.bincount(batch.ego, minlength=roots.numel()).unsqueeze(1)
            mean = scatter_sum(out, batch.ego, roots.numel()) / sizes
            return self.readout(torch.cat([out[roots], mean], dim=1))  # type: ignore[no-any-return]
        return out if batch.loss_rows is None else out[batch.loss_rows]

    def walk_back(self, loss: Tensor) -> None:
        """Gradients of ``loss``, added to those that are there."""
        loss.backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def inference(self, x: Tensor, structure: Structure, device: torch.device) -> Tensor:
        """What ``forward`` says of every node, [N, C], exact: each layer is finished for all nodes before the next begins.

        Needs memory for two layers' outputs and one chunk of edges, whatever the depth (layer-wise inference as in
        PyG's ``BasicGNN.inference``). ``x`` [N, F] dense or sparse CSR stays where it is; chunks move to ``device``.
        """
        assert self.readout is None, "ego graphs are evaluated one by one"
        was_training = self.training
        self.eval()
        last = len(self.convs) - 1
        if self.embedding is not None:
            x = self.embedding.weight
        for index, conv in enumerate(self.convs):
            x = self._infer_layer(conv, x, structure, device)
            if index < last:
                x = x.relu_()
        self.train(was_training)
        return x

    def over_chunks(self, walk: LayerWise, rows: Rows) -> Tensor:
        """The same in the memory of a few chunks, where ``rows(ids)`` are the features (or learned rows)."""
        from techniques.architecture.layerwise import rows_of

        out: Tensor | None = None
        for index, conv in enumerate(self.convs):
            out = walk.layer(conv, rows, active=index < len(self.convs) - 1)
            rows = rows_of(out)
        assert out is not None, "a network has at least one layer"
        return out

    def _infer_layer(self, conv: nn.Module, x: Tensor, structure: Structure, device: torch.device) -> Tensor:
        projected = _transformed(conv, x, device)
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


def _transformed(conv: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """The half that needs no neighbours; float16 rows become float32 chunk by chunk."""
    if x.dtype != torch.float16:
        return conv.transform(x.to(device))  # type: ignore[no-any-return,operator]
    out: Tensor | None = None
    for start in range(0, x.size(0), HALF_ROWS_PER_CHUNK):
        rows = conv.transform(x[start : start + HALF_ROWS_PER_CHUNK].to(device).float())  # type: ignore[operator]
        if out is None:
            out = rows.new_empty(x.size(0), rows.size(1))
        out[start : start + rows.size(0)] = rows
    assert out is not None, "a graph has at least one node"
    return out


def target_chunks(structure: Structure, columns: int, device: torch.device) -> Iterator[tuple[int, Block]]:
    """Consecutive target nodes whose in-edges stay within the memory of one chunk, as blocks over all sources."""
    edges = FUSED_EDGES_PER_CHUNK if structure.fused else MESSAGE_BYTES_PER_CHUNK // (4 * columns)
    start = 0
    while start < structure.num_nodes:
        stop = structure.chunk_end(start, edges) if structure.matrix is None else _rows_end(structure, start, device)
        yield start, on_device(structure.rows(start, stop), device)
        start = stop


def _rows_end(structure: Structure, start: int, device: torch.device) -> int:
    """The end of a chunk of a dense matrix: rows on the host are views, all at once; others are copied."""
    rows = structure.num_nodes if device.type == "cpu" else MESSAGE_BYTES_PER_CHUNK // (4 * structure.num_nodes)
    return min(start + max(rows, 1), structure.num_nodes)
