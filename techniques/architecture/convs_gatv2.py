"""PyG's GATv2 convolution over blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import GATv2Conv
from torch_geometric.nn.dense import Linear
from torch_geometric.utils import softmax

from techniques.architecture.convs import with_self_loops
from techniques.architecture.mixed import side_by_side
from techniques.architecture.pieces import AttentionPieces
from techniques.representation.block import Block, scatter_sum


class GATv2(AttentionPieces, GATv2Conv):  # type: ignore[misc]
    """Dynamic graph attention (Brody et al., ICLR 2022) over a COO block; every target also attends to itself."""

    def __init__(self, in_channels: int, out_channels: int, heads: int, concat: bool) -> None:
        super().__init__(in_channels, out_channels, heads=heads, concat=concat)

    def read_edges(self, columns: int) -> None:
        """Let attention see attributes [m, columns] of the edges: PyG's ``edge_dim``, with its names and order."""
        self.edge_dim = columns
        self.lin_edge = Linear(columns, self.heads * self.out_channels, bias=False, weight_initializer="glorot")

    def forward(self, x: Tensor, block: Block) -> Tensor:
        return self.combine(self.transform(x), block, 0)

    def dense_products(self) -> tuple[int, int]:
        """Elements of the weights that every source row, and every target row, is multiplied with."""
        return 2 * self.lin_l.weight.numel(), 0

    def transform(self, x: Tensor) -> Tensor:
        """Rows as sources beside rows as targets, [n, 2 heads F_out]; what is made of them per edge is float32."""
        product = side_by_side(x, self.lin_l.weight, self.lin_r.weight)
        return product.float().add_(torch.cat([self.lin_l.bias, self.lin_r.bias]))

    def combine(self, projected: Tensor, block: Block, first_target: int) -> Tensor:
        assert block.edge_index is not None, "GATv2 needs one message per edge: use the COO representation"
        as_source, as_target = torch.split(projected, self.heads * self.out_channels, dim=1)
        source, target = with_self_loops(block, first_target)
        rows = as_source.index_select(0, source)
        last = first_target + block.num_targets
        # In place: no gradient needs either summand.
        both = as_target[first_target:last].index_select(0, target).add_(rows)
        if self.edge_dim is not None:
            both.add_(self._edge_rows(block))
        both = F.leaky_relu(both, self.negative_slope, inplace=True).view(-1, self.heads, self.out_channels)
        alpha = softmax((both * self.att).sum(-1), target, num_nodes=block.num_targets)
        messages = rows.view(-1, self.heads, self.out_channels) * alpha.unsqueeze(-1)
        out = scatter_sum(messages.flatten(1), target, block.num_targets)
        if not self.concat:
            out = out.view(-1, self.heads, self.out_channels).mean(1)
        biased: Tensor = out + self.bias
        return biased

    def scored(self, projected: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        """Scores [m, H] and rows [m, H, C] of the edges of a block with one target, its loop not among them."""
        assert block.edge_index is not None
        as_source, as_target = torch.split(projected, self.heads * self.out_channels, dim=1)
        rows = as_source.index_select(0, block.edge_index[0])
        both = rows + as_target[:1]
        if block.edge_attr is not None:
            both += F.linear(block.edge_attr, self.lin_edge.weight)
        both = F.leaky_relu(both, self.negative_slope, inplace=True).view(-1, self.heads, self.out_channels)
        return (both * self.att).sum(-1), rows.view(-1, self.heads, self.out_channels)

    def _edge_rows(self, block: Block) -> Tensor:
        """What edges add to the rows that are scored, [m + T, H F_out]; a loop has the mean of its target's attributes."""
        assert block.edge_attr is not None and block.edge_index is not None, "this GATv2 reads edge attributes"
        target = block.edge_index[1]
        counts = torch.bincount(target, minlength=block.num_targets).clamp_(min=1)
        loops = scatter_sum(block.edge_attr, target, block.num_targets) / counts.unsqueeze(1)
        with torch.autocast(block.edge_attr.device.type, enabled=False):
            return F.linear(torch.cat([block.edge_attr, loops]), self.lin_edge.weight)
