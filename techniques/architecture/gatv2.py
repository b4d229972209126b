"""GATv2: attention that ranks neighbours differently for every node (Brody, Alon and Yahav, ICLR 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.costs import LayerCost, activations_moved, dropped_out, sparse_backward, sparse_forward
from techniques.architecture.gat import Gat
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.attention import gatv2
from techniques.architecture.operations.passes import Passes

if TYPE_CHECKING:
    from torch import nn


class GatV2(Gat):
    """GAT scores both ends apart, so that one neighbour ranks first for all; GATv2 scores their sum, at the price of a
    second weight and a second row per edge (Brody et al., ICLR 2022, section 3)."""

    __slots__ = ()
    name = "gatv2"
    text = "attention that depends on both ends: more expressive than GAT, keeps two rows per edge"

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """Two rows per edge are kept, the source's and the activated sum of both ends; m' counts a loop per target."""
        edges = size.edges + size.targets
        source, target = size.sources * size.columns_out, size.targets * size.columns_out
        messages, scores, index = edges * size.columns_out, edges * size.heads, 4 * edges
        dense = 0.0 if size.sparse_nonzeros is not None else 2 * size.sources * size.columns_in * size.columns_out
        sparse = 2 * (size.sparse_nonzeros or 0.0) * size.columns_out
        input_gradient = 0.0 if size.first else size.sources * size.columns_in
        narrow, copied = size.narrow, size.narrow_copy(size.sources)
        attributes = edges * size.edge_columns
        # The edges with loops and their attributes, both rows; the score's exponential, the sum of those of one target,
        # and their quotient.
        saved = copied + index + attributes + 2 * messages + 3 * scores
        made = 2 * source + index + attributes + 3 * messages + scores
        inference = max(
            made, sparse_forward(size, 2 * size.columns_out), copied + 2 * (1 + size.bf16 * narrow) * source
        )
        # Both products; a third row per edge, weighted by attention or summed to a score, and the sums.
        summed = 2 * source + saved + messages + target
        return LayerCost(
            output=target if size.last else narrow * target,
            saved=saved,
            forward=max(summed, saved + dropped_out(size), saved + size.widened(1.5 * target), copied + inference),
            # Gradients of a message, of its row and of its weight before that is summed to one per head.
            backward=max(
                saved + 3 * messages + scores,
                copied + index + attributes + 4 * messages + scores,
                copied + 4 * source,
                copied + 2 * narrow * source + size.widened(2 * source),
                copied + narrow * (2 * source + input_gradient),
                sparse_backward(size, 2 * size.columns_out),
            ),
            beside_gradients=copied + narrow * (2 * source + input_gradient),
            inference=inference,
            gemm=dense + attributes * size.columns_out,
            input_gemm=0.0 if size.first else dense,
            aggregated=2 * (3 * messages + 3 * scores + sparse),
            moved=16 * messages
            + 9 * scores
            + 8 * source
            + activations_moved(size)
            + 2 * sparse
            + (3 * attributes + 4 * messages) * (size.edge_columns > 0),
            parameters=(2 * size.columns_in + 4 + size.edge_columns) * size.columns_out,
            gathered=2 * size.columns_out,
            edge_blocks=(index, *(scores,) * 4),
            recomputed=target + max(summed, sparse_forward(size, 2 * size.columns_out)),
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        return gatv2(size)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs_gatv2 import GATv2

        if last:
            return GATv2(columns_in, columns_out, heads=1, concat=False)
        return GATv2(columns_in, columns_out // heads, heads=heads, concat=True)

    def pyg_options(self) -> str:
        return ", v2=True"

    def pyg_conv(self) -> str:
        return "GATv2Conv"


GATV2 = GatV2()
