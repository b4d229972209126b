"""One layer's edges as chosen: COO ``edge_index``, CSR for the fused product, or a dense matrix for the plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from techniques.architecture.chunks import columns_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator


class Csr(NamedTuple):
    """Rows are targets. int32 halves the memory, and MKL's sparse product needs no conversion.

    Shapes: ``ptr`` [T + 1], ``source`` [m], ``values`` [m] float32; ``transposed_ptr`` [S + 1] and
    ``transposed_target`` [m] the same edges by source, for the backward pass (``None`` where only inference is meant);
    ``transposed_values`` [m] their values in that order, ``None`` where all values are alike.
    """

    ptr: Tensor
    source: Tensor
    values: Tensor
    transposed_ptr: Tensor | None
    transposed_target: Tensor | None
    transposed_values: Tensor | None = None


class Dense(NamedTuple):
    """Every pair of nodes. Shapes: ``values`` [T, S] float32, row-major, 0 where no edge is; ``degrees`` [T] float32 edges
    per target."""

    values: Tensor
    degrees: Tensor


class Block(NamedTuple):
    """Edges from ``num_sources`` nodes to the first ``num_targets`` of them.

    Exactly one of ``edge_index`` [2, m] (row 0 source, row 1 target, int64), ``csr`` and ``dense`` is given. A weight per
    edge stands in ``weight`` [m] beside ``edge_index``, in ``csr.values`` or ``dense.values`` otherwise. ``degrees`` [S]
    float32 are given where sums stand for those over the whole graph and so must be divided by the degrees there, and
    where edges have weights of their own: a degree is then the sum of its edges' weights. ``edge_attr`` [m, D] stands
    beside ``edge_index``.
    """

    num_sources: int
    num_targets: int
    edge_index: Tensor | None = None
    csr: Csr | None = None
    weight: Tensor | None = None
    degrees: Tensor | None = None
    edge_attr: Tensor | None = None
    dense: Dense | None = None

    @property
    def num_entries(self) -> int:
        """What a sum over neighbours multiplies: edges, or all pairs of a dense matrix."""
        return self.num_edges if self.dense is None else self.dense.values.numel()

    @property
    def num_edges(self) -> int:
        if self.dense is not None:
            return int(self.dense.degrees.sum())
        if self.csr is not None:
            return self.csr.source.numel()
        assert self.edge_index is not None
        return self.edge_index.size(1)

    def in_degrees(self) -> Tensor:
        """Edges per target, [T] float32."""
        if self.degrees is not None:
            return self.degrees[: self.num_targets].clone()
        if self.dense is not None:
            return self.dense.degrees.clone()
        if self.csr is not None:
            return self.csr.ptr.diff().to(torch.float32)
        assert self.edge_index is not None
        ones = torch.ones(self.edge_index.size(1), device=self.edge_index.device)
        return torch.zeros(self.num_targets, device=ones.device).scatter_add_(0, self.edge_index[1], ones)


def on_device(block: Block, device: torch.device) -> Block:
    """The block with its tensors on ``device``."""
    parts = {name: getattr(block, name) for name in ("edge_index", "weight", "degrees", "edge_attr")}
    moved = {name: part.to(device, non_blocking=True) for name, part in parts.items() if part is not None}
    if block.csr is not None:
        moved["csr"] = Csr(*(None if part is None else part.to(device, non_blocking=True) for part in block.csr))  # type: ignore[arg-type]
    if block.dense is not None:
        moved["dense"] = Dense(*(part.to(device, non_blocking=True) for part in block.dense))  # type: ignore[arg-type]
    return block._replace(**moved)


def neighbor_sum(block: Block, h: Tensor) -> Tensor:
    """Weighted sum of the sources' rows for every target: [S, F] -> [T, F], differentiable in ``h``.

    bfloat16 is summed in float32: it would lose the small terms of large sums, and sparse products lack it.
    """
    if h.dtype is torch.bfloat16:
        h = h.float()
    if block.edge_index is None:
        return _FusedSum.apply(h, block)  # type: ignore[no-any-return,no-untyped-call]
    assert block.edge_index is not None
    source, target = block.edge_index
    messages = h.index_select(0, source)
    if block.weight is not None:
        messages = messages * block.weight.unsqueeze(1)
    return scatter_sum(messages, target, block.num_targets)


def scatter_sum(messages: Tensor, target: Tensor, num_targets: int) -> Tensor:
    """Sum of the messages of every target: [m, F] -> [T, F].

    ``scatter_add`` as in PyG: its backward pass holds one row per edge, that of ``index_add`` two (measured).
    """
    index = target.unsqueeze(1).expand(-1, messages.size(1))
    return messages.new_zeros(num_targets, messages.size(1)).scatter_add_(0, index, messages)


def neighbor_mean(block: Block, h: Tensor) -> Tensor:
    """Sum over degree for every target, 0 for targets without sources: [S, F] -> [T, F]."""
    return neighbor_sum(block, h) / block.in_degrees().clamp_(min=1.0).unsqueeze(1)


def neighbor_max(block: Block, h: Tensor) -> Tensor:
    """Largest of the sources' rows for every target, column by column, 0 for targets without sources: [S, F] -> [T, F].

    Weights are left out: a row is the largest or it is not.
    """
    assert block.edge_index is not None, "max needs one message per edge: use the COO representation"
    return _Max.apply(h, block.edge_index, block.num_targets)  # type: ignore[no-any-return,no-untyped-call]


def gcn_sum(block: Block, h: Tensor, inverse_root: Tensor, first_target: int = 0) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 h, targets only: [S, F] -> [T, F] (Kipf and Welling 2017, equation 2).

    ``inverse_root`` [S] is the degree including the self-loop, to the power -1/2.
    """
    if block.edge_index is None:
        return _FusedGcn.apply(h, block, inverse_root, first_target)  # type: ignore[no-any-return,no-untyped-call]
    assert block.edge_index is not None
    targets = slice(first_target, first_target + block.num_targets)
    scaled = h * inverse_root.unsqueeze(1)
    out = neighbor_sum(block, scaled) + scaled[targets]
    return out * inverse_root[targets].unsqueeze(1)


def _product(ptr: Tensor, index: Tensor, values: Tensor, num_columns: int, h: Tensor) -> Tensor:
    """Written straight into the result: ``matrix @ h`` makes a second one of zeros first (twice the memory)."""
    shape = (ptr.numel() - 1, num_columns)
    matrix = torch.sparse_csr_tensor(ptr, index, values, size=shape, check_invariants=False)
    out = h.new_empty(shape[0], h.size(1))
    return torch.addmm(out, matrix, h, beta=0, out=out)


def _sums(block: Block, h: Tensor) -> Tensor:
    """A h for either matrix."""
    if block.dense is not None:
        return block.dense.values @ h
    assert block.csr is not None
    return _product(block.csr.ptr, block.csr.source, block.csr.values, block.num_sources, h)


def max_columns(edges: int, columns: int) -> Iterator[slice]:
    """Runs of columns whose rows of all edges are gathered at once."""
    width = columns_at_once(edges, columns)
    for first in range(0, columns, width):
        yield slice(first, min(first + width, columns))


class _Max(torch.autograd.Function):
    """Keeps no row per edge: the backward pass gathers them again to find those that equal the largest.

    Sources that tie share the gradient, as in torch's ``scatter_reduce``, which keeps all rows.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, h: Tensor, edge_index: Tensor, num_targets: int) -> Tensor:
        largest = h.new_empty(0)
        for columns in max_columns(edge_index.size(1), h.size(1)):
            messages = h[:, columns].index_select(0, edge_index[0])
            index = edge_index[1].unsqueeze(1).expand_as(messages)
            # A matrix of its own: into columns of a wider one it takes four times as long.
            part = h.new_zeros(num_targets, messages.size(1))
            part.scatter_reduce_(0, index, messages, "amax", include_self=False)
            if part.size(1) == h.size(1):
                largest = part
                break
            largest = largest if largest.numel() else h.new_empty(num_targets, h.size(1))
            largest[:, columns] = part
        ctx.save_for_backward(h, largest, edge_index)
        return largest

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        h, largest, edge_index = ctx.saved_tensors  # type: ignore[attr-defined]
        source, target = edge_index
        out = h.new_empty(0)
        for columns in max_columns(source.numel(), h.size(1)):
            share = h[:, columns].index_select(0, source)
            share = share.eq_(largest[:, columns].index_select(0, target)).float()  # counted and summed in float32
            ties = scatter_sum(share, target, largest.size(0))
            share.mul_((grad[:, columns] / ties.clamp_(min=1.0)).index_select(0, target))
            summed = scatter_sum(share, source, h.size(0))
            if summed.size(1) == h.size(1):
                return summed.to(h.dtype), None, None
            out = out if out.numel() else torch.empty_like(h)
            out[:, columns] = summed
        return out, None, None


class _FusedSum(torch.autograd.Function):
    """A h without one message per edge in memory; the backward pass multiplies by the transposed copy."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, h: Tensor, block: Block) -> Tensor:
        ctx.block = block  # type: ignore[attr-defined]
        return _sums(block, h)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        block: Block = ctx.block  # type: ignore[attr-defined]
        return _transposed_product(block, grad), None


class _FusedGcn(torch.autograd.Function):
    """The normalised product of GCN in one step: scaling rows before and after replaces a weight per edge."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, h: Tensor, block: Block, inverse_root: Tensor, first_target: int
    ) -> Tensor:
        ctx.block, ctx.inverse_root, ctx.first = block, inverse_root, first_target  # type: ignore[attr-defined]
        targets = slice(first_target, first_target + block.num_targets)
        scaled = h * inverse_root.unsqueeze(1)
        out = _sums(block, scaled)
        return out.add_(scaled[targets]).mul_(inverse_root[targets].unsqueeze(1))

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx,
        grad: Tensor,  # type: ignore[override]
    ) -> tuple[Tensor, None, None, None]:
        block: Block = ctx.block  # type: ignore[attr-defined]
        inverse_root, first = ctx.inverse_root, ctx.first  # type: ignore[attr-defined]
        targets = slice(first, first + block.num_targets)
        scaled = grad * inverse_root[targets].unsqueeze(1)
        out = _transposed_product(block, scaled)
        out[targets] += scaled
        return out.mul_(inverse_root.unsqueeze(1)), None, None, None


def _transposed_product(block: Block, grad: Tensor) -> Tensor:
    if block.dense is not None:
        return block.dense.values.t() @ grad
    csr = block.csr
    assert csr is not None and csr.transposed_ptr is not None and csr.transposed_target is not None, (
        "a block without its transposed copy is for inference only"
    )
    values = csr.values if csr.transposed_values is None else csr.transposed_values
    return _product(csr.transposed_ptr, csr.transposed_target, values, block.num_targets, grad.contiguous())
