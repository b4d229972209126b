"""PyG's convolutions, taught two things: blocks (fused product or ``edge_index``) and wide or sparse inputs.

The parameters keep PyG's names and shapes, so a trained state loads into the plain PyG layer. Where the input is wide
or sparse, the product with the weight comes before the aggregation: both are linear, so the result is the same, and
aggregating ``F_out`` columns is cheaper than ``F_in``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import BatchNorm, GATConv, GCNConv, GINConv, SAGEConv
from torch_geometric.nn.dense import Linear
from torch_geometric.nn.inits import glorot
from torch_geometric.utils import softmax

from techniques.architecture.mixed import linear, narrowed, side_by_side, weighted_rows
from techniques.architecture.pieces import AttentionPieces, Pieces
from techniques.representation.block import Block, gcn_sum, neighbor_max, neighbor_mean, neighbor_sum, scatter_sum


class GCN(Pieces, GCNConv):  # type: ignore[misc]
    """Graph convolution of Kipf and Welling (ICLR 2017) over a block.

    Degrees are those inside the block, as in PyG: a sum over some neighbours divided by the degrees of all is too small. On the
    whole graph it is judged by true degrees (``tests/benchmarks/gcn_degrees.py`` compares).
    """

    def forward(self, x: Tensor, block: Block) -> Tensor:
        return self.combine(self.transform(x), block, 0)

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weights that every source row, and every target row, is multiplied with."""
        return self.lin.weight.numel(), 0

    def transform(self, x: Tensor) -> Tensor:
        return linear(x, self.lin.weight)

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        roots = inverse_roots(block) if self._roots is None else self._roots
        out: Tensor = gcn_sum(block, projected, roots, first_target) + self.bias
        return out

    def piece(self, projected: Tensor, block: Block) -> Tensor:
        """Weighted by the sources' share of the normalisation."""
        return neighbor_sum(block, projected * inverse_roots(block).unsqueeze(1))

    _roots: Tensor | None = None

    def use_degrees(self, degrees: Tensor | None) -> None:
        """Normalise by these in-degrees [N] instead of the block's; ``None`` goes back to the block's."""
        self._roots = None if degrees is None else (degrees + 1.0).rsqrt()


def inverse_roots(block: Block) -> Tensor:
    """(degree + 1)^-1/2 of every source; a source that is no target has no edge of its own in the block."""
    if block.degrees is not None:
        return (block.degrees + 1.0).rsqrt_()
    degrees = F.pad(block.in_degrees(), (0, block.num_sources - block.num_targets))
    return degrees.add_(1.0).rsqrt_()


class SAGE(Pieces, SAGEConv):  # type: ignore[misc]
    """GraphSAGE with mean or max aggregation (Hamilton et al., NeurIPS 2017) over a block; max needs COO and dense rows."""

    def __init__(self, in_channels: int, out_channels: int, transform_first: bool, aggregator: str = "mean") -> None:
        super().__init__(in_channels, out_channels, aggr=aggregator)
        self._aggregate = neighbor_max if aggregator == "max" else neighbor_mean
        self.transform_first = transform_first

    def forward(self, x: Tensor, block: Block) -> Tensor:
        return self.combine(self.transform(x), block, 0)

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weights that every source row, and every target row, is multiplied with."""
        both = 2 * self.lin_l.weight.numel()
        return (both, 0) if self.transform_first else (0, both)

    def transform(self, x: Tensor) -> Tensor:
        if not self.transform_first:
            return x
        return side_by_side(x, self.lin_l.weight, self.lin_r.weight)

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        targets = slice(first_target, first_target + block.num_targets)
        if not self.transform_first:
            out: Tensor = self.lin_l(self._aggregate(block, projected))
            return out.add_(self.lin_r(projected[targets]))
        neighbors, root = torch.split(projected, self.out_channels, dim=1)
        out = neighbor_mean(block, neighbors).add_(root[targets])
        return out.add_(self.lin_l.bias)

    def piece(self, projected: Tensor, block: Block) -> Tensor:
        """Their sum or largest; the mean divides by all edges in the end."""
        reduce = neighbor_max if self._aggregate is neighbor_max else neighbor_sum
        return reduce(block, projected)

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.maximum(one, other) if self._aggregate is neighbor_max else one + other


class GIN(Pieces, GINConv):  # type: ignore[misc]
    """Graph isomorphism network (Xu et al., ICLR 2019) with a two-layer MLP over a block."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int, transform_first: bool) -> None:
        layers = (nn.Linear(in_channels, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, out_channels))
        super().__init__(nn.Sequential(*layers))
        self.transform_first = transform_first

    def normalise(self, norm: nn.Module) -> None:
        """Put ``norm`` between the hidden layer and its ReLU, for float32 values as between layers."""
        self.nn.insert(1, norm)

    def forward(self, x: Tensor, block: Block) -> Tensor:
        return self.combine(self.transform(x), block, 0)

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weights that every source row, and every target row, is multiplied with."""
        first, second = self.nn[0].weight.numel(), self.nn[-1].weight.numel()
        return (first, second) if self.transform_first else (0, first + second)

    def transform(self, x: Tensor) -> Tensor:
        return linear(x, self.nn[0].weight) if self.transform_first else x

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        targets = slice(first_target, first_target + block.num_targets)
        summed = neighbor_sum(block, projected) + (1.0 + self.eps) * projected[targets]
        hidden = narrowed(summed + self.nn[0].bias) if self.transform_first else self.nn[0](summed)
        if isinstance(self.nn[1], BatchNorm):
            hidden = narrowed(self.nn[1](hidden.float()))
        return self.nn[-1](hidden.relu_())  # type: ignore[no-any-return]


class GAT(AttentionPieces, GATConv):  # type: ignore[misc]
    """Graph attention (Velickovic et al., ICLR 2018) over a COO block; every target also attends to itself."""

    def __init__(self, in_channels: int, out_channels: int, heads: int, concat: bool) -> None:
        super().__init__(in_channels, out_channels, heads=heads, concat=concat)

    def read_edges(self, columns: int) -> None:
        """Let attention see attributes [m, columns] of the edges: PyG's ``edge_dim``, with its names and order."""
        self.edge_dim = columns
        self.lin_edge = Linear(columns, self.heads * self.out_channels, bias=False, weight_initializer="glorot")
        self.att_edge = nn.Parameter(torch.empty(1, self.heads, self.out_channels))
        glorot(self.att_edge)

    def forward(self, x: Tensor, block: Block) -> Tensor:
        return self.combine(self.transform(x), block, 0)

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weights that every source row, and every target row, is multiplied with."""
        return self.lin.weight.numel(), 0

    def transform(self, x: Tensor) -> Tensor:
        return linear(x, self.lin.weight)

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        assert block.edge_index is not None, "GAT needs one message per edge: use the COO representation"
        h = projected.view(-1, self.heads, self.out_channels)
        source, target = with_self_loops(block, first_target)
        score_source, score_target = (h * self.att_src).sum(-1), (h * self.att_dst).sum(-1)
        last = first_target + block.num_targets
        score = score_source.index_select(0, source) + score_target[first_target:last].index_select(0, target)
        if self.edge_dim is not None:
            score += self._edge_score(block)
        alpha = softmax(F.leaky_relu(score, self.negative_slope), target, num_nodes=block.num_targets)
        messages = weighted_rows(h, source, alpha)
        out = scatter_sum(messages.flatten(1), target, block.num_targets)
        if not self.concat:
            out = out.view(-1, self.heads, self.out_channels).mean(1)
        biased: Tensor = out + self.bias
        return biased

    def scored(self, projected: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        """Scores [m, H] and rows [m, H, C] of the edges of a block with one target, its loop not among them."""
        assert block.edge_index is not None
        h = projected.view(-1, self.heads, self.out_channels)
        score = (h * self.att_src).sum(-1).index_select(0, block.edge_index[0]) + (h[:1] * self.att_dst).sum(-1)
        if block.edge_attr is not None:
            score += self._attribute_score(block.edge_attr)
        return F.leaky_relu(score, self.negative_slope), h.index_select(0, block.edge_index[0])

    def _edge_score(self, block: Block) -> Tensor:
        """What edges add to the scores, [m + T, H]; a loop has the mean of its target's attributes, 0 without edges.

        They are linear in the attributes: the mean is taken of scores.
        """
        assert block.edge_attr is not None and block.edge_index is not None, "this GAT reads edge attributes"
        score = self._attribute_score(block.edge_attr)
        target = block.edge_index[1]
        counts = torch.bincount(target, minlength=block.num_targets).clamp_(min=1)
        loops = scatter_sum(score, target, block.num_targets) / counts.unsqueeze(1)
        return torch.cat([score, loops])

    def _attribute_score(self, attributes: Tensor) -> Tensor:
        """``(lin_edge(e) * att_edge).sum(-1)`` of attributes [m, D], [m, H]: one product with [D, H] replaces rows of H x C
        per edge."""
        weight = self.lin_edge.weight.view(self.heads, self.out_channels, -1)
        return F.linear(attributes, (weight * self.att_edge.view(self.heads, self.out_channels, 1)).sum(1))


def with_self_loops(block: Block, first_target: int) -> Tensor:
    """Edges of the block and one loop per target; loops stored in the graph were dropped when it was sorted."""
    assert block.edge_index is not None
    targets = torch.arange(block.num_targets, device=block.edge_index.device)
    return torch.cat([block.edge_index, torch.stack([targets + first_target, targets])], dim=1)


def set_true_degrees(network: nn.Module, degrees: Tensor | None) -> None:
    """Tell every GCN layer the graph's own degrees [N] (for inference), or to use the block's again (``None``)."""
    layers: list[Any] = [module for module in network.modules() if isinstance(module, GCN)]
    for layer in layers:
        layer.use_degrees(degrees)
