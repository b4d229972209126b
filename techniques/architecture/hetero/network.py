"""A typed network: an encoder per node type, layers over relations, on whole graphs and on sampled batches alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from techniques.architecture.hetero.inputs import TypeInput
from techniques.architecture.hetero.use import LayerUse
from techniques.architecture.mixed import linear
from techniques.architecture.network import FUSED_EDGES_PER_CHUNK, MESSAGE_BYTES_PER_CHUNK, relu_dropout
from techniques.representation.block import Block, on_device

if TYPE_CHECKING:
    from techniques.remote.rows import RowStore
    from techniques.sampling.hetero_structure import HeteroStructure

Rows = dict[int, Tensor]
"""Rows by node type."""


@dataclass(frozen=True)
class HeteroLayer:
    """Edges of one layer: nodes read and written by type, and a block for every relation.

    The targets of a type are the first of its sources.
    """

    num_sources: tuple[int, ...]
    num_targets: tuple[int, ...]
    blocks: Mapping[int, Block]

    def to(self, device: torch.device) -> HeteroLayer:
        blocks = {place: on_device(block, device) for place, block in self.blocks.items()}
        return HeteroLayer(self.num_sources, self.num_targets, blocks)


@dataclass(frozen=True)
class HeteroBatch:
    """One training step's input.

    Shapes: ``x[t]`` [S_t, F_t] dense or sparse CSR, or ids [S_t] int64 that an embedding is looked up by; an embedded
    type without ids is there as a whole. ``y`` [B] class ids or [B, C] float; the loss is taken on rows ``loss_rows``
    [B] of the target type (its first B if ``None``), each counted ``loss_weight`` [B] times where that is given.
    """

    x: Mapping[int, Tensor]
    blocks: tuple[HeteroLayer, ...]
    y: Tensor
    loss_rows: Tensor | None = None
    loss_weight: Tensor | None = None

    def to(self, device: torch.device) -> HeteroBatch:
        """The same batch on another device; itself if it is there already."""
        if self.y.device == device:
            return self
        moved: dict[int, HeteroLayer] = {}  # layers may share one set of blocks: move it once
        for layer in self.blocks:
            moved.setdefault(id(layer), layer.to(device))
        rows, weight = (None if one is None else one.to(device) for one in (self.loss_rows, self.loss_weight))
        x = {kind: one.to(device, non_blocking=True) for kind, one in self.x.items()}
        layers = tuple(moved[id(layer)] for layer in self.blocks)
        return HeteroBatch(x, layers, self.y.to(device), rows, weight)


class HeteroConv(Protocol):
    """A typed convolution in steps, so that inference can take the first ones once per node."""

    use: LayerUse

    def project(self, x: Rows) -> Rows:
        """What every node says whatever the relation, [S_t, P]."""

    def sources(self, projected: Rows, target: int) -> dict[int, Any]:
        """What every source says along each relation into a type."""

    def combine(self, x: Tensor, projected: Tensor, said: dict[int, Any], blocks: Mapping[int, Block]) -> Tensor:
        """Rows of a run of one type's targets: their inputs [n, F], their projections, sources and edges -> [n, O]."""


class Encoder(nn.Module):
    """Rows of one node type -> [S_t, hidden]: a linear layer and ReLU, or a learned embedding."""

    def __init__(self, given: TypeInput, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(given.num_nodes, hidden) if given.embedded else None
        self.linear = None if given.embedded else nn.Linear(given.columns, hidden)
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, x: Tensor | None, dropout: float) -> Tensor:
        if self.embedding is not None:
            return self.embedding.weight if x is None else self.embedding(x)
        assert x is not None and self.linear is not None
        out = linear(x, self.linear.weight).add_(self.linear.bias)
        return relu_dropout(out, dropout) if self.training else out.relu_()

    def dense_products(self, x: Tensor | None) -> int:
        """Multiply-adds of the forward pass."""
        if self.linear is None or x is None:
            return 0
        stored = x.values().numel() if x.layout is torch.sparse_csr else x.numel()
        return int(stored) * self.linear.out_features


class HeteroNetwork(nn.Module):
    """Encoders, convolutions with ``between`` after all but the last, and a linear head where ``head`` is given.

    Args:
        encoders: one per node type that the first layer reads, by its place.
        convs: typed convolutions, input side first.
        target: the node type that is classified.
        dropout: probability of dropping a hidden value, at least 0 and below 1.
        activated: ReLU follows every convolution but the last; otherwise dropout alone.
        head: maps the target type's rows to logits.
    """

    def __init__(
        self,
        encoders: Mapping[int, Encoder],
        convs: Sequence[nn.Module],
        target: int,
        dropout: float,
        *,
        activated: bool = True,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({str(kind): one for kind, one in encoders.items()})
        self.convs = nn.ModuleList(convs)
        self.target, self.dropout, self.activated, self.head = target, dropout, activated, head

    def forward(self, x: Mapping[int, Tensor], layers: Sequence[HeteroLayer]) -> Tensor:
        """Logits [T, C] of the target type's targets of the last layer."""
        rows = {int(kind): one(x.get(int(kind)), self.dropout) for kind, one in self.encoders.items()}
        for index, (conv, layer) in enumerate(zip(self.convs, layers, strict=True)):
            rows = conv(rows, layer)
            if index < len(self.convs) - 1 or self.head is not None:
                rows = {kind: self._between(one, index) for kind, one in rows.items()}
        out = rows[self.target]
        return out if self.head is None else self.head(out)  # type: ignore[no-any-return]

    def _between(self, rows: Tensor, index: int) -> Tensor:
        if self.activated:
            return relu_dropout(rows, self.dropout) if self.training else rows.relu_()
        return F.dropout(rows, self.dropout, self.training)

    def logits(self, batch: HeteroBatch) -> Tensor:
        """What the loss is taken on, [B, C]."""
        out: Tensor = self(batch.x, batch.blocks)
        return out[: batch.y.size(0)] if batch.loss_rows is None else out[batch.loss_rows]

    @torch.no_grad()
    def inference(
        self, features: Sequence[RowStore | None], structure: HeteroStructure, device: torch.device
    ) -> Tensor:
        """What ``forward`` says of every node of the target type, [N_t, C], exact: each layer is finished for all nodes
        before the next begins, target type by target type, in chunks of edges."""
        was_training = self.training
        self.eval()
        rows: Rows = {}
        for kind, encoder in self.encoders.items():
            given = features[int(kind)]
            rows[int(kind)] = encoder(None if given is None else given.whole().to(device), 0.0)
        for index, conv in enumerate(self.convs):
            rows = infer_layer(conv, rows, structure, device)  # type: ignore[arg-type]
            if self.activated and (index < len(self.convs) - 1 or self.head is not None):
                rows = {kind: one.relu_() for kind, one in rows.items()}
        self.train(was_training)
        out = rows[self.target]
        return out if self.head is None else self.head(out)  # type: ignore[no-any-return]


def infer_layer(conv: HeteroConv, x: Rows, structure: HeteroStructure, device: torch.device) -> Rows:
    """One layer for all nodes of the types that it writes."""
    projected = conv.project(x)
    found: Rows = {}
    for target in conv.use.outputs:
        places = conv.use.into(structure.relations, target)
        said = conv.sources(projected, target)
        out: Tensor | None = None
        for start, stop, blocks in target_chunks(structure, places, target, x[target].size(1), device):
            part = slice(start, stop)
            rows = conv.combine(x[target][part], projected[target][part], said, blocks)
            if start == 0 and stop == structure.num_nodes[target]:
                out = rows
                break
            if out is None:
                out = rows.new_empty(structure.num_nodes[target], rows.size(1))
            out[part] = rows
        assert out is not None, "a type that is written has nodes"
        found[target] = out
    return found


def target_chunks(
    structure: HeteroStructure, places: Sequence[int], target: int, columns: int, device: torch.device
) -> Any:
    """Consecutive targets whose in-edges, over all relations, stay within the memory of one chunk."""
    edges = FUSED_EDGES_PER_CHUNK if structure.fused else MESSAGE_BYTES_PER_CHUNK // (4 * columns)
    start, stop = 0, structure.num_nodes[target]
    while start < stop:
        end = structure.chunk_end(places, start, stop, edges)
        yield start, end, {place: on_device(structure.rows(place, start, end), device) for place in places}
        start = end
