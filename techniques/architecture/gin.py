"""GIN: a sum over neighbours, then a two-layer perceptron (Xu et al., ICLR 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from techniques.architecture.built_in import BuiltIn
from techniques.architecture.costs import (
    LayerCost,
    LayerSize,
    activations_moved,
    aggregation_moved,
    dropped_out,
    sparse_backward,
    sparse_forward,
)

if TYPE_CHECKING:
    from torch import nn


class Gin(BuiltIn):
    """As expressive as the Weisfeiler-Lehman test; sums grow with the degree, so hubs can make it unstable."""

    __slots__ = ()
    name = "gin"
    text = "graph isomorphism network: most expressive sum, sensitive to hubs"
    can_transform_first = True

    def layer_cost(self, size: LayerSize) -> LayerCost:
        """The columns that are summed are ``columns_in``, or ``columns_out`` where the transform comes first."""
        columns = size.columns_out if size.transform_first else size.columns_in
        source, summed = size.sources * columns, size.targets * columns
        target = size.targets * size.columns_out
        messages = size.messages(columns)
        nodes = size.sources if size.transform_first else size.targets
        first_product = nodes * size.columns_in * size.columns_out if size.sparse_nonzeros is None else 0.0
        second_product = size.targets * size.columns_out * size.columns_out
        sparse = (size.sparse_nonzeros or 0.0) * size.columns_out
        back = 2 if size.transform_first or not size.first else 1
        narrow = size.narrow
        projected = narrow * source if size.transform_first else 0.0
        copied = size.narrow_copy(size.sources) if size.transform_first else 0.0
        wide = size.widened(source) if size.transform_first or not size.first else 0.0
        # What each product is taken of: the sums (where they come first) and the hidden layer's values.
        sums = 0.0 if size.transform_first else narrow * summed
        to_input = max(
            source + 2 * summed,
            source + summed + (source if size.fused else messages),
            2 * source + messages,
        )
        hidden = narrow * target
        # Rows per edge and their sums, or sums, the node's own row, both added; then sums, hidden values, output.
        making = max(
            projected + summed + max(wide + messages, 2 * summed, size.widened(sums) + 2 * hidden),
            sparse_forward(size, size.columns_out),
        )
        inference = max(making, copied + projected)
        return LayerCost(
            output=target if size.last else narrow * target,
            saved=copied + sums + hidden,
            forward=copied
            + max(making, sums + hidden + max(dropped_out(size), size.widened(1.5 * target) * size.last)),
            backward=copied
            + max(sums + 3 * hidden, to_input if back == 2 else 0.0, sparse_backward(size, size.columns_out)),
            inference=inference,
            gemm=first_product + second_product,
            input_gemm=second_product + (0.0 if size.first else first_product),
            aggregated=back * size.edges * columns + 2 * sparse,
            moved=aggregation_moved(size, columns) + 4 * summed + 4 * target + activations_moved(size) + 2 * sparse,
            parameters=(size.columns_in + 1) * size.columns_out + (size.columns_out + 1) * size.columns_out,
            gathered=columns,
            recomputed=hidden + copied + making,
        )

    def conv(self, columns_in: int, columns_out: int, *, last: bool, transform_first: bool, heads: int) -> nn.Module:
        from techniques.architecture.convs import GIN

        return GIN(columns_in, columns_out, transform_first)

    def pyg_layers(self) -> str:
        return "GIN"


GIN = Gin()
