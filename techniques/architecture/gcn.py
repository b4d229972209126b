"""GCN: one product with a weight, then a degree-normalised sum over neighbours (Kipf and Welling, ICLR 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import (
    LayerCost,
    activations_moved,
    aggregation_moved,
    dropped_out,
    sparse_backward,
    sparse_forward,
)
from techniques.architecture.layer_size import LayerSize
from techniques.architecture.operations.gcn import gcn
from techniques.architecture.operations.passes import Passes

if TYPE_CHECKING:
    from torch import nn


class Gcn(BuiltIn):
    """Cheapest layer; whole-graph training keeps every layer's activations (source, technique 3)."""

    __slots__ = ()
    name = "gcn"
    always_transforms = True
    text = "graph convolution: cheapest per layer, poor memory on whole graphs"
    can_transform_first = True
    uses_edge_weight = True

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """Transform, then sum ``columns_out`` wide rows."""
        source, target = size.sources * size.columns_out, size.targets * size.columns_out
        messages = size.messages(size.columns_out)
        input_gradient = 0.0 if size.first else size.sources * size.columns_in
        dense = 0.0 if size.sparse_nonzeros is not None else size.sources * size.columns_in * size.columns_out
        sparse = (size.sparse_nonzeros or 0.0) * size.columns_out
        # The product, the same scaled, one row per edge and their sums; or sums, sums with loops, both products.
        summing = (1 + size.narrow) * source + target + max(messages, 0.0 if size.fused else target)
        copied, narrow = size.narrow_copy(size.sources), size.narrow
        summed = size.sources + max(summing, sparse_forward(size, size.columns_out))
        inference = max(summed, size.sources + copied + narrow * source)
        return LayerCost(
            output=target if size.last else narrow * target,
            saved=copied + size.sources,  # one over the root of every degree
            forward=copied + max(summed, size.sources + max(dropped_out(size), size.widened(1.5 * target))),
            # Gradient of the loops, of the messages, and their sum by source; then of the weight's input.
            backward=copied
            + size.sources
            + max(
                2 * target,
                source + target + (source if size.fused else messages),
                2 * source + (0.0 if size.fused else messages),
                narrow * source + max(narrow * input_gradient, size.widened(source)),
                sparse_backward(size, size.columns_out),
            ),
            beside_gradients=copied + size.sources + narrow * (source + input_gradient),
            inference=inference,
            gemm=dense,
            input_gemm=0.0 if size.first else dense,
            aggregated=2 * ((size.edges + size.targets) * size.columns_out + sparse),
            moved=aggregation_moved(size, size.columns_out) + 3 * source + activations_moved(size) + 2 * sparse,
            parameters=(size.columns_in + 1) * size.columns_out,
            gathered=size.columns_out,
            # The fused sum keeps nothing: nothing is computed again.
            recomputed=target + copied + (0.0 if size.fused else summed),
            recomputed_late=copied if size.fused else 0.0,
        )

    def layer_operations(self, size: LayerSize) -> Passes:
        return gcn(size)

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import GCN

        return GCN(columns_in, columns_out)

    def pyg_layers(self) -> str:
        return "GCN"


GCN = Gcn()
